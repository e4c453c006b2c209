// y = x W^T with wgmma and TMA. A block has a tile of 128 tokens by 256 columns of products: of 256
// weight rows, or of 128 rows of gate and the same of up, so that gelu(gate) * up is one thread's
// business. One thread of the first warpgroup keeps four stages of 64 columns under way; the other
// two multiply 64 tokens each.
//
// Shared memory, for every stage: the tile of x (128 rows of 128 bytes), then two of weights. Two
// barriers a stage: `full` counts the bytes of a stage, `empty` the warpgroups that are done with
// it.
#include "engine/cuda/block.cuh"
#include "engine/cuda/hopper.cuh"
#include "engine/cuda/tensor_map.h"
#include "engine/cuda/wgmma.h"

#include <limits>
#include <string>

namespace facet::engine::cuda {
namespace {

/// What happens to a product before it is stored.
enum class Epilogue : std::uint8_t { store, gelu_mul };

constexpr int kTileRows = 128;  // Of x, and of either half of the weights.
constexpr int kTileBytes = kTileRows * kTileRowBytes;
constexpr int kStageBytes = 3 * kTileBytes;
constexpr int kStages = 4;
constexpr int kMultipliers = 2;  // Warpgroups.
constexpr int kBlock = (1 + kMultipliers) * kWarpgroup;
constexpr std::size_t kSharedBytes =
    kTileAlignment + kStages * (kStageBytes + 2 * sizeof(Mbarrier));

struct Output {
  float* y = nullptr;
  std::uint16_t* y_bf16 = nullptr;
  std::int64_t stride = 0;
  std::int64_t tokens = 0;
  std::int64_t cols = 0;  ///< Columns that are written.
};

#ifdef FACET_HAS_HOPPER

// 65,536 registers for 384 threads, unevenly.
constexpr int kCopyRegisters = 40;
constexpr int kMultiplyRegisters = 232;

/// What is in the block's shared memory.
struct Stages {
  unsigned char* tiles;
  Mbarrier* full;
  Mbarrier* empty;

  __device__ static Stages make() {
    unsigned char* shared = dynamic_shared<unsigned char>();
    const auto misaligned =
        static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(shared) % kTileAlignment);
    unsigned char* tiles = shared + (kTileAlignment - misaligned) % kTileAlignment;
    auto* full = reinterpret_cast<Mbarrier*>(tiles + kStages * kStageBytes);
    return {tiles, full, full + kStages};
  }
  [[nodiscard]] __device__ unsigned char* of(int slab) const {
    return tiles + slab % kStages * kStageBytes;
  }
};

/// Parity of the phase that a slab's stage is in.
__device__ inline int phase_of(int slab) {
  return slab / kStages % 2;
}

__device__ inline void copy_slabs(const Stages& stages,
                                  const TensorMap& x_map,
                                  const TensorMap& w_map,
                                  const TensorMap& second_map,
                                  int token,
                                  int row,
                                  int second_row,
                                  int slabs) {
  for (int slab = 0; slab < slabs; ++slab) {
    Mbarrier* const full = stages.full + slab % kStages;
    mbarrier_wait(stages.empty + slab % kStages, phase_of(slab) ^ 1);
    mbarrier_arrive_expect(full, kStageBytes);
    unsigned char* const to = stages.of(slab);
    const int column = slab * kTileColumns;
    tma_load(to, x_map, column, token, full);
    tma_load(to + kTileBytes, w_map, column, row, full);
    tma_load(to + 2 * kTileBytes, second_map, column, second_row, full);
  }
}

__device__ inline void multiply_slabs(const Stages& stages,
                                      int group,
                                      int slabs,
                                      float (&sums)[128]) {
  for (int slab = 0; slab < slabs; ++slab) {
    mbarrier_wait(stages.full + slab % kStages, phase_of(slab));
    const unsigned char* const stage = stages.of(slab);
    const std::uint64_t x = tile_descriptor(stage + group * (kTileBytes / kMultipliers));
    const std::uint64_t w = tile_descriptor(stage + kTileBytes);
    wgmma_fence(sums);
#pragma unroll
    for (int k = 0; k < kTileColumns / 16; ++k) {
      wgmma_64x256x16(sums, x + 2 * k, w + 2 * k, slab > 0 || k > 0);
    }
    wgmma_commit();
    // The products of the slab before are over: its stage may be filled again.
    wgmma_wait<1>(sums);
    if (slab > 0 && threadIdx.x % kWarpgroup == 0) {
      mbarrier_arrive(stages.empty + (slab - 1) % kStages);
    }
  }
  wgmma_wait<0>(sums);
}

/// Where a thread's sums belong: of token (first + 8 h) the columns 8 j + 2 t and the next.
struct Place {
  std::int64_t first;  ///< Token.
  int t;
};
__device__ inline Place place_of(std::int64_t token, int group) {
  const int in_group = static_cast<int>(threadIdx.x) % kWarpgroup;
  const int warp = in_group / kWarp;
  const int lane = in_group % kWarp;
  return {.first = token + group * (kTileRows / kMultipliers) + warp * 16 + lane / 4,
          .t = lane % 4};
}

__device__ inline void store_sums(const float (&sums)[128],
                                  const Place& place,
                                  std::int64_t column,
                                  const Output& out) {
  const bool is_paired = out.stride % 2 == 0 && reinterpret_cast<std::uintptr_t>(out.y) % 8 == 0;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const std::int64_t token = place.first + 8 * half;
    if (token >= out.tokens) continue;
    float* const row = out.y + token * out.stride;
#pragma unroll
    for (int j = 0; j < kProductColumns / 8; ++j) {
      const std::int64_t c = column + 8 * j + 2 * place.t;
      const float2 pair = make_float2(sums[4 * j + 2 * half], sums[4 * j + 2 * half + 1]);
      if (is_paired && c + 1 < out.cols) {
        *reinterpret_cast<float2*>(row + c) = pair;
        continue;
      }
      if (c < out.cols) row[c] = pair.x;
      if (c + 1 < out.cols) row[c + 1] = pair.y;
    }
  }
}

