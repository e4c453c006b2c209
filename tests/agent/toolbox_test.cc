// The rooms together, on a scripted model: a real store, real tools, citations that resolve.
#include "agent/toolbox.h"

#include "agent/document_search.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"
#include "tools/executor.h"

#include <fstream>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;
namespace fs = std::filesystem;

namespace {

class ByteCounter final : public retrieval::TokenCounter {
 public:
  [[nodiscard]] std::int64_t count(std::string_view text) const override {
    return static_cast<std::int64_t>(text.size());
  }
};

/// A store of two documents, searched by words.
struct Documents {
  TempDir dir;
  fs::path store_path = dir.path() / "store";

  Documents() {
    fs::create_directories(dir.path() / "docs");
    std::ofstream(dir.path() / "docs" / "travel.md")
        << "# Travel\n\nTrips above 2,000 EUR are approved by the finance director.\n";
    std::ofstream(dir.path() / "docs" / "bikes.md")
        << "# Bicycles\n\nBicycles are parked in the cellar of the director.\n";
    const auto store = open();
    const std::vector<fs::path> roots = {dir.path() / "docs"};
    const auto report = store->index(roots);
    REQUIRE(report);
    REQUIRE(report->added == 2);
  }
  [[nodiscard]] std::shared_ptr<retrieval::Store> open() const {
    auto store = retrieval::Store::open({.folder = store_path});
    REQUIRE(store);
    return *std::move(store);
  }
};

std::shared_ptr<const engine::Tokenizer> tiny_tokenizer() {
  const auto tokenizer = engine::Tokenizer::create(tiny_vocabulary());
  REQUIRE(tokenizer);
  return *tokenizer;
}

}  // namespace

TEST_CASE("passages of a second search go on counting", "[agent]") {
  const Documents documents;
  const auto store = documents.open();
  const auto book = std::make_shared<PassageBook>();
  StoreSearch search(store, std::make_shared<ByteCounter>(), book);
  const auto first = search.search("finance director", 2);
  REQUIRE(first);
  REQUIRE(first->size() == 2);
  CHECK((*first)[0].id == 1);
  CHECK((*first)[0].source == "travel.md");
  const auto second = search.search("bicycles", 1);
  REQUIRE(second);
  REQUIRE(second->size() == 1);
  CHECK((*second)[0].id == 3);
  CHECK(book->find(3)->passage.document == "bikes.md");
}

TEST_CASE("passages are packed into the room that is left", "[agent]") {
  const Documents documents;
  const auto store = documents.open();
  const auto book = std::make_shared<PassageBook>();
  StoreSearch search(store, std::make_shared<ByteCounter>(), book);
  book->set_room_tokens(150);
  const auto one = search.search("finance director", 2);
  REQUIRE(one);
  CHECK(one->size() == 1);
  book->set_room_tokens(10);
  const auto none = search.search("finance director", 2);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::limit_exceeded);
}

TEST_CASE("a toolbox offers what its options allow", "[agent]") {
  const Documents documents;
  const auto tokenizer = tiny_tokenizer();
  const auto names = [&](const ToolboxOptions& options) {
    const auto toolbox = Toolbox::open(options, tokenizer);
    REQUIRE(toolbox);
    const auto registry = (*toolbox)->make_registry(std::make_shared<PassageBook>());
    REQUIRE(registry);
    std::vector<std::string> out;
    for (const ToolSpec& spec : registry->specs()) out.push_back(spec.name);
    return out;
  };
  using Strings = std::vector<std::string>;
  CHECK(names({}) == Strings{"calculator", "current_time"});
  CHECK(names({.store = documents.store_path, .only = {"search_documents"}}) ==
        Strings{"search_documents"});
  CHECK(names({.workspace = documents.dir.path() / "docs"}) ==
        Strings{"calculator", "current_time", "list_files", "read_file"});
  const auto unknown = Toolbox::open({.only = {"search_documents"}}, tokenizer);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::not_found);
  CHECK_FALSE(Toolbox::open({.workspace = "/no/such/folder"}, tokenizer));
  CHECK_FALSE(Toolbox::open({.plugins = {"/no/such.so"}}, tokenizer));
}

TEST_CASE("a search may end behind the session and the toolbox that began it", "[agent]") {
  const Documents documents;
  const auto book = std::make_shared<PassageBook>();
  tools::Registry registry;
  {
    auto toolbox = Toolbox::open({.store = documents.store_path}, tiny_tokenizer());
    REQUIRE(toolbox);
    auto made = (*toolbox)->make_registry(book);
    REQUIRE(made);
    registry = *std::move(made);
  }
  const std::vector<ToolCall> calls = {
      {.id = "call_1", .name = "search_documents", .arguments = R"({"query":"finance director"})"}};
  const auto outcomes = tools::Executor().run(registry, calls);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].kind == tools::CallOutcome::Kind::ok);
  CHECK(book->size() > 0);
}

TEST_CASE("an answer from documents cites the place it came from", "[agent]") {
  const Documents documents;
  const auto tokenizer = tiny_tokenizer();
  const auto toolbox = Toolbox::open({.store = documents.store_path}, tokenizer);
  REQUIRE(toolbox);
  const std::string escape = "<escape>";
  SessionFixture fixture(
      {"Plan: search_documents, calculator.\n<start_function_call>call:search_documents{query:" +
           escape + "who approves trips" + escape + "}<end_function_call>" + kWait,
       "<start_function_call>call:calculator{expression:" + escape + "4 * 140" + escape +
           "}<end_function_call>" + kWait,
       "4 * 140 = 560. Trips above 2,000 EUR are approved by the finance director. [1]" + kEnd});
  auto registry = (*toolbox)->make_registry(
      std::shared_ptr<PassageBook>(std::shared_ptr<PassageBook>(), &fixture.passages));
  REQUIRE(registry);
  fixture.registry = *std::move(registry);
  const RunResult result = fixture.run("Who approves trips?");
  CHECK(result.finish == RunFinish::answered);
  REQUIRE(result.calls.size() == 2);
  CHECK(result.calls[1].output.content == R"({"result":560})");
  REQUIRE(result.citations.size() == 1);
  REQUIRE(result.citations[0].is_resolved());
  const retrieval::Passage& passage = *result.citations[0].passage;
  CHECK(passage.document == "travel.md");
  const auto excerpt = documents.open()->excerpt("travel.md", passage.byte_begin, passage.byte_end);
  REQUIRE(excerpt);
  CHECK_THAT(*excerpt, Catch::Contains("finance director"));
}
