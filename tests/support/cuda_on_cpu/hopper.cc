#include "tests/support/cuda_on_cpu/hopper.h"

#include "tests/support/cuda_on_cpu/narrow_floats.h"

#include <cstring>

namespace cuda_on_cpu {
namespace {

struct Map {
  const std::uint16_t* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  int tile_rows = 0;
  int tile_cols = 0;
};
static_assert(sizeof(Map) <= 128);

constexpr std::uintptr_t kSharedMask = 0x3FFFF;  // Addresses in shared memory have 18 bits.

/// 128-byte swizzling: which of eight pieces of 16 bytes, by which of eight rows of 128.
std::uintptr_t swizzled(std::uintptr_t address) {
  return address ^ (address >> 7U & 7U) << 4U;
}

/// Where the block's shared memory has the 18 bits of `address`.
std::uintptr_t in_shared(std::uintptr_t address) {
  const auto base = reinterpret_cast<std::uintptr_t>(dynamic_shared());
  return base + ((address - base) & kSharedMask);
}

/// Sixteen elements of a row.
struct Run {
  float at[16];
};

/// One operand of a product: rows of 128 bytes, from the sixteen elements of the first one on.
class Tile {
 public:
  explicit Tile(std::uint64_t descriptor)
      : begin_((descriptor & 0x3FFFU) << 4U), groups_((descriptor >> 32U & 0x3FFFU) << 4U) {
    if (descriptor >> 62U != 1) fail("a matrix descriptor without 128-byte swizzling");
    if ((descriptor >> 49U & 7U) != 0) fail("a matrix descriptor with a base offset");
  }
  [[nodiscard]] Run row(unsigned row) const {
    Run out;
    for (unsigned piece = 0; piece < 2; ++piece) {
      const std::uintptr_t address = begin_ + row / 8 * groups_ + row % 8 * 128 + piece * 16;
      std::uint16_t bits[8];
      std::memcpy(bits, reinterpret_cast<const void*>(swizzled(in_shared(address))), sizeof bits);
      for (unsigned i = 0; i < 8; ++i) out.at[piece * 8 + i] = bf16_to_float(bits[i]);
    }
    return out;
  }

 private:
  std::uintptr_t begin_;
  std::uintptr_t groups_;
};

void multiply(float (&d)[128], std::uint64_t a, std::uint64_t b, bool adds, unsigned thread) {
  const Tile left(a);
  const Tile right(b);
  const unsigned row = thread % 128 / kLanes * 16 + thread % kLanes / 4;
  const Run x[2] = {left.row(row), left.row(row + 8)};
  for (unsigned j = 0; j < 64; ++j) {
    const Run y = right.row(j / 2 * 8 + thread % 4 * 2 + j % 2);
    for (unsigned half = 0; half < 2; ++half) {
      float& to = d[j / 2 * 4 + 2 * half + j % 2];
      float sum = adds ? to : 0.0F;
      for (unsigned k = 0; k < 16; ++k) sum += x[half].at[k] * y.at[k];
      to = sum;
    }
  }
}

}  // namespace

std::string make_tensor_map(const std::uint16_t* data,
                            std::int64_t rows,
                            std::int64_t cols,
                            std::int64_t stride,
                            int tile_rows,
                            int tile_cols,
                            unsigned char* map) {
  if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0) return "data is not aligned to 16 bytes";
  if (stride % 8 != 0) return "the stride is no multiple of 16 bytes";
  if (rows < 1 || cols < 1 || cols > stride) return "no such matrix";
  if (tile_rows < 1 || tile_rows > 256 || tile_cols != 64) return "no such tile";
  const Map out{data, rows, cols, stride, tile_rows, tile_cols};
  std::memcpy(map, &out, sizeof out);
  return "";
}

void tma_load(void* tile, const unsigned char* map, int column, int row, void* mbarrier) {
  Map from;
  std::memcpy(&from, map, sizeof from);
  const auto to = reinterpret_cast<std::uintptr_t>(tile);
  if (to % 1024 != 0) fail("a copy to a tile that is not aligned to 1024 bytes");
  const auto copy = [from, to, column, row] {
    for (int r = 0; r < from.tile_rows; ++r) {
      for (int c = 0; c < from.tile_cols; ++c) {
        const bool is_inside = row + r < from.rows && column + c < from.cols;
        const std::uint16_t bits =
            is_inside ? from.data[(row + r) * from.stride + column + c] : std::uint16_t{0};
        const auto offset = static_cast<std::uintptr_t>(r * 128 + c * 2);
        std::memcpy(reinterpret_cast<void*>(swizzled(to + offset)), &bits, sizeof bits);
      }
    }
  };
  const auto bytes = static_cast<std::size_t>(from.tile_rows * from.tile_cols) * 2;
  mbarrier_copy(mbarrier, bytes, copy);
}

std::uint64_t tile_descriptor(const void* tile) {
  const auto address = reinterpret_cast<std::uintptr_t>(tile) & kSharedMask;
  return address >> 4U | std::uint64_t{1} << 16U | std::uint64_t{1024 >> 4} << 32U |
         std::uint64_t{1} << 62U;
}

void wgmma_64x256x16(
    float (&d)[128], std::uint64_t a, std::uint64_t b, bool adds, const Where& where) {
  // All lanes are here, and mean the same tiles.
  const std::uint64_t own[2] = {a, b};
  const Lanes lanes = exchange(0xFFFFFFFFU, own, sizeof own, where);
  if (std::memcmp(lanes.at(0), own, sizeof own) != 0) fail("wgmma of lanes that differ");
  const unsigned thread = threadIdx.x;
  float(*to)[128] = &d;
  async_product([to, a, b, adds, thread] { multiply(*to, a, b, adds, thread); });
}

}  // namespace cuda_on_cpu