/// Lane t of four gets what they hold under number t, in their order.
__device__ inline void transpose_four(std::uint32_t (&words)[4], int t) {
#pragma unroll
  for (int bit = 1; bit <= 2; bit *= 2) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((i & bit) != 0) continue;
      // Of a pair of words each lane keeps the one with its own bit, and gives the other.
      const bool keeps_high = (t & bit) != 0;
      const std::uint32_t gives = keeps_high ? words[i] : words[i | bit];
      const std::uint32_t gets = __shfl_xor_sync(kAllLanes, gives, bit);
      words[i] = keeps_high ? gets : words[i];
      words[i | bit] = keeps_high ? words[i | bit] : gets;
    }
  }
}

/// gelu(gate) * up, gate in the first half of the sums. Four lanes exchange what they have, so that
/// each writes 16 bytes that lie together.
__device__ inline void store_gelu(const float (&sums)[128],
                                  const Place& place,
                                  std::int64_t column,
                                  const Output& out) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const std::int64_t token = place.first + 8 * half;
    std::uint16_t* const row = out.y_bf16 + token * out.stride;
#pragma unroll
    for (int j = 0; j < kTileRows / 8; j += 4) {
      std::uint32_t words[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int at = 4 * (j + i) + 2 * half;
        words[i] = pack_bf16(gelu_times(sums[at], sums[64 + at]),
                             gelu_times(sums[at + 1], sums[64 + at + 1]));
      }
      transpose_four(words, place.t);
      const std::int64_t c = column + 8 * (j + place.t);
      if (token < out.tokens && c < out.cols) {
        *reinterpret_cast<uint4*>(row + c) = make_uint4(words[0], words[1], words[2], words[3]);
      }
    }
  }
}

#endif

template <Epilogue epilogue>
__global__ __launch_bounds__(kBlock, 1) void wgmma_kernel(const __grid_constant__ TensorMap x_map,
                                                          const __grid_constant__ TensorMap w_map,
                                                          const __grid_constant__ TensorMap up_map,
                                                          int slabs,
                                                          const Output out) {
#ifdef FACET_HAS_HOPPER
  constexpr bool kIsGelu = epilogue == Epilogue::gelu_mul;
  grid_dependency_wait();
  grid_dependency_launch();
  const Stages stages = Stages::make();
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      mbarrier_init(stages.full + i, 1);
      mbarrier_init(stages.empty + i, kMultipliers);
    }
    mbarrier_publish();
  }
  __syncthreads();
  // Tiles of tokens next to each other share their weights in the second-level cache.
  const int token = static_cast<int>(blockIdx.x) * kTileRows;
  const int row = static_cast<int>(blockIdx.y) * (kIsGelu ? kTileRows : kProductColumns);
  const int group = static_cast<int>(threadIdx.x) / kWarpgroup;
  if (group == 0) {
    leave_registers<kCopyRegisters>();
    if (threadIdx.x == 0) {
      const int second_row = kIsGelu ? row : row + kTileRows;
      copy_slabs(stages, x_map, w_map, up_map, token, row, second_row, slabs);
    }
    return;
  }
  take_registers<kMultiplyRegisters>();
  float sums[128];
  multiply_slabs(stages, group - 1, slabs, sums);
  const Place place = place_of(token, group - 1);
  if constexpr (kIsGelu) {
    store_gelu(sums, place, row, out);
  } else {
    store_sums(sums, place, row, out);
  }
