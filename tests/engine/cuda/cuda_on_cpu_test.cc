// The emulation of CUDA that the tests of kernels stand on: that it computes what CUDA would, and
// that it ends what CUDA leaves undefined.
#include "engine/cuda/hopper.cuh"
#include "engine/cuda/portable.cuh"
#include "tests/engine/cuda/emulated_memory.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace {

namespace cuda = facet::engine::cuda;
using facet::engine::cuda::kAllLanes;
using facet::engine::cuda::launch;
using facet::test::Device;

std::vector<float> random_floats(std::mt19937& rng, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> out(count);
  for (float& value : out) value = normal(rng);
  return out;
}

std::string failure_of_sync() {
  CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
  std::string out = cuda_on_cpu::kernel_failure();
  cuda_on_cpu::reset();
  return out;
}

__global__ void block_sums(const float* x, int n, float* sums) {
  __shared__ float partial[32];
  float sum = 0.0F;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<unsigned>(n);
       i += gridDim.x * blockDim.x) {
    sum += x[i];
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    float total = threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0.0F;
    for (int offset = 16; offset > 0; offset /= 2) {
      total += __shfl_down_sync(kAllLanes, total, static_cast<unsigned>(offset));
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
  }
}

/// Inclusive prefix sums of one block, with a barrier left out where `broken`.
template <bool broken>
__global__ void scan(const int* x, int* y) {
  __shared__ int values[256];
  const auto i = static_cast<int>(threadIdx.x);
  values[i] = x[i];
  __syncthreads();
  for (int offset = 1; offset < 256; offset *= 2) {
    const int other = i >= offset ? values[i - offset] : 0;
    if (!broken) __syncthreads();
    values[i] += other;
    __syncthreads();
  }
  y[i] = values[i];
}

/// y = a b, all (n, n), in tiles of 8 of dynamic shared memory.
__global__ void tiled_product(const float* a, const float* b, float* y, int n) {
  float* tiles = cuda::dynamic_shared<float>();
  const auto r = static_cast<int>(blockIdx.y * 8 + threadIdx.y);
  const auto c = static_cast<int>(blockIdx.x * 8 + threadIdx.x);
  const auto own = static_cast<int>(threadIdx.y * 8 + threadIdx.x);
  float sum = 0.0F;
  for (int k = 0; k < n; k += 8) {
    tiles[own] = a[r * n + k + static_cast<int>(threadIdx.x)];
    tiles[64 + own] = b[(k + static_cast<int>(threadIdx.y)) * n + c];
    __syncthreads();
    for (int i = 0; i < 8; ++i) {
      sum += tiles[threadIdx.y * 8 + static_cast<unsigned>(i)] *
             tiles[64 + i * 8 + static_cast<int>(threadIdx.x)];
    }
    __syncthreads();
  }
  y[r * n + c] = sum;
}

/// d = a b: a (16, 16), b (16, 8) given as columns, through ldmatrix.
__global__ void matrix_unit(const std::uint16_t* a, const std::uint16_t* b_columns, float* d) {
  __shared__ __align__(16) std::uint16_t tile[16 * 16 + 8 * 16];
  for (unsigned i = threadIdx.x; i < 256; i += 32) tile[i] = a[i];
  for (unsigned i = threadIdx.x; i < 128; i += 32) tile[256 + i] = b_columns[i];
  __syncwarp();
  std::uint32_t fragment_a[4];
  std::uint32_t fragment_b[2];
  const unsigned row = threadIdx.x % 16;
  cuda::ldmatrix_x4(fragment_a, tile + row * 16 + threadIdx.x / 16 * 8);
  cuda::ldmatrix_x2(fragment_b, tile + 256 + threadIdx.x % 8 * 16 + threadIdx.x / 8 % 2 * 8);
  float sum[4] = {};
  cuda::mma_bf16_16x8x16(sum, fragment_a, fragment_b);
  for (unsigned i = 0; i < 4; ++i) {
    d[(threadIdx.x / 4 + i / 2 * 8) * 8 + threadIdx.x % 4 * 2 + i % 2] = sum[i];
  }
}

