// Where values stand in a conversation, beside its definition tried out.
#include "base/grammar/copy_places.h"

#include "tests/support/catch.h"
#include "tests/support/copied_ref.h"

#include <algorithm>
#include <random>

using namespace facet;
using namespace facet::grammar;
using namespace facet::test;
using Texts = std::vector<std::string>;

namespace {

/// What stands at `places`.
Texts shown(const CopySource& source, const std::vector<CopyPlace>& places) {
  Texts out;
  for (const CopyPlace& place : places) {
    out.push_back(source.texts()[place.text].text.substr(place.begin, place.end - place.begin));
  }
  return out;
}

}  // namespace

TEST_CASE("words stand where a span of them does", "[base]") {
  const CopySource source = source_of(
      {"Fly from Rome to\n New York, not to York.", "Rome (again), O'Brien's Rome-antic"});
  const auto count = [&](std::string_view words) { return places_of(source, words).size(); };
  CHECK(count("Rome") == 2);  // Not in Rome-antic.
  CHECK(count("York") == 2);
  CHECK(count("New York") == 1);
  CHECK(count("New  \n York") == 1);
  CHECK(count("to New York") == 1);  // Of the two forms of the text, one counts.
  CHECK(count("O'Brien") == 1);
  CHECK(count("Ne") == 0);
  CHECK(count("from York") == 0);  // Words left out between them.
  CHECK(count("") == 0);
  CHECK(shown(source, places_of(source, "York")) == Texts{"York", "York"});
}

TEST_CASE("numbers stand where their digits do", "[base]") {
  CopySource source = source_of({"1,200 kg for -5 or 19.08.2027 and .5, XB5", "5.0 of 5"});
  source.add_result(R"({"left":1200,"share":0.50})");
  CHECK(shown(source, places_of(source, 1200)) == Texts{"1,200", "1200"});
  CHECK(shown(source, places_of(source, -5)) == Texts{"5"});
  CHECK(shown(source, places_of(source, 5)) == Texts{"5.0", "5"});
  CHECK(shown(source, places_of(source, 8)) == Texts{"08"});
  CHECK(shown(source, places_of(source, 0.5)) == Texts{"5", "0.5"});
  CHECK(places_of(source, 7).empty());
  // A number and the same digits as words are at one place.
  CHECK(places_of(source, "1,200") == std::vector<CopyPlace>{places_of(source, 1200).front()});
}

TEST_CASE("what is taken away cannot be copied", "[base]") {
  const CopySource source = source_of({"from  Rome to Bonn on 3 May", "Rome", "3 days"});
  const CopySource rest = without(source, places_of(source, "Rome"));
  Texts left;
  for (const CopyText& text : rest.texts()) {
    if (!text.is_respaced) left.push_back(text.text);
  }
  CHECK(left == Texts{"from", "to Bonn on 3 May", "3 days"});
  CHECK(rest.numbers() == Texts{"3"});
  CHECK(without(rest, places_of(rest, 3)).numbers().empty());
  CHECK(without(source, {}).texts().size() == 3);
}

TEST_CASE("places of random spans are all there are", "[base]") {
  static const Texts kPieces = {"a", "b", "ab", "Ann", "'s", "(", ")", ",", "-", ":", "1", "20"};
  std::mt19937 random(20261123);
  int repeated = 0;
  for (int round = 0; round < 400; ++round) {
    std::string text;
    for (auto left = 1 + random() % 16; left > 0; --left) {
      text += random() % 3 == 0 ? " " : kPieces[random() % kPieces.size()];
    }
    const CopySource source = source_of({text});
    const std::string spaced = SpanRef::single_spaced(text);
    if (spaced.empty()) continue;
    const SpanRef reference(spaced);
    for (const std::string& span : reference.all()) {
      if (SpanRef::single_spaced(span) != span) continue;
      const auto all = reference.all();
      const auto places = places_of(source, span);
      INFO(text << " | " << span);
      CHECK(std::ssize(places) == std::count(all.begin(), all.end(), span));
      CHECK(shown(source, places) == Texts(places.size(), span));
      repeated += places.size() > 1 ? 1 : 0;
      const CopySource rest = without(source, {places.front()});
      const CopySource pieces =
          source_of({spaced.substr(0, places.front().begin), spaced.substr(places.front().end)});
      REQUIRE(rest.texts().size() == pieces.texts().size());
      for (std::size_t i = 0; i < rest.texts().size(); ++i) {
        CHECK(rest.texts()[i].text == pieces.texts()[i].text);
      }
    }
  }
  CHECK(repeated > 20);
}
