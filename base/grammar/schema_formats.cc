// The formats of JSON Schema that are regular, as automata.
#include "base/check.h"
#include "base/grammar/regex.h"
#include "base/grammar/schema_grammar.h"

#include <map>
#include <string>
#include <string_view>

namespace facet::grammar {
namespace {

// RFC 3339. Every day of every month, the 29th of February in leap years only.
constexpr std::string_view kDays =
    "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))";
constexpr std::string_view kLeapDays =
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29";
constexpr std::string_view kTime =
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?"
    "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
constexpr std::string_view kByte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
constexpr std::string_view kLabel = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
// RFC 3986: characters of a path, a query or a fragment.
constexpr std::string_view kUriCharacter = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";

TextAutomaton made(const std::string& pattern) {
  auto automaton = regex_automaton(pattern, {.anchored = true});
  FACET_CHECK(automaton.has_value());
  return *std::move(automaton);
}

std::map<std::string, TextAutomaton, std::less<>> make_formats() {
  const std::string date = "(?:" + std::string(kDays) + "|" + std::string(kLeapDays) + ")";
  const std::string time(kTime);
  const std::string label(kLabel);
  const std::string uri(kUriCharacter);
  const std::string byte(kByte);
  std::map<std::string, TextAutomaton, std::less<>> out;
  out.emplace("date", made(date));
  out.emplace("time", made(time));
  out.emplace("date-time", made(date + "T" + time));
  out.emplace("uuid",
              made("[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"));
  out.emplace("ipv4", made(byte + "\\." + byte + "\\." + byte + "\\." + byte));
  out.emplace("email",
              made("[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@" +
                   label + "(?:\\." + label + ")*"));
  out.emplace("uri",
              made("[A-Za-z][A-Za-z0-9+.-]*:(?://" + uri + "*)?(?:" + uri + "|/)*(?:\\?(?:" + uri +
                   "|[/?])*)?(?:#(?:" + uri + "|[/?])*)?"));
  return out;
}

}  // namespace

const TextAutomaton* format_automaton(std::string_view format) {
  static const auto formats = make_formats();
  const auto found = formats.find(format);
  return found == formats.end() ? nullptr : &found->second;
}

}  // namespace facet::grammar