/// d = a b: a (16, 32) int8 rows, b as (8, 32) columns.
__global__ void integer_unit(const signed char* a, const signed char* b_columns, int* d) {
  const unsigned g = threadIdx.x / 4;
  const unsigned t = threadIdx.x % 4;
  const auto word = [](const signed char* at) {
    std::uint32_t out;
    memcpy(&out, at, 4);
    return out;
  };
  const std::uint32_t fragment_a[4] = {word(a + g * 32 + t * 4),
                                       word(a + (g + 8) * 32 + t * 4),
                                       word(a + g * 32 + t * 4 + 16),
                                       word(a + (g + 8) * 32 + t * 4 + 16)};
  const std::uint32_t fragment_b[2] = {word(b_columns + g * 32 + t * 4),
                                       word(b_columns + g * 32 + t * 4 + 16)};
  int sum[4] = {1, 1, 1, 1};
  cuda::mma_s8_16x8x32(sum, fragment_a, fragment_b);
  for (unsigned i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = sum[i];
}

__global__ void transpose_tile(const std::uint16_t* x, std::uint16_t* y) {
  __shared__ __align__(16) std::uint16_t tile[4 * 64];
  for (unsigned i = threadIdx.x; i < 256; i += 32) tile[i] = x[i];
  __syncwarp();
  std::uint32_t r[4];
  cuda::ldmatrix_x4_trans(r, tile + threadIdx.x * 8);
  for (unsigned m = 0; m < 4; ++m) memcpy(y + m * 64 + threadIdx.x * 2, &r[m], 4);
}

__global__ void divergent_barrier() {
  if (threadIdx.x < 40) __syncthreads();
}
__global__ void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void early_exit(float* y) {
  if (threadIdx.x == 3) return;
  y[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1.0F, 1);
}
__global__ void writes_behind_shared() {
  cuda::dynamic_shared<float>()[8] = 1.0F;
}
template <unsigned count>
__global__ void reads_shared(float* y) {
  __shared__ float values[count];
  if (threadIdx.x == 0) y[blockIdx.x] = values[0];
  values[threadIdx.x] = 1.0F;
}
__global__ void copies_late(const float* x, float* y) {
  __shared__ __align__(16) float tile[8];
  for (int i = 0; i < 8; ++i) tile[i] = 0.0F;
  cuda::cp_async_16(tile, x);
  cuda::cp_async_commit();
  cuda::cp_async_16(tile + 4, x, false);
  cuda::cp_async_commit();
  y[0] = tile[0];
  cuda::cp_async_wait<1>();
  y[1] = tile[0];
  tile[4] = 5.0F;
  cuda::cp_async_wait<0>();
  y[2] = tile[4];
}
__global__ void add_one(int* x) {
  x[threadIdx.x] += 1;
}
__global__ void waits(bool does) {
  if (does || threadIdx.x > 0) cuda::grid_dependency_wait();
}
__global__ void launches_early() {
  cuda::grid_dependency_launch();
  cuda::grid_dependency_wait();
}
__global__ void votes(unsigned* out) {
  const unsigned even = __ballot_sync(kAllLanes, threadIdx.x % 2 == 0 ? 1 : 0);
  const int count = __syncthreads_count(threadIdx.x < 5 ? 1 : 0);
  const unsigned sum = __reduce_add_sync(kAllLanes, threadIdx.x);
  if (threadIdx.x == 0) {
    out[0] = even;
    out[1] = static_cast<unsigned>(count);
    out[2] = sum;
    out[3] = static_cast<unsigned>(__dp4a(0x7F80FF01, 0x01020304, 10));
    out[4] = __byte_perm(0x33221100U, 0x77665544U, 0x7531U);
  }
}

}  // namespace

TEST_CASE("sums through warps and shared memory are right in any order of threads", "[cuda]") {
  cuda_on_cpu::reset();
  std::mt19937 rng(1);
  const auto x = random_floats(rng, 1000);
  double expected = 0.0;
  for (const float value : x) expected += static_cast<double>(value);
  const Device<float> x_device(x);
  const Device<float> sums(3);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    cuda_on_cpu::set_order(seed);
    REQUIRE(
        launch(
            "block_sums", block_sums, {.grid = 3, .block = 256}, x_device.get(), 1000, sums.get())
            .has_value());
    double total = 0.0;
    for (const float sum : sums.read()) total += static_cast<double>(sum);
    CHECK(total == Approx(expected).margin(1e-4));
  }
  cuda_on_cpu::set_order(0);
}

