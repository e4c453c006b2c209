// Lists in a request, beside all rows of its words cut at what stands between items.
#include "agent/said_values.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace facet;
using namespace facet::agent;

namespace {

using Lists = std::vector<std::vector<std::string>>;

Lists lists_of(const std::string& text, bool numbers = false) {
  const auto words = slot_words(text);
  Lists out;
  for (const WordList& list : lists_in(text, words, numbers)) {
    auto& items = out.emplace_back();
    for (const WordRun& item : list) {
      const std::size_t begin = words[item.first].begin;
      items.push_back(text.substr(begin, words[item.last].end - begin));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool is_joint(const std::string& word) {
  return word == "and" || word == "or";
}

/// All rows of `words`, of which some end with a comma, that are two items or more.
Lists all_lists(const std::vector<std::string>& words) {
  Lists out;
  for (std::size_t begin = 0; begin < words.size(); ++begin) {
    for (std::size_t end = begin + 2; end <= words.size(); ++end) {
      std::vector<std::vector<std::string>> items(1);
      for (std::size_t i = begin; i < end; ++i) {
        const bool ends_with_comma = words[i].ends_with(',');
        const bool is_last = i + 1 == end;
        if (is_joint(words[i])) {
          // Behind a comma the item is over as it is.
          if (i == begin || !words[i - 1].ends_with(',')) items.emplace_back();
          if (is_last) items.emplace_back();
          continue;
        }
        items.back().push_back(ends_with_comma ? words[i].substr(0, words[i].size() - 1)
                                               : words[i]);
        if (ends_with_comma && !is_last) items.emplace_back();
      }
      const bool fits = std::all_of(items.begin(), items.end(), [](const auto& item) {
        return !item.empty() && item.size() <= kListItemWordsMax;
      });
      if (!fits || items.size() < 2) continue;
      auto& list = out.emplace_back();
      for (const auto& item : items) {
        std::string& text = list.emplace_back();
        for (const std::string& word : item) text += (text.empty() ? "" : " ") + word;
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

TEST_CASE("lists have commas, and, or or between their items", "[agent]") {
  CHECK(lists_of("pack milk, eggs") == Lists{{"milk", "eggs"}, {"pack milk", "eggs"}});
  const Lists found = lists_of("pack milk, rye bread, and eggs");
  CHECK(std::count(found.begin(), found.end(), Lists::value_type{"milk", "rye bread", "eggs"}) ==
        1);
  CHECK(found == lists_of("pack milk, rye bread and eggs"));
  CHECK(lists_of("pack milk").empty());
  CHECK(lists_of("").empty());
  CHECK(lists_of("and, or").empty());
}

TEST_CASE("lists are all rows of words that can be cut into items", "[agent]") {
  std::mt19937 random(5);
  const std::vector<std::string> kinds = {"a", "b", "c", "d,", "e,", "and", "or"};
  std::size_t count = 0;
  for (int n = 0; n < 2000; ++n) {
    std::vector<std::string> words;
    std::string text;
    for (std::size_t i = 1 + random() % 9; i > 0; --i) {
      words.push_back(kinds[random() % kinds.size()]);
      text += (text.empty() ? "" : " ") + words.back();
    }
    INFO(text);
    const Lists found = lists_of(text);
    CHECK(found == all_lists(words));
    count += found.size();
  }
  CHECK(count > 2000);
}

TEST_CASE("lists of numbers have one number in a word", "[agent]") {
  CHECK(lists_of("under 830 euros with 190, 61 and 48", true) ==
        Lists{{"190"}, {"190", "61"}, {"190", "61", "48"}, {"48"}, {"61"}, {"61", "48"}, {"830"}});
  CHECK(lists_of("milk, eggs and XB12", true).empty());
  CHECK(lists_of("1,200, 7kg", true) == Lists{{"1,200"}, {"1,200", "7kg"}, {"7kg"}});
}

TEST_CASE("a long list is cut", "[agent]") {
  std::string text = "1";
  for (std::size_t i = 0; i < 40; ++i) text += ", 1";
  std::size_t longest = 0;
  for (const auto& list : lists_of(text, true)) longest = std::max(longest, list.size());
  CHECK(longest == kListItemsMax);
}

TEST_CASE("a value stands where its words do", "[agent]") {
  const auto words = slot_words("Book a round trip, round trips cost less");
  CHECK(said_in(words, "round_trip") == std::vector<WordRun>{{2, 3}, {4, 5}});
  CHECK(said_in(words, "roundTrip").size() == 2);
  CHECK(said_in(words, "trip round") == std::vector<WordRun>{{3, 4}});
  CHECK(said_in(words, "one way").empty());
  CHECK(said_in(words, "").empty());
  CHECK(said_in({}, "round").empty());
}
