#include "tools/builtin/search_documents.h"

#include "base/json.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace {

using facet::Code;
using facet::Error;
using facet::Result;
using facet::tools::FoundPassage;
using Json = nlohmann::ordered_json;

/// Returns what it was made with, and remembers what it was asked.
class FakeSearch final : public facet::tools::DocumentSearch {
 public:
  explicit FakeSearch(Result<std::vector<FoundPassage>> found) : found_(std::move(found)) {}
  Result<std::vector<FoundPassage>> search(std::string_view query, std::size_t top_k) override {
    query_ = query;
    top_k_ = top_k;
    return found_;
  }
  std::string query_;
  std::size_t top_k_ = 0;

 private:
  Result<std::vector<FoundPassage>> found_;
};

}  // namespace

TEST_CASE("search_documents has one parameter and gives passages", "[tools][unit]") {
  const auto search = std::make_shared<FakeSearch>(
      std::vector<FoundPassage>{{.id = 1, .source = "travel.md", .text = "A \"day\"."},
                                {.id = 2, .source = "b.md", .text = "B"}});
  const auto tool = facet::tools::make_search_documents(search, {.top_k = 7});
  CHECK(Json::parse(tool->spec().parameters)["properties"].size() == 1);
  const auto result = tool->call({{"query", "per diem"}}, {});
  REQUIRE(result.has_value());
  CHECK(facet::dump_json(*result) ==
        R"({"passages":[{"id":1,"source":"travel.md","text":"A \"day\"."},)"
        R"({"id":2,"source":"b.md","text":"B"}]})");
  CHECK(search->query_ == "per diem");
  CHECK(search->top_k_ == 7);
}

TEST_CASE("no passage is an empty list, a failure is an error", "[tools][unit]") {
  const auto none = facet::tools::make_search_documents(
      std::make_shared<FakeSearch>(std::vector<FoundPassage>{}));
  CHECK(facet::dump_json(*none->call({{"query", "x"}}, {})) == R"({"passages":[]})");
  const auto broken = facet::tools::make_search_documents(
      std::make_shared<FakeSearch>(Error{Code::unavailable, "the store is locked"}));
  CHECK(broken->call({{"query", "x"}}, {}).error().message == "the store is locked");
  CHECK(none->call({{"query", std::string(3000, 'x')}}, {}).error().code == Code::limit_exceeded);
}

TEST_CASE("passages are left out or cut to fit the output limit", "[tools][unit]") {
  const std::string long_text(400, 'x');
  const auto tool = facet::tools::make_search_documents(std::make_shared<FakeSearch>(
      std::vector<FoundPassage>{{.id = 1, .source = "a", .text = long_text},
                                {.id = 2, .source = "b", .text = long_text}}));
  const auto one = tool->call({{"query", "x"}}, {.output_bytes_max = 600});
  REQUIRE(one.has_value());
  CHECK((*one)["passages"].size() == 1);
  CHECK((*one)["passages"][0]["text"] == long_text);
  const auto piece = tool->call({{"query", "x"}}, {.output_bytes_max = 200});
  REQUIRE(piece.has_value());
  CHECK((*piece)["passages"].size() == 1);
  CHECK((*piece)["passages"][0]["text"] == std::string(100, 'x'));
  CHECK(facet::dump_json(*piece).size() <= 200);
}