TEST_CASE("a missing barrier shows in some order of threads", "[cuda]") {
  cuda_on_cpu::reset();
  std::vector<int> x(256);
  std::vector<int> expected(256);
  for (int i = 0; i < 256; ++i) {
    x[static_cast<std::size_t>(i)] = i % 7;
    expected[static_cast<std::size_t>(i)] =
        i % 7 + (i > 0 ? expected[static_cast<std::size_t>(i - 1)] : 0);
  }
  const Device<int> x_device(x);
  const Device<int> y(256);
  int wrong = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    cuda_on_cpu::set_order(seed);
    REQUIRE(launch("scan", scan<false>, {.grid = 1, .block = 256}, x_device.get(), y.get())
                .has_value());
    CHECK(y.read() == expected);
    REQUIRE(
        launch("scan", scan<true>, {.grid = 1, .block = 256}, x_device.get(), y.get()).has_value());
    wrong += y.read() != expected ? 1 : 0;
  }
  CHECK(wrong >= 3);
  cuda_on_cpu::set_order(0);
}

TEST_CASE("a product in tiles of dynamic shared memory", "[cuda]") {
  cuda_on_cpu::reset();
  std::mt19937 rng(2);
  const int n = 24;
  const auto a = random_floats(rng, n * n);
  const auto b = random_floats(rng, n * n);
  const Device<float> a_device(a);
  const Device<float> b_device(b);
  const Device<float> y_device(n * n);
  REQUIRE(launch("tiled_product",
                 tiled_product,
                 {.grid = {3, 3}, .block = {8, 8}, .shared_bytes = 512},
                 a_device.get(),
                 b_device.get(),
                 y_device.get(),
                 n)
              .has_value());
  const auto y = y_device.read();
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t c = 0; c < n; ++c) {
      double sum = 0.0;
      for (std::size_t k = 0; k < n; ++k) sum += double{a[r * n + k]} * double{b[k * n + c]};
      REQUIRE(double{y[r * n + c]} == Approx(sum).margin(1e-4));
    }
  }
}

TEST_CASE("matrix units and their loads follow the layouts of the manual", "[cuda]") {
  cuda_on_cpu::reset();
  std::mt19937 rng(3);
  std::vector<std::uint16_t> a(256);
  std::vector<std::uint16_t> b(128);
  for (auto& value : a) value = __float2bfloat16(random_floats(rng, 1)[0]).bits;
  for (auto& value : b) value = __float2bfloat16(random_floats(rng, 1)[0]).bits;
  const Device<std::uint16_t> a_device(a);
  const Device<std::uint16_t> b_device(b);
  const Device<float> d_device(128);
  REQUIRE(launch("matrix_unit",
                 matrix_unit,
                 {.grid = 1, .block = 32},
                 a_device.get(),
                 b_device.get(),
                 d_device.get())
              .has_value());
  const auto d = d_device.read();
  for (std::size_t r = 0; r < 16; ++r) {
    for (std::size_t c = 0; c < 8; ++c) {
      double sum = 0.0;
      for (std::size_t k = 0; k < 16; ++k) {
        sum += double{cuda_on_cpu::bf16_to_float(a[r * 16 + k])} *
               double{cuda_on_cpu::bf16_to_float(b[c * 16 + k])};
      }
      REQUIRE(double{d[r * 8 + c]} == Approx(sum).margin(1e-4));
    }
  }

  std::vector<signed char> p(16 * 32);
  std::vector<signed char> q(8 * 32);
  for (auto& value : p) value = static_cast<signed char>(rng());
  for (auto& value : q) value = static_cast<signed char>(rng());
  const Device<signed char> p_device(p);
  const Device<signed char> q_device(q);
  const Device<int> s_device(128);
  REQUIRE(launch("integer_unit",
                 integer_unit,
                 {.grid = 1, .block = 32},
                 p_device.get(),
                 q_device.get(),
                 s_device.get())
              .has_value());
  const auto s = s_device.read();
  for (std::size_t r = 0; r < 16; ++r) {
    for (std::size_t c = 0; c < 8; ++c) {
      int sum = 1;
      for (std::size_t k = 0; k < 32; ++k) sum += p[r * 32 + k] * q[c * 32 + k];
      REQUIRE(s[r * 8 + c] == sum);
    }
  }

  const Device<std::uint16_t> turned(256);
  REQUIRE(
      launch("transpose", transpose_tile, {.grid = 1, .block = 32}, a_device.get(), turned.get())
          .has_value());
  const auto t = turned.read();
  for (std::size_t m = 0; m < 4; ++m) {
    for (std::size_t i = 0; i < 64; ++i) REQUIRE(t[m * 64 + i] == a[m * 64 + i % 8 * 8 + i / 8]);
  }
}

