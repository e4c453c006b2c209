// What may be copied out of a conversation, beside its definition tried out.
#include "base/grammar/copy_source.h"

#include "base/grammar/span_automaton.h"
#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/copied_ref.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <random>

using namespace facet;
using namespace facet::grammar;
using namespace facet::test;
using Texts = std::vector<std::string>;

namespace {

std::string random_text(std::mt19937& random) {
  static const Texts kPieces = {
      "a",      "b",      "cat",    "Ann",    "s",  "'s",    "\u2019s", "'",  "\"", "(",
      ")",      ".",      ",",      "-",      ":",  "/",     "1",       "20", "=",  "\u00E9t\u00E9",
      "\u6771", "\u4EAC", "\u201C", "\u201D", "\n", "\u00A0"};
  std::string out;
  for (auto left = random() % 24; left > 0; --left) {
    out += random() % 3 == 0 ? " " : kPieces[random() % kPieces.size()];
  }
  return out;
}

/// Part of `text`, or of two, a character of it changed now and then.
std::string random_value(const std::string& text, std::mt19937& random) {
  const auto characters = SpanRef::split(text);
  if (characters.empty()) return "a";
  const std::size_t begin = random() % characters.size();
  const std::size_t end = begin + 1 + random() % (characters.size() - begin);
  std::string out;
  for (std::size_t i = begin; i < end; ++i) {
    out += random() % 16 == 0 ? characters[random() % characters.size()] : characters[i];
  }
  return out;
}

bool is_held(const Texts& texts, const std::string& value) {
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    return SpanRef::holds(text, value);
  });
}

std::int64_t characters_in(const std::string& text) {
  return std::ssize(SpanRef::split(text));
}

}  // namespace

TEST_CASE("spans are whole words of one text", "[base]") {
  const ByteAutomaton spans =
      span_automaton(source_of({"Play \"Blue Note\" by Ann's (old) band, OK?",
                                "\u6771\u4EAC  tower\n10:30 a/b.txt"}),
                     Spelling::raw);
  for (const char* span : {"Play",
                           "Blue Note",
                           "\"Blue Note\"",
                           "Ann",
                           "Ann's",
                           "old",
                           "(old) band",
                           "band,",
                           "OK?",
                           "OK",
                           "Play \"Blue Note\" by Ann's (old) band, OK?",
                           "\u6771",
                           "\u4EAC tower",
                           "\u4EAC  tower\n10:30",
                           "10:30",
                           "b.txt",
                           "a"}) {
    INFO(span);
    CHECK(spans.matches(span));
  }
  for (const char* other : {"",
                            "Pla",
                            "lay",
                            "Blue Note by",
                            "blue",
                            "Ann'",
                            "band OK",
                            "OK? \u6771",
                            " OK",
                            "10",
                            "30",
                            "txt",
                            "b",
                            "Note\""}) {
    INFO(other);
    CHECK(spans.matches(other) == (std::string_view(other) == "Note\""));
  }
}

TEST_CASE("the automaton holds the spans and nothing else", "[base]") {
  std::mt19937 random(20261122);
  for (int round = 0; round < 300; ++round) {
    Texts texts;
    for (auto count = random() % 4; count > 0; --count) texts.push_back(random_text(random));
    const CopySource source = source_of(texts);
    const ByteAutomaton spans = span_automaton(source, Spelling::raw);
    for (const std::string& text : texts) {
      INFO(text);
      for (const std::string& span : SpanRef(text).all()) {
        INFO(span);
        REQUIRE(spans.matches(span));
      }
      for (int i = 0; i < 40; ++i) {
        const std::string value = random_value(random() % 8 == 0 ? text + texts[0] : text, random);
        INFO(value);
        REQUIRE(spans.matches(value) == is_held(texts, value));
      }
    }
  }
}

TEST_CASE("spans of a length are counted in characters", "[base]") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const Texts texts = {random_text(random), random_text(random)};
    const SpanForm length{.min = static_cast<std::int64_t>(random() % 4),
                          .max = static_cast<std::int64_t>(4 + random() % 8)};
    const CopySource source = source_of(texts);
    const ByteAutomaton spans = span_automaton(source, Spelling::raw, length);
    const ByteAutomaton least = span_automaton(source, Spelling::json, {.min = length.min});
    for (const std::string& text : texts) {
      for (int i = 0; i < 40; ++i) {
        const std::string value = random_value(text, random);
        INFO(json_quote(text) << " | " << json_quote(value) << " " << length.min);
        const std::int64_t count = characters_in(value);
        const bool is_span = is_held(texts, value);
        REQUIRE(spans.matches(value) == (is_span && count >= length.min && count <= length.max));
        const std::string quoted = json_quote(value);
        REQUIRE(least.matches(quoted.substr(1, quoted.size() - 2)) ==
                (is_span && count >= length.min));
      }
    }
  }
}

