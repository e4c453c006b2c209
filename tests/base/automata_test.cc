// Patterns, numbers and spelled texts as automata, each against the obvious way to decide.
#include "base/grammar/number_automaton.h"
#include "base/grammar/regex.h"
#include "base/grammar/text_automaton.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::grammar {
namespace {

/// Where matches end that begin at a place of a text.
using Ends = std::vector<std::size_t>;
using Matcher = std::function<Ends(std::string_view text, std::size_t at)>;

void add(Ends& ends, std::size_t end) {
  if (std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
}

/// A random pattern and the matcher that its parts add up to.
struct Pattern {
  std::string text;
  Matcher matches;
};

class PatternMaker {
 public:
  explicit PatternMaker(std::uint32_t seed) : engine_(seed) {}

  Pattern make(int depth) {
    switch (below(depth > 0 ? 8 : 4)) {
      case 0:
        return one("a", [](char c) { return c == 'a'; });
      case 1:
        return one("[^a]", [](char c) { return c != 'a'; });
      case 2:
        return one(".", [](char c) { return c != '\n'; });
      case 3:
        return {"", [](std::string_view, std::size_t at) { return Ends{at}; }};
      case 4:
        return repeated(make(depth - 1));
      case 5: {
        const Pattern first = make(depth - 1);
        const Pattern second = make(depth - 1);
        return {"(?:" + first.text + "|" + second.text + ")",
                [=](std::string_view text, std::size_t at) {
                  Ends out = first.matches(text, at);
                  for (const std::size_t end : second.matches(text, at)) add(out, end);
                  return out;
                }};
      }
      case 6:
        return below(2) == 0 ? Pattern{"^",
                                       [](std::string_view, std::size_t at) {
                                         return at == 0 ? Ends{at} : Ends{};
                                       }}
                             : Pattern{"$", [](std::string_view text, std::size_t at) {
                                         return at == text.size() ? Ends{at} : Ends{};
                                       }};
      default: {
        const Pattern first = make(depth - 1);
        const Pattern second = make(depth - 1);
        return {first.text + second.text, [=](std::string_view text, std::size_t at) {
                  Ends out;
                  for (const std::size_t middle : first.matches(text, at)) {
                    for (const std::size_t end : second.matches(text, middle)) add(out, end);
                  }
                  return out;
                }};
      }
    }
  }

 private:
  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(bound)); }

  static Pattern one(const char* text, bool (*accepts)(char)) {
    return {text, [=](std::string_view input, std::size_t at) {
              return at < input.size() && accepts(input[at]) ? Ends{at + 1} : Ends{};
            }};
  }

  Pattern repeated(const Pattern& part) {
    const int min = below(3);
    const int max = below(2) == 0 ? -1 : min + below(3);
    const std::string bounds =
        "{" + std::to_string(min) + "," + (max < 0 ? "" : std::to_string(max)) + "}";
    return {"(?:" + part.text + ")" + bounds, [=](std::string_view text, std::size_t at) {
              Ends out;
              Ends now{at};
              for (int turn = 0; !now.empty(); ++turn) {
                if (turn >= min) {
                  const std::size_t before = out.size();
                  for (const std::size_t end : now) add(out, end);
                  if (turn > min && out.size() == before) break;
                }
                if (turn == max) break;
                Ends next;
                for (const std::size_t from : now) {
                  for (const std::size_t end : part.matches(text, from)) add(next, end);
                }
                now = next;
              }
              return out;
            }};
  }

  std::mt19937 engine_;
};

/// All texts over `letters` of up to `length` letters.
std::vector<std::string> all_texts(std::string_view letters, std::size_t length) {
  std::vector<std::string> out{""};
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].size() == length) break;
    const std::string text = out[i];
    for (const char c : letters) out.push_back(text + c);
  }
  return out;
}

bool accepts(std::string_view pattern, std::string_view text) {
  const auto automaton = regex_automaton(pattern);
  INFO(pattern << (automaton ? "" : ": " + automaton.error().message));
  REQUIRE(automaton);
  return automaton->matches(text);
}

}  // namespace