#endif
}

Error bad_product(const WgmmaArgs& args) {
  return {Code::invalid_argument,
          "CUDA wgmma: " + std::to_string(args.rows) + " rows of " + std::to_string(args.cols) +
              " columns, strides " + std::to_string(args.w_stride) + ", " +
              std::to_string(args.x_stride) + " and " + std::to_string(args.y_stride) + ", " +
              std::to_string(args.tokens) + " tokens"};
}

Status check(const WgmmaArgs& args) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() - kProductColumns;
  const auto is_aligned = [](const void* at) {
    return reinterpret_cast<std::uintptr_t>(at) % 16 == 0;
  };
  const bool fits = args.rows >= 1 && args.rows <= kMost && args.cols >= 1 && args.cols <= kMost &&
                    args.tokens >= 1 && args.tokens <= kMost && args.w_stride % 8 == 0 &&
                    args.x_stride % 8 == 0 && is_aligned(args.w) && is_aligned(args.x);
  if (!fits) return bad_product(args);
  if (args.up == nullptr) return ok();
  const bool fits_gelu = is_aligned(args.up) && is_aligned(args.y_bf16) && args.y_stride % 8 == 0 &&
                         args.y_cols % 8 == 0 && args.y_cols >= args.rows &&
                         args.y_cols <= args.y_stride;
  if (!fits_gelu) return bad_product(args);
  return ok();
}

template <Epilogue epilogue>
Status launch_wgmma(const WgmmaArgs& args, const LaunchOrder& order) {
  constexpr bool kIsGelu = epilogue == Epilogue::gelu_mul;
  TensorMap x_map;
  TensorMap w_map;
  TensorMap second_map;
  const auto shape = [&](const std::uint16_t* data) {
    return TensorShape{.data = data, .rows = args.rows, .cols = args.cols, .stride = args.w_stride};
  };
  FACET_TRY_STATUS(make_tensor_map(
      {.data = args.x, .rows = args.tokens, .cols = args.cols, .stride = args.x_stride},
      kTileRows,
      x_map));
  FACET_TRY_STATUS(make_tensor_map(shape(args.w), kTileRows, w_map));
  FACET_TRY_STATUS(make_tensor_map(shape(kIsGelu ? args.up : args.w), kTileRows, second_map));
  const Output out{.y = args.y,
                   .y_bf16 = args.y_bf16,
                   .stride = args.y_stride,
                   .tokens = args.tokens,
                   .cols = kIsGelu ? args.y_cols : args.rows};
  constexpr int kColumns = kIsGelu ? kTileRows : kProductColumns;
  const LaunchConfig config{
      .grid = dim3(static_cast<unsigned>((args.tokens + kTileRows - 1) / kTileRows),
                   static_cast<unsigned>((out.cols + kColumns - 1) / kColumns)),
      .block = dim3(kBlock),
      .shared_bytes = kSharedBytes,
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  const auto slabs = static_cast<int>((args.cols + kTileColumns - 1) / kTileColumns);
  return launch("wgmma", wgmma_kernel<epilogue>, config, x_map, w_map, second_map, slabs, out);
}

}  // namespace

Result<bool> has_wgmma() {
#if defined(FACET_CUDA_ON_CPU) || defined(FACET_CUDA_SM90A)
  int device = 0;
  int major = 0;
  int minor = 0;
  FACET_TRY_STATUS(to_status(cudaGetDevice(&device), "device"));
  FACET_TRY_STATUS(to_status(
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "device"));
  FACET_TRY_STATUS(to_status(
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "device"));
  return major == 9 && minor == 0;
#else
  return false;
#endif
}

Status wgmma_matmul(const WgmmaArgs& args, const LaunchOrder& order) {
  FACET_TRY(const bool is_there, has_wgmma());
  if (!is_there) return Error{Code::unsupported, "CUDA wgmma: this device or this build has none"};
  FACET_TRY_STATUS(check(args));
  if (args.up == nullptr) return launch_wgmma<Epilogue::store>(args, order);
  return launch_wgmma<Epilogue::gelu_mul>(args, order);
}

}  // namespace facet::engine::cuda
