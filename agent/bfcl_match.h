// Is a turn's list of calls one that the Berkeley leaderboard accepts? The rules of its AST check
// for Python (v4, `ast_checker`), its corners included, so that scores can be compared:
//
//  - As many calls as answers, in any order; each answer takes the first call that matches it.
//  - The function's name is equal; every required parameter is there; every parameter is declared
//    and has accepted values; one that is left out must accept "".
//  - Types are Python's: true is no integer, 3 is a float where a float is declared but not inside
//    a list of floats, 3.0 is no integer. A value of the type of the first accepted value that is
//    not "" passes too (the leaderboard's variables). Items of a list are checked one level deep,
//    against the items of an accepted list; where "" is accepted they are not.
//  - Values compare as Python's ==: 1 equals 1.0 and true. Strings compare without letter case,
//    spaces and ,./-_*^ and with ' as ": those of a parameter, of a list, of a dictionary, not of
//    what lies deeper.
//  - A dictionary's members each have a list of accepted values; one whose list holds "" may be
//    left out. Lists of dictionaries match in order.
//
// Letter case is folded for ASCII only; the answers of the categories this reads hold no other.
#pragma once

#include "base/chat.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace facet::agent {

/// Why `calls` are not what `answers` accept, or nothing when they are. `functions` and `answers`
/// as the leaderboard's files have them (BfclCase); no answer: nothing but no call is right.
std::optional<std::string> bfcl_mismatch(const nlohmann::ordered_json& functions,
                                         const nlohmann::ordered_json& answers,
                                         const std::vector<ToolCall>& calls);

}  // namespace facet::agent
