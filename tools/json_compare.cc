#include "tools/json_compare.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <vector>

namespace facet::tools {
namespace {

/// digits * 10^exponent: what a person means by a number, where a double holds only its neighbour.
struct Decimal {
  std::uint64_t digits = 0;
  int exponent = 0;
};

/// The shortest decimal that reads back as `number`, without its sign.
Decimal to_decimal(long double number) {
  const long double size = std::abs(number);
  if (std::trunc(size) == size && size < 18446744073709551616.0L) {
    return {.digits = static_cast<std::uint64_t>(size), .exponent = 0};
  }
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(),
                                 text.data() + text.size(),
                                 static_cast<double>(size),
                                 std::chars_format::scientific)
                       .ptr;
  Decimal out;
  const char* at = text.data();
  bool after_point = false;
  for (; at != end && *at != 'e'; ++at) {
    after_point = after_point || *at == '.';
    if (*at == '.') continue;
    out.digits = out.digits * 10 + static_cast<std::uint64_t>(*at - '0');
    if (after_point) --out.exponent;
  }
  int shift = 0;
  if (at != end) std::from_chars(at + (at[1] == '+' ? 2 : 1), end, shift);
  out.exponent += shift;
  return out;
}

using Member = nlohmann::ordered_json::object_t::value_type;

/// The members of `object` by key; borrowed.
std::vector<const Member*> sorted(const nlohmann::ordered_json& object) {
  std::vector<const Member*> out;
  for (const Member& member : object.get_ref<const nlohmann::ordered_json::object_t&>()) {
    out.push_back(&member);
  }
  std::sort(
      out.begin(), out.end(), [](const Member* x, const Member* y) { return x->first < y->first; });
  return out;
}

}  // namespace

bool is_multiple(long double value, long double unit) {
  __extension__ using Wide = unsigned __int128;
  const Decimal v = to_decimal(value);
  const Decimal u = to_decimal(unit);
  if (v.digits == 0) return true;
  if (v.exponent >= u.exponent) {
    Wide rest = v.digits % u.digits;
    for (int i = u.exponent; i < v.exponent && rest != 0; ++i) rest = rest * 10 % u.digits;
    return rest == 0;
  }
  Wide divisor = u.digits;
  for (int i = v.exponent; i < u.exponent; ++i) {
    divisor *= 10;
    if (divisor > v.digits) return false;
  }
  return v.digits % divisor == 0;
}

bool json_equal(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b) {
  if (a.is_number() && b.is_number()) return a.get<long double>() == b.get<long double>();
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (a.is_array()) return std::equal(a.begin(), a.end(), b.begin(), json_equal);
  if (!a.is_object()) return a == b;
  // Sorted, because looking up each key in the other goes through all of them each time.
  const auto one = sorted(a);
  const auto other = sorted(b);
  return std::equal(one.begin(), one.end(), other.begin(), [](const Member* x, const Member* y) {
    return x->first == y->first && json_equal(x->second, y->second);
  });
}

}  // namespace facet::tools
