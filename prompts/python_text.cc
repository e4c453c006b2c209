#include "prompts/python_text.h"

#include "base/json.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace facet::prompts {
namespace {

/// The code point of the well-formed sequence of `length` bytes at the start of `text`.
std::uint32_t code_point(std::string_view text, std::size_t length) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  switch (length) {
    case 1:
      return byte(0);
    case 2:
      return ((byte(0) & 0x1FU) << 6U) | (byte(1) & 0x3FU);
    case 3:
      return ((byte(0) & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU);
    default:
      return ((byte(0) & 0x07U) << 18U) | ((byte(1) & 0x3FU) << 12U) | ((byte(2) & 0x3FU) << 6U) |
             (byte(3) & 0x3FU);
  }
}

bool is_space(std::uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::uint32_t lower_code_point(std::uint32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7)) return c + 32;
  if ((c >= 0x0391 && c <= 0x03A9) || (c >= 0x0410 && c <= 0x042F)) return c + 32;
  if (c >= 0x0400 && c <= 0x040F) return c + 80;
  if (c == 0x0178) return 0xFF;
  // Latin Extended-A comes in pairs: upper case is even in two runs and odd in the two others.
  const bool even_upper = (c >= 0x0100 && c <= 0x0137) || (c >= 0x014A && c <= 0x0177);
  const bool odd_upper = (c >= 0x0139 && c <= 0x0148) || (c >= 0x0179 && c <= 0x017E);
  if (even_upper && c % 2 == 0 && c != 0x0130) return c + 1;
  if (odd_upper && c % 2 == 1) return c + 1;
  return c;
}

std::string python_float(double value) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(
      buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  std::string_view shortest(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  std::string sign;
  if (shortest.starts_with('-')) {
    sign = "-";
    shortest.remove_prefix(1);
  }
  const std::size_t e = shortest.find('e');
  std::string digits(shortest.substr(0, e));
  std::erase(digits, '.');
  int exponent = 0;
  const std::size_t first = shortest[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(shortest.data() + first, shortest.data() + shortest.size(), exponent);
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {  // As float.__repr__ switches to exponents.
    if (count > 1) digits.insert(1, ".");
    const std::string power = std::to_string(exponent < 0 ? -exponent : exponent);
    return sign + digits + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  if (count <= exponent + 1) {
    return sign + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  }
  return sign + digits.insert(static_cast<std::size_t>(exponent + 1), ".");
}

/// Python and JSON write the same nesting and differ in scalars only.
template <typename WriteScalar>
void write_spaced(const nlohmann::ordered_json& value,
                  const WriteScalar& scalar,
                  std::string& out) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : value.items()) {
      if (!std::exchange(first, false)) out += ", ";
      out += scalar(nlohmann::ordered_json(key)) + ": ";
      write_spaced(member, scalar, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const auto& item : value) {
      if (!std::exchange(first, false)) out += ", ";
      write_spaced(item, scalar, out);
    }
    out += ']';
  } else {
    out += scalar(value);
  }
}

}  // namespace

std::size_t leading_space_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const std::size_t length = utf8_length_at(text, 0);
  return length != 0 && is_space(code_point(text, length)) ? length : 0;
}

std::string_view strip_start(std::string_view text) {
  while (const std::size_t bytes = leading_space_bytes(text)) text.remove_prefix(bytes);
  return text;
}

std::string_view strip_end(std::string_view text) {
  while (!text.empty()) {
    std::size_t bytes = 0;
    for (std::size_t length = 1; length <= 3 && length <= text.size() && bytes == 0; ++length) {
      if (leading_space_bytes(text.substr(text.size() - length)) == length) bytes = length;
    }
    if (bytes == 0) break;
    text.remove_suffix(bytes);
  }
  return text;
}

std::string_view strip(std::string_view text) {
  return strip_end(strip_start(text));
}

std::string lower(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_length_at(text, at));
    const std::uint32_t c = length <= 2 ? code_point(text.substr(at), length) : 0;
    const std::uint32_t small = lower_code_point(c);
    if (length <= 2 && small != c) {
      append_utf8(small, out);
    } else {
      out += text.substr(at, length);
    }
    at += length;
  }
  return out;
}

std::string upper_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::vector<SortedMember> sorted_members(const nlohmann::ordered_json& object) {
  std::vector<std::pair<std::string, SortedMember>> keyed;
  for (const auto& [key, value] : object.get_ref<const nlohmann::ordered_json::object_t&>()) {
    keyed.emplace_back(lower(key), SortedMember{.key = key, .value = &value});
  }
  // Bytes of UTF-8 compare like code points.
  std::stable_sort(
      keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<SortedMember> members;
  for (const auto& [ignored, member] : keyed) members.push_back(member);
  return members;
}

std::string python_scalar(const nlohmann::ordered_json& value) {
  if (value.is_null()) return "None";
  if (value.is_number_float()) return python_float(value.get<double>());
  return value.dump();
}

std::string python_quote(std::string_view text) {
  // JSON's escapes are Python's, with the same meaning, except that JSON may write "\/" and never
  // does here.
  return json_quote(text);
}

std::string python_literal(const nlohmann::ordered_json& value) {
  std::string out;
  write_spaced(
      value,
      [](const nlohmann::ordered_json& scalar) -> std::string {
        if (scalar.is_boolean()) return scalar.get<bool>() ? "True" : "False";
        if (scalar.is_string()) return python_quote(scalar.get_ref<const std::string&>());
        return python_scalar(scalar);
      },
      out);
  return out;
}

std::string spaced_json(const nlohmann::ordered_json& value) {
  std::string out;
  write_spaced(
      value,
      [](const nlohmann::ordered_json& scalar) -> std::string {
        if (scalar.is_string() || scalar.is_null()) return dump_json(scalar);
        return python_scalar(scalar);
      },
      out);
  return out;
}

}  // namespace facet::prompts
