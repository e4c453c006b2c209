// The few rules of Python and Jinja that Gemma's chat templates lean on: trim, dictsort and how
// numbers print. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// Length in bytes of the white space character at the start of `text` in the sense of Python's
/// str.isspace (Unicode 15), 0 when there is none.
std::size_t leading_space_bytes(std::string_view text);

/// `text` without white space at its start; at its end; at both (Python's str.strip).
std::string_view strip_start(std::string_view text);
std::string_view strip_end(std::string_view text);
std::string_view strip(std::string_view text);

/// `text` with the letters of ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic in lower case;
/// other letters stay. This orders keys as str.lower() does for names in those alphabets.
std::string lower(std::string_view text);

/// `text` with ASCII letters in upper case.
std::string upper_ascii(std::string_view text);

/// One member of an object; borrowed from it.
struct SortedMember {
  std::string_view key;
  const nlohmann::ordered_json* value = nullptr;
};

/// Members of `object` as Jinja's dictsort gives them: by lower-cased code points of the key, equal
/// ones in their original order. REQUIRES: object.is_object().
std::vector<SortedMember> sorted_members(const nlohmann::ordered_json& object);

/// Python's repr of a JSON number, true/false/None for the others: 15, 1.5, 1e-07, 1e+16.
/// REQUIRES: a finite number, a boolean or null.
std::string python_scalar(const nlohmann::ordered_json& value);

/// `text` as a Python string literal in double quotes.
std::string python_quote(std::string_view text);

/// `value` as a Python literal with double quotes and True, False, None. JSON nesting is bounded by
/// whoever parsed it.
std::string python_literal(const nlohmann::ordered_json& value);

/// `value` as Python's json.dumps writes it on one line: ", " and ": " between parts; letters
/// outside ASCII stay as they are.
std::string spaced_json(const nlohmann::ordered_json& value);

}  // namespace facet::prompts
