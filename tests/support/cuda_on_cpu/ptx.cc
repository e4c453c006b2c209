#include "tests/support/cuda_on_cpu/ptx.h"

#include "tests/support/cuda_on_cpu/narrow_floats.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace cuda_on_cpu {
namespace {

struct Fragments {
  std::uint32_t a[4];
  std::uint32_t b[2];
};
static_assert(sizeof(Fragments) <= kExchangeBytes);

/// Elements of a and b where the lanes hold them, `per` to a register.
template <class T, unsigned per>
struct Matrices {
  static constexpr unsigned kInner = 8 * per;
  Lanes lanes;

  [[nodiscard]] T a(unsigned row, unsigned k) const {
    const unsigned reg = row / 8 + k / (4 * per) * 2;
    return element(row % 8 * 4 + k % (4 * per) / per, reg, k % per);
  }
  [[nodiscard]] T b(unsigned k, unsigned column) const {
    return element(column * 4 + k % (4 * per) / per, 4 + k / (4 * per), k % per);
  }

 private:
  [[nodiscard]] T element(unsigned from, unsigned reg, unsigned i) const {
    T out;
    std::memcpy(&out, lanes.at(from) + 4 * reg + sizeof(T) * i, sizeof out);
    return out;
  }
};

template <class T, unsigned per, class Sum, class Convert>
void multiply(Sum (&d)[4],
              const std::uint32_t (&a)[4],
              const std::uint32_t (&b)[2],
              const Where& where,
              const Convert& convert) {
  const Fragments own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const Matrices<T, per> m{exchange(0xFFFFFFFFU, &own, sizeof own, where)};
  const unsigned g = lane() / 4;
  const unsigned t = lane() % 4;
  for (unsigned i = 0; i < 4; ++i) {
    for (unsigned k = 0; k < m.kInner; ++k) {
      d[i] += convert(m.a(g + i / 2 * 8, k)) * convert(m.b(k, 2 * t + i % 2));
    }
  }
}

/// From a table: products convert a lot.
const std::vector<float> kHalfValues = [] {
  std::vector<float> out;
  for (unsigned i = 0; i <= std::numeric_limits<std::uint16_t>::max(); ++i) {
    out.push_back(half_to_float(static_cast<std::uint16_t>(i)));
  }
  return out;
}();
float half_value(std::uint16_t bits) {
  return kHalfValues[bits];
}

/// Lanes 8m .. 8m + 7 give the rows of matrix m.
void load_matrices(
    std::uint32_t* r, unsigned matrices, bool transposed, const void* row, const Where& where) {
  const Lanes lanes = exchange(0xFFFFFFFFU, &row, sizeof row, where);
  const unsigned g = lane() / 4;
  const unsigned t = lane() % 4;
  for (unsigned m = 0; m < matrices; ++m) {
    std::uint16_t pair[2];
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned from_row = transposed ? 2 * t + i : g;
      const unsigned from_col = transposed ? g : 2 * t + i;
      const std::uint16_t* from = nullptr;
      std::memcpy(&from, lanes.at(8 * m + from_row), sizeof from);
      if (reinterpret_cast<std::uintptr_t>(from) % 16 != 0) {
        fail("ldmatrix of a row that is not aligned to 16 bytes");
      }
      pair[i] = from[from_col];
    }
    std::memcpy(&r[m], pair, sizeof pair);
  }
}

void check_aligned(const void* at, const char* what) {
  if (reinterpret_cast<std::uintptr_t>(at) % 16 != 0) {
    fail(std::string(what) + " of an address that is not aligned to 16 bytes");
  }
}

}  // namespace

void mma_bf16_16x8x16(float (&d)[4],
                      const std::uint32_t (&a)[4],
                      const std::uint32_t (&b)[2],
                      Where where) {
  multiply<std::uint16_t, 2>(d, a, b, where, bf16_to_float);
}
void mma_f16_16x8x16(float (&d)[4],
                     const std::uint32_t (&a)[4],
                     const std::uint32_t (&b)[2],
                     Where where) {
  multiply<std::uint16_t, 2>(d, a, b, where, half_value);
}
void mma_s8_16x8x32(std::int32_t (&d)[4],
                    const std::uint32_t (&a)[4],
                    const std::uint32_t (&b)[2],
                    Where where) {
  multiply<std::int8_t, 4>(d, a, b, where, [](std::int8_t x) { return std::int32_t{x}; });
}

void ldmatrix_x4(std::uint32_t (&r)[4], const void* row, Where where) {
  load_matrices(r, 4, false, row, where);
}
void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* row, Where where) {
  load_matrices(r, 4, true, row, where);
}
void ldmatrix_x2(std::uint32_t (&r)[2], const void* row, Where where) {
  load_matrices(r, 2, false, row, where);
}

void cp_async_16(void* shared, const void* from, bool valid) {
  check_aligned(shared, "cp.async");
  check_aligned(from, "cp.async");
  async_copy(shared, from, 16, valid);
}

}  // namespace cuda_on_cpu