TEST_CASE("words may be left out between words", "[base]") {
  const ByteAutomaton key_words =
      span_automaton(source_of({"What are the opening hours of the (new) library?"}),
                     Spelling::raw,
                     {.skipped_max = 4});
  for (const char* taken : {"opening hours library",
                            "What opening hours",
                            "opening new library",
                            "the opening hours of the (new) library?"}) {
    INFO(taken);
    CHECK(key_words.matches(taken));
  }
  for (const char* other : {"hours opening", "opening hour", "What library", "opening  library"}) {
    INFO(other);
    CHECK_FALSE(key_words.matches(other));
  }
  std::mt19937 random(99);
  for (int round = 0; round < 300; ++round) {
    const Texts texts = {random_text(random), random_text(random)};
    const int skipped_max = static_cast<int>(random() % 4);
    const ByteAutomaton words =
        span_automaton(source_of(texts), Spelling::raw, {.skipped_max = skipped_max});
    for (const std::string& text : texts) {
      for (int i = 0; i < 40; ++i) {
        std::string value = random_value(text, random);
        if (random() % 2 == 0) value += " " + random_value(text, random);
        INFO(dump_json(texts) << " | " << json_quote(value) << " " << skipped_max);
        const bool is_taken = std::any_of(texts.begin(), texts.end(), [&](const auto& one) {
          return skipped_max == 0 ? SpanRef::holds(one, value)
                                  : SpanRef::holds_words(one, value, skipped_max);
        });
        REQUIRE(words.matches(value) == is_taken);
      }
    }
  }
}

TEST_CASE("states grow with the text, however often it repeats itself", "[base]") {
  std::string words;
  std::string repeated;
  for (int i = 0; i < 2000; ++i) {
    words += "word" + std::to_string(i * 7919 % 1999) + " ";
    repeated += "ha ";
  }
  for (const std::string& text : {words, repeated}) {
    const CopySource source = source_of({text});
    const ByteAutomaton spans = span_automaton(source, Spelling::raw);
    const ByteAutomaton key_words =
        span_automaton(source, Spelling::raw, {.skipped_max = kSkippedWordsMax});
    CHECK(key_words.states.size() < kSpanStatesMax / 2);
    std::size_t bytes = 0;
    for (const CopyText& one : source.texts()) bytes += one.text.size();
    CHECK(spans.states.size() <= 2 * bytes);
    CHECK(spans.matches(text));
    CHECK(spans.matches(text.substr(0, text.size() - 1)));
    CHECK_FALSE(spans.matches(text + "ha"));
    for (std::size_t i = 0; i < spans.states.size(); ++i) {
      for (const auto& edge : spans.states[i].edges) {
        REQUIRE(static_cast<std::size_t>(edge.to) > i);  // Compiled in one pass.
      }
    }
  }
}

TEST_CASE("numbers stand in texts in many forms", "[base]") {
  const auto [text, numbers] = GENERATE(table<const char*, Texts>({
      {"", {}},
      {"nothing", {}},
      {"20km, 25% and 3.5", {"20", "25", "3.5"}},
      {"1,200 or 1,200,000.50", {"1200", "1200000.50"}},
      {"1,2,3 and 12,34", {"1", "2", "3", "12", "34"}},
      {"from -5 to 10-12", {"-5", "10", "12"}},
      {"\u22125 (-2) x=-3 -0", {"-5", "-2", "-3", "0"}},
      {"19.08 or 19.08.2027", {"19.08", "19", "8", "2027"}},
      {"2027-05-12 at 10:30", {"2027", "5", "12", "10", "30"}},
      {".5 of 007.", {"0.5", "7"}},
      {"struct-4.html XB6886 v2 _3", {"4"}},
      {"EZ-099, UAA-652-7 and 3A-12", {"3"}},
      {"mid-2020, iPad-5, -8 A -9, 5-6", {"2020", "5", "-8", "-9", "5", "6"}},
      {"\u20AC5, #12, 3rd", {"5", "12", "3"}},
      {"1234567890123456789 123456789012345678", {"123456789012345678"}},
  }));
  INFO(text);
  Texts found;
  for (const FoundNumber& one : numbers_in(text)) {
    found.push_back(one.number);
    const std::string digits = std::string(text).substr(one.begin, one.end - one.begin);
    CHECK(digits.find_first_not_of("0123456789.,") == digits.npos);
    CHECK(one.begin < one.end);
  }
  CHECK(found == numbers);
}

TEST_CASE("results give their leaves", "[base]") {
  CopySource source;
  source.add_text("Say 7");
  source.add_result(R"({"a":["two words",{"b":-2.5}],"c":4711,"d":true,"e":null,"f":"7"})");
  source.add_result("not JSON 8");
  CHECK(source.numbers() == Texts{"7", "-2.5", "4711", "8"});
  const ByteAutomaton spans = span_automaton(source, Spelling::raw);
  for (const char* span : {"two words", "two", "-2.5", "4711", "not JSON"})
    CHECK(spans.matches(span));
  for (const char* other : {"a", "true", "null", "words 4711", "47"})
    CHECK_FALSE(spans.matches(other));
  CHECK(span_automaton(CopySource(), Spelling::raw).states.empty());
  CopySource empty;
  empty.add_text(" \n");
  CHECK(empty.texts().empty());
  empty.add_text(
      "a\xFF"
      "b");
  CHECK(span_automaton(empty, Spelling::raw)
            .matches("a\uFFFD"
                     "b"));
}

TEST_CASE("a long passage that stands twice goes on as in either place", "[base]") {
  std::string passage;
  for (int i = 0; i < 300; ++i) passage += "w" + std::to_string(i) + " ";
  const ByteAutomaton spans =
      span_automaton(source_of({passage + "one", passage + "two"}), Spelling::raw);
  CHECK(spans.matches(passage + "one"));
  CHECK(spans.matches(passage + "two"));
  CHECK_FALSE(spans.matches("w298 w299 on"));
  CHECK(spans.matches("w299 one"));
}
