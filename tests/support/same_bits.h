// Equal bit for bit, so that -0 is not 0 and a NaN is itself.
#pragma once

#include <cstring>
#include <vector>

namespace facet::test {

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace facet::test