TEST_CASE("A pattern matches what its parts add up to", "[base][grammar][unit]") {
  const auto texts = all_texts("ab\n", 5);
  int matched = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    const Pattern pattern = PatternMaker(seed).make(4);
    INFO("seed " << seed << " pattern " << pattern.text);
    const auto part = regex_automaton(pattern.text);
    const auto whole = regex_automaton(pattern.text, {.anchored = true});
    REQUIRE(part);
    REQUIRE(whole);
    const TextAutomaton none = complement(*part);
    for (const std::string& text : texts) {
      bool found = false;
      for (std::size_t at = 0; at <= text.size(); ++at) {
        found = found || !pattern.matches(text, at).empty();
      }
      const Ends ends = pattern.matches(text, 0);
      const bool full = std::find(ends.begin(), ends.end(), text.size()) != ends.end();
      if (part->matches(text) != found || none.matches(text) == found ||
          whole->matches(text) != full) {
        INFO("text " << text);
        CHECK(part->matches(text) == found);
        CHECK(none.matches(text) == !found);
        CHECK(whole->matches(text) == full);
      }
      if (found) ++matched;
    }
  }
  CHECK(matched > 1000);
}

TEST_CASE("Patterns read what people write in schemas", "[base][grammar][unit]") {
  CHECK(accepts(R"(^\d{3}-\d{4}$)", "555-1234"));
  CHECK_FALSE(accepts(R"(^\d{3}-\d{4}$)", "555-12345"));
  CHECK(accepts(R"(^[\w.-]+@[\w-]+\.\w+$)", "a.b@c-d.org"));
  CHECK(accepts("^\xC3\xA9+$", "\xC3\xA9\xC3\xA9"));
  CHECK(accepts(R"(^[\u00e0-\u00ff]$)", "\xC3\xA9"));
  CHECK(accepts(R"(^(?<year>[0-9]{4})$)", "2024"));
  CHECK(accepts("^a{,3}$", "a{,3}"));
  CHECK(accepts("(a+)+$", std::string(5000, 'a')));
  for (const char* bad : {"(", "a)", "[a", "*a", "a**", "\\", "[b-a]", "a{3,2}"}) {
    INFO(bad);
    CHECK_FALSE(regex_automaton(bad));
  }
  for (const char* irregular : {"(?=a)", "(?!a)", "(?<=a)b", R"((a)\1)", R"(\bx)", R"(\p{L})"}) {
    const auto automaton = regex_automaton(irregular);
    INFO(irregular);
    REQUIRE_FALSE(automaton);
    CHECK(automaton.error().code == Code::unsupported);
  }
}

TEST_CASE("An integer automaton takes the integers of its range", "[base][grammar][unit]") {
  std::mt19937 random(1);
  const auto below = [&](int bound) {
    return static_cast<int>(random() % static_cast<unsigned>(bound));
  };
  for (int round = 0; round < 200; ++round) {
    IntegerRange range;
    if (below(3) != 0) range.min = below(4000) - 2000;
    if (below(3) != 0) range.max = range.min.value_or(-2000) + below(3000);
    if (below(2) != 0) range.multiple_of = static_cast<std::uint64_t>(1 + below(30));
    const auto automaton = integer_automaton(range);
    REQUIRE(automaton);
    for (int value = -2500; value <= 2500; ++value) {
      const bool fits = (!range.min || value >= *range.min) &&
                        (!range.max || value <= *range.max) &&
                        value % static_cast<int>(range.multiple_of) == 0;
      if (automaton->matches(std::to_string(value)) == fits) continue;
      INFO("round " << round << " value " << value);
      CHECK(automaton->matches(std::to_string(value)) == fits);
    }
    for (const char* text : {"", "-", "-0", "00", "01", "-01", "1.0", "+1"}) {
      CHECK_FALSE(automaton->matches(text));
    }
  }
  CHECK_FALSE(integer_automaton({.multiple_of = 1'000'003}));
  CHECK(integer_automaton({.min = 5, .max = 4})->states.empty());
}

