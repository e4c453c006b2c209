// Comparing JSON values as JSON Schema means it: by what was written, not by how it is stored.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace facet::tools {

/// 1 equals 1.0, and the order of object keys does not matter.
bool json_equal(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b);

/// Whether `value` is a whole multiple of `unit` (more than 0), both read as the shortest decimals
/// that give them: 19.99 is a multiple of 0.01 although the quotient of the doubles is not whole.
bool is_multiple(long double value, long double unit);

}  // namespace facet::tools