TEST_CASE("votes, sums of integers, bytes", "[cuda]") {
  cuda_on_cpu::reset();
  const Device<unsigned> out(5);
  REQUIRE(launch("votes", votes, {.grid = 1, .block = 32}, out.get()).has_value());
  const auto host = out.read();
  CHECK(host[0] == 0x55555555U);
  CHECK(host[1] == 5);
  CHECK(host[2] == 496);
  CHECK(static_cast<int>(host[3]) == 10 + 1 * 4 + -1 * 3 + -128 * 2 + 127 * 1);
  CHECK(host[4] == 0x77553311U);
}

TEST_CASE("narrow formats round to nearest, ties to even", "[cuda]") {
  CHECK(cuda_on_cpu::float_to_half(1.0F) == 0x3C00);
  CHECK(cuda_on_cpu::float_to_half(65519.0F) == 0x7BFF);
  CHECK(cuda_on_cpu::float_to_half(65520.0F) == 0x7C00);
  CHECK(cuda_on_cpu::float_to_half(-5.9604645e-8F) == 0x8001);
  CHECK(cuda_on_cpu::half_to_float(0x3555) == 0.333251953125F);
  for (unsigned bits = 0; bits < 0x7C00; ++bits) {
    const auto value = static_cast<std::uint16_t>(bits);
    REQUIRE(cuda_on_cpu::float_to_half(cuda_on_cpu::half_to_float(value)) == value);
  }
  CHECK(cuda_on_cpu::e4m3_to_float(0x7E) == 448.0F);
  CHECK(cuda_on_cpu::e4m3_to_float(0x01) == 0.001953125F);
  CHECK(cuda_on_cpu::float_to_e4m3(1000.0F) == 0x7E);
  CHECK(cuda_on_cpu::float_to_e4m3(-1.0625F) == 0xB8);  // Half way, to even: -1.
  CHECK(cuda_on_cpu::float_to_e4m3(1.1875F) == 0x3A);   // Half way, to even: 1.25.
  for (unsigned bits = 0; bits < 0x7F; ++bits) {
    const auto byte = static_cast<std::uint8_t>(bits);
    REQUIRE(cuda_on_cpu::float_to_e4m3(cuda_on_cpu::e4m3_to_float(byte)) == byte);
  }
  CHECK(cuda_on_cpu::float_to_bf16(1.00390625F) == 0x3F80);  // Half way, to even.
  CHECK(std::isnan(cuda_on_cpu::bf16_to_float(cuda_on_cpu::float_to_bf16(NAN))));
}

TEST_CASE("what a GPU leaves undefined ends a kernel with words", "[cuda]") {
  cuda_on_cpu::reset();
  REQUIRE(launch("k", divergent_barrier, {.grid = 1, .block = 64}).has_value());
  CHECK(failure_of_sync().find("24 of 64 threads ended, thread 0 waits at a barrier at") !=
        std::string::npos);
  REQUIRE(launch("k", two_barriers, {.grid = 1, .block = 64}).has_value());
  CHECK(failure_of_sync().find("meet at one barrier from") != std::string::npos);
  {
    const Device<float> y(32);
    REQUIRE(launch("k", early_exit, {.grid = 1, .block = 32}, y.get()).has_value());
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    CHECK(cuda_on_cpu::kernel_failure().find("thread 3 ended while lane 0") != std::string::npos);
    // Sticky: nothing works any more.
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    const auto status = launch("k", add_one, {.grid = 1, .block = 1}, nullptr);
    REQUIRE(!status.has_value());
    CHECK(status.error().code == facet::Code::unavailable);
  }
  cuda_on_cpu::reset();
  REQUIRE(
      launch("k", writes_behind_shared, {.grid = 1, .block = 1, .shared_bytes = 32}).has_value());
  CHECK(failure_of_sync().find("behind the dynamic shared memory of 32") != std::string::npos);
  CHECK(!launch("k", add_one, {.grid = 0, .block = 1}, nullptr).has_value());
  CHECK(!launch("k", add_one, {.grid = 1, .block = 2048}, nullptr).has_value());
  CHECK(!launch("k", add_one, {.grid = 1, .block = 1, .shared_bytes = 300 << 10}, nullptr)
             .has_value());
}