TEST_CASE("A number automaton takes the decimals of its range", "[base][grammar][unit]") {
  std::vector<std::string> texts;
  for (const std::string& text : all_texts("0179.", 5)) {
    texts.push_back(text);
    texts.push_back("-" + text);
  }
  const auto is_number = [](std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const std::size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view fraction =
        point == std::string_view::npos ? "0" : text.substr(point + 1);
    return !whole.empty() && (whole == "0" || whole[0] != '0') && !fraction.empty() &&
           fraction.find('.') == std::string_view::npos;
  };
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    const auto bound = [&] { return (static_cast<int>(random() % 4000) - 2000) / 8.0; };
    NumberRange range;
    const double low = bound();
    const double high = low + static_cast<double>(random() % 2000) / 8.0;
    const bool has_low = random() % 3 != 0;
    const bool has_high = random() % 3 != 0;
    if (has_low) range.min = decimal_of(low);
    if (has_high) range.max = decimal_of(high);
    range.min_exclusive = random() % 2 == 0;
    range.max_exclusive = random() % 2 == 0;
    const ByteAutomaton automaton = number_automaton(range);
    int wrong = 0;
    std::string first;
    for (const std::string& text : texts) {
      bool fits = is_number(text);
      if (fits) {
        const double value = std::stod(text);
        // A negative zero is not offered.
        fits = !(text[0] == '-' && value == 0.0) &&
               (!has_low || (range.min_exclusive ? value > low : value >= low)) &&
               (!has_high || (range.max_exclusive ? value < high : value <= high));
      }
      if (automaton.matches(text) == fits) continue;
      if (wrong++ == 0) first = text;
    }
    INFO("round " << round << " " << low << ".." << high << " text " << first);
    CHECK(wrong == 0);
  }
}

TEST_CASE("Texts are spelled as JSON spells them", "[base][grammar][unit]") {
  const auto pattern = regex_automaton("^.\n\"$");
  REQUIRE(pattern);
  const ByteAutomaton json = spelled(*pattern, Spelling::json);
  CHECK(json.matches(R"(a\n\")"));
  CHECK(json.matches("\xC3\xA9\\n\\\""));
  CHECK(json.matches(R"(\\\n\")"));
  CHECK_FALSE(json.matches("a\n\""));
  CHECK(spelled(*pattern, Spelling::raw).matches("a\n\""));
  const ByteAutomaton character = spelled_code_point(Spelling::json);
  for (const char* good : {"a", "\xF0\x9F\x98\x80", R"(\u00e9)", R"(\uD83D\uDE00)", R"(\/)"}) {
    CHECK(character.matches(good));
  }
  for (const char* bad :
       {"", "\"", "\\", "\n", R"(\uD83D)", R"(\uDE00)", R"(\x41)", "\xC3", "ab"}) {
    CHECK_FALSE(character.matches(bad));
  }
}

TEST_CASE("UTF-8 blocks are exactly the code points of their set", "[base][grammar][unit]") {
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round) {
    std::vector<CodePointRange> ranges;
    for (int i = 0; i < 4; ++i) {
      const std::uint32_t first = static_cast<std::uint32_t>(random()) % 0x110000U;
      ranges.push_back({first, first + static_cast<std::uint32_t>(random()) % 0x3000U});
    }
    const CodePointSet set(ranges);
    const ByteAutomaton automaton = code_point_automaton(set);
    std::size_t sequences = 0;
    for (const Utf8Block& block : utf8_blocks(set)) {
      std::size_t count = 1;
      for (int i = 0; i < block.length; ++i) {
        const auto at = static_cast<std::size_t>(i);
        count *= static_cast<std::size_t>(block.last[at] - block.first[at]) + 1;
      }
      sequences += count;
    }
    std::size_t members = 0;
    for (const CodePointRange& range : set.ranges()) members += range.last - range.first + 1;
    CHECK(sequences == members);
    CHECK(set.complement().complement() == set);
    CHECK(set.intersection(set.complement()).empty());
    CHECK(set.with(set.complement()) == CodePointSet::all());
    CHECK_FALSE(automaton.matches("\xED\xA0\x80"));  // A surrogate.
  }
}

}  // namespace facet::grammar
