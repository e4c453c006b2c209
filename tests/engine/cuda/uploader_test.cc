// Matrices on their way to the emulated device: whole, or a few rows that the device repeats.
#include "engine/cuda/uploader.h"

#include "engine/cuda/workspace.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/random_tensors.h"

#include <cstring>
#include <vector>

namespace facet::engine::cuda {
namespace {

/// What the device has after `from` went up, and a vector behind it.
std::vector<std::byte> uploaded(const TensorView& from, Layout layout, std::int64_t made_rows) {
  const auto bytes = static_cast<std::size_t>(matrix_bytes(layout, from.rows, from.cols));
  DeviceWork work;
  auto queue = WorkQueue::create();
  REQUIRE(queue.has_value());
  work.queue = *std::move(queue);
  const auto all = static_cast<std::size_t>(aligned_bytes(static_cast<std::int64_t>(bytes))) + 256;
  auto memory = DeviceBuffer::allocate(all);
  REQUIRE(memory.has_value());
  ThreadPool pool(2);
  auto up = Uploader::create(memory->data(), pool, work, made_rows);
  REQUIRE(up.has_value());
  const auto matrix = up->matrix(from, layout);
  REQUIRE(matrix.has_value());
  CHECK(matrix->data == memory->data());
  const std::vector<float> values{1.0F, 2.0F, 3.0F};
  const auto vector = up->vector(values);
  REQUIRE(vector.has_value());
  REQUIRE(up->finish().has_value());
  std::vector<std::byte> out(bytes + sizeof(float) * values.size());
  cuda_on_cpu::peek(out.data(), memory->data(), bytes);
  cuda_on_cpu::peek(out.data() + bytes, *vector, sizeof(float) * values.size());
  CHECK(std::memcmp(out.data() + bytes, values.data(), sizeof(float) * values.size()) == 0);
  return out;
}

}  // namespace

TEST_CASE("rows that the device repeats are the rows of a matrix that repeats them", "[cuda]") {
  struct Case {
    DType type;
    Layout layout;
  };
  const Case cases[] = {{DType::f32, Layout::f32},
                        {DType::bf16, Layout::bf16},
                        {DType::bf16, Layout::fp8},
                        {DType::q8_0, Layout::q8},
                        {DType::q4_0, Layout::q4},
                        {DType::q2_k, Layout::q2_k},
                        {DType::q6_k, Layout::q6_k}};
  constexpr std::int64_t kMade = 32;
  constexpr std::int64_t kCols = 256;
  for (const Case& given : cases) {
    for (const std::int64_t rows : {16, 32, 80, 208}) {
      cuda_on_cpu::reset();
      std::mt19937 random(9);
      const test::RandomTensor made(given.type, kMade, kCols, random);
      const std::string block = made.bytes();
      std::string whole;
      while (std::ssize(whole) < rows * std::ssize(block) / kMade) whole += block;
      TensorView view = made.view();
      view.rows = rows;
      view.data = reinterpret_cast<const std::byte*>(whole.data());
      const auto expected = uploaded(view, given.layout, 0);
      view.data = made.view().data;  // Behind kMade rows nothing may be read.
      INFO(layout_name(given.layout) << ", " << rows << " rows");
      CHECK(uploaded(view, given.layout, kMade) == expected);
    }
  }
}

}  // namespace facet::engine::cuda