TEST_CASE("a kernel that overlaps the one before it waits for that one first", "[cuda]") {
  cuda_on_cpu::reset();
  const cuda::LaunchConfig plain{.grid = 1, .block = 32};
  const cuda::LaunchConfig overlapping{.grid = 1, .block = 32, .overlaps_previous = true};
  REQUIRE(launch("k", waits, plain, false).has_value());
  REQUIRE(launch("k", launches_early, plain).has_value());
  REQUIRE(launch("k", waits, overlapping, true).has_value());
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  REQUIRE(launch("k", waits, overlapping, false).has_value());
  CHECK(failure_of_sync().find("thread 0 has not waited") != std::string::npos);
  REQUIRE(launch("k", launches_early, overlapping).has_value());
  CHECK(failure_of_sync().find("before this one has waited") != std::string::npos);
}

TEST_CASE("shared memory is poison when a block begins, copies arrive when waited for", "[cuda]") {
  cuda_on_cpu::reset();
  const Device<float> y(2);
  REQUIRE(launch("k", reads_shared<32>, {.grid = 2, .block = 32}, y.get()).has_value());
  for (const float value : y.read()) CHECK(std::isnan(value));

  const Device<float> x(std::vector<float>{3.0F, 4.0F, 5.0F, 6.0F});
  const Device<float> seen(3);
  REQUIRE(launch("k", copies_late, {.grid = 1, .block = 1}, x.get(), seen.get()).has_value());
  CHECK(seen.read() == std::vector<float>{0.0F, 3.0F, 0.0F});
}

namespace {

/// What can be done wrong with Hopper's barriers and products.
enum class Misuse { unknown_barrier, nobody_arrives, arrives_twice, ends_too_early };

__global__ void misuses_hopper(Misuse misuse) {
  auto* barrier = cuda::dynamic_shared<cuda::Mbarrier>();
  if (misuse == Misuse::unknown_barrier) cuda::mbarrier_wait(barrier, 0);
  if (threadIdx.x == 0) cuda::mbarrier_init(barrier, 2);
  __syncthreads();
  cuda::mbarrier_wait(barrier, 1);  // The phase before the first is over.
  if (threadIdx.x == 0) cuda::mbarrier_arrive(barrier);
  if (misuse == Misuse::nobody_arrives) cuda::mbarrier_wait(barrier, 0);
  if (misuse == Misuse::arrives_twice && threadIdx.x == 0) {
    cuda::mbarrier_arrive_expect(barrier, 16);  // Bytes that never come keep the phase open.
    cuda::mbarrier_arrive(barrier);
  }
  if (misuse == Misuse::ends_too_early) {
    float sums[128];
    const std::uint64_t tile = cuda::tile_descriptor(barrier);
    cuda::wgmma_64x256x16(sums, tile, tile, false);
    cuda::wgmma_commit();
  }
}

}  // namespace

TEST_CASE("misuse of Hopper's barriers and products ends a kernel with words", "[cuda]") {
  const auto failure = [](Misuse misuse) {
    cuda_on_cpu::reset();
    REQUIRE(launch("k", misuses_hopper, {.grid = 1, .block = 128, .shared_bytes = 1024}, misuse)
                .has_value());
    return failure_of_sync();
  };
  CHECK(failure(Misuse::unknown_barrier).find("was not initialised") != std::string::npos);
  CHECK(failure(Misuse::nobody_arrives).find("waits at a mbarrier") != std::string::npos);
  CHECK(failure(Misuse::arrives_twice).find("an arrival too many") != std::string::npos);
  CHECK(failure(Misuse::ends_too_early).find("products under way") != std::string::npos);
}
