// What requests and tools have in common, and words that a thesaurus calls alike.
#include "agent/common_words.h"

#include "agent/thesaurus.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

using namespace facet;
using namespace facet::agent;

namespace {

ToolSpec tool(std::string name, std::string description, const std::string& properties = {}) {
  return {.name = std::move(name),
          .description = std::move(description),
          .parameters = R"({"type":"object","properties":{)" + properties + "}}"};
}

const ToolSpec kFreeze = tool("firewall_rule_freeze",
                              "Freezes a firewall rule.",
                              R"("network_rule":{"type":"string","description":"The rule"})");

engine::Thesaurus thesaurus(std::initializer_list<std::pair<const char*, const char*>> pairs) {
  engine::Thesaurus out;
  for (const auto& [one, other] : pairs) out.pairs.push_back(word_pair(one, other));
  std::sort(out.pairs.begin(), out.pairs.end());
  return out;
}

}  // namespace

TEST_CASE("what a request and a tool have in common", "[agent]") {
  const auto of = [](const char* request) { return common_words(kFreeze, request); };
  CHECK(of("Freeze the firewall rules, please") == CommonWords{3, 1.0, 0});
  CHECK(of("Freeze network rule PE-0885") == CommonWords{2, 2.0 / 3.0, 1});
  CHECK(of("freezing, FREEZE: freezes") == CommonWords{1, 1.0 / 3.0, 0});  // One word.
  CHECK(of("the a of which") == CommonWords{});
  CHECK(of("") == CommonWords{});
  // Nothing but letters counts, and no single one.
  CHECK(common_words(tool("b2_c", "Is 4 the b2?"), "b2 c 4") == CommonWords{});
  CHECK(common_words(tool("orderCars", "Ships."), "a car, in order") == CommonWords{2, 1.0, 0});
  CHECK(common_words({.name = "x", .parameters = "{"}, "order") == CommonWords{});
}

TEST_CASE("words have the base forms of a dictionary", "[agent]") {
  const auto has = [](const char* word, const char* base) {
    const auto forms = base_forms(word);
    return std::find(forms.begin(), forms.end(), base) != forms.end();
  };
  const std::pair<const char*, const char*> kForms[] = {{"move", "move"},
                                                        {"moves", "move"},
                                                        {"moved", "move"},
                                                        {"moving", "move"},
                                                        {"copies", "copy"},
                                                        {"boxes", "box"},
                                                        {"classes", "class"},
                                                        {"heroes", "hero"},
                                                        {"matches", "match"},
                                                        {"planned", "plan"},
                                                        {"running", "run"},
                                                        {"lists", "list"},
                                                        {"listed", "list"}};
  for (const auto& [word, base] : kForms) {
    INFO(word << " " << base);
    CHECK(has(word, base));
  }
  // Of a short word little is an ending.
  CHECK(base_forms("bus") == std::vector<std::string>{"bus"});
  CHECK(base_forms("ring") == std::vector<std::string>{"ring"});
  CHECK(base_forms("red") == std::vector<std::string>{"red"});
  CHECK(base_forms("s") == std::vector<std::string>{"s"});
  CHECK(base_forms("") == std::vector<std::string>{""});
}

TEST_CASE("a pair of words has one number in both orders", "[agent]") {
  // Known answers, counted with another implementation (models/pocket/train/thesaurus.py).
  CHECK(word_pair("move", "shift") == 1067998921544370182U);
  CHECK(word_pair("shift", "move") == 1067998921544370182U);
  CHECK(word_pair("put off", "delay") == 8039962880645537506U);
  CHECK(word_pair("ab", "c") != word_pair("a", "bc"));
  const auto words = thesaurus({{"move", "shift"}});
  CHECK(has_pair(words, {"x", "shift"}, {"y", "move"}));
  CHECK_FALSE(has_pair(words, {"shift"}, {"shift"}));
  CHECK_FALSE(has_pair(words, {}, {"move"}));
  CHECK_FALSE(has_pair({}, {"shift"}, {"move"}));
}

TEST_CASE("of long texts the first words are looked up", "[agent]") {
  const auto words = thesaurus({{"move", "shift"}});
  const auto padded = [](std::size_t before, const char* word) {
    std::string out;
    for (std::size_t i = 0; i < before; ++i) out += "w" + std::string(1 + i % 26, 'x') + " ";
    return out + word;
  };
  const ToolSpec mover = tool("move", "Does it.");
  CHECK(common_words(mover, padded(kAlikeWordsMax - 1, "shift"), &words).words == 1);
  CHECK(common_words(mover, padded(kAlikeWordsMax, "shift"), &words).words == 0);
  CHECK(common_words(mover, padded(kAlikeWordsMax, "move"), &words).words == 1);
  const ToolSpec wordy = tool("x", padded(kAlikeWordsMax, "move"));
  CHECK(common_words(wordy, "shift", &words).words == 0);
}

TEST_CASE("other words for the same count as said", "[agent]") {
  const auto words = thesaurus({{"freeze", "suspend"},
                                {"postpone", "put off"},
                                {"firewall", "network wall"},
                                {"rule", "firewall"}});
  const auto of = [&](const ToolSpec& spec, const char* request) {
    return common_words(spec, request, &words);
  };
  const ToolSpec put_off = tool("put_off_visit", "Puts a visit off.");
  CHECK(of(kFreeze, "Suspending the rules") == CommonWords{2, 2.0 / 3.0, 0});
  // Two words for one, on either side; of the name three of four words were said.
  CHECK(of(put_off, "postpone my visit") == CommonWords{2, 1.0, 0});
  CHECK(of(kFreeze, "the network wall") == CommonWords{1, 1.0 / 3.0, 1});
  // What was said in the tool's own words stands for nothing else.
  CHECK(of(kFreeze, "a rule") == CommonWords{1, 1.0 / 3.0, 0});
  CHECK(of(kFreeze, "suspend, suspends, suspended") == CommonWords{1, 1.0 / 3.0, 0});
  CHECK(common_words(kFreeze, "suspend") == CommonWords{});
  CHECK(of(kFreeze, "") == CommonWords{});
}
