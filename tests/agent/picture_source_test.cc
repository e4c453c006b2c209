// Pictures of search results: from the store's files into the prompt, on tiny random weights and on
// a scripted model.
#include "agent/picture_source.h"

#include "agent/document_search.h"
#include "base/json.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_multimodal.h"
#include "tests/support/tiny_png.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;
namespace fs = std::filesystem;

namespace {

/// A store of two pictures and a text, and a tiny model that sees.
struct Album {
  TempDir dir;
  fs::path cat = dir.path() / "docs" / "red-cat.png";
  std::shared_ptr<retrieval::Store> store;
  std::shared_ptr<engine::Engine> engine;

  Album() {
    fs::create_directories(dir.path() / "docs");
    write_bytes(cat, tiny_png(255, 0, 0));
    write_bytes(dir.path() / "docs" / "blue-dog.png", tiny_png(0, 0, 255));
    std::ofstream(dir.path() / "docs" / "cats.md") << "# Cats\n\nA cat sleeps in the cellar.\n";
    auto opened = retrieval::Store::open({.folder = dir.path() / "store"});
    REQUIRE(opened);
    store = *std::move(opened);
    const std::vector<fs::path> roots = {dir.path() / "docs"};
    const auto report = store->index(roots);
    REQUIRE(report);
    REQUIRE(report->added == 3);
    write_tiny_multimodal_folder(dir.path() / "model", {});
    auto loaded = engine::Engine::load({.model = dir.path() / "model", .threads = 1});
    REQUIRE(loaded);
    engine = *std::move(loaded);
  }
  [[nodiscard]] retrieval::Passage find(const std::string& words) const {
    const auto passages = store->search(words, {.top_k = 1});
    REQUIRE(passages);
    REQUIRE(passages->size() == 1);
    return passages->front();
  }
};

/// Gives the picture of any passage of a .png; counts, and fails by name where it is told to.
class FakeSource final : public PictureSource {
 public:
  [[nodiscard]] bool is_picture(const retrieval::Passage& passage) const override {
    return passage.document.ends_with(".png");
  }
  Result<ShownPicture> read(const retrieval::Passage& passage) override {
    ++reads;
    if (passage.document == broken) return Error{Code::invalid_data, broken + ": it has changed"};
    Picture picture;
    picture.images.push_back(engine::make_soft_tokens(std::vector<float>(3, 1.0F), 1));
    return make_shown_picture(passage.document, false, std::move(picture));
  }
  Result<std::vector<ShownPicture>> read_again(const nlohmann::ordered_json& json) override {
    ++reads_again;
    if (!is_same) return Error{Code::invalid_argument, "it is not the picture"};
    return std::vector<ShownPicture>(json.size());
  }

  int reads = 0;
  int reads_again = 0;
  bool is_same = true;
  std::string broken;
};

/// A scripted run whose one search finds two pictures and a text.
struct SearchRun : SessionFixture {
  FakeSource source;

  explicit SearchRun(bool takes_pictures)
      : SessionFixture({call("search_documents", 1) + kWait, "A cat." + kEnd},
                       {.takes_result_pictures = takes_pictures}) {
    add("search_documents", [this](const Json&) -> Result<Json> {
      std::vector<retrieval::Passage> found(3);
      found[0].document = "cat.png";
      found[1].document = "cats.md";
      found[2].document = "dog.png";
      Json list = Json::array();
      for (const auto& entry : passages.add(found)) list.push_back({{"id", entry.id}});
      return Json{{"passages", std::move(list)}};
    });
  }
  std::unique_ptr<Session> open_with_pictures() {
    auto session = Session::open({.model = model.get(),
                                  .registry = &registry,
                                  .executor = &executor,
                                  .clock = &clock,
                                  .passages = &passages,
                                  .journal = journal,
                                  .pictures = &source},
                                 options);
    REQUIRE(session);
    return *std::move(session);
  }
  [[nodiscard]] Json given() const {
    return *parse_json(model->transcript().tool_outputs.at(0).at(0).content, "output");
  }
};

}  // namespace

TEST_CASE("a passage of a picture gives the picture of its file", "[agent][vision]") {
  const Album album;
  StorePictures source(album.engine.get(), album.store.get());
  const auto unknown = album.store->document_file("no-such.png");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::not_found);
  CHECK_FALSE(source.is_picture(album.find("sleeps in the cellar")));
  const retrieval::Passage passage = album.find("red cat picture");
  REQUIRE(passage.document == "red-cat.png");
  REQUIRE(source.is_picture(passage));
  const auto shown = source.read(passage);
  INFO((shown ? "" : shown.error().message));
  REQUIRE(shown);
  CHECK(shown->path == album.cat.string());
  const auto direct = read_shown_picture(*album.engine, album.cat.string(), false);
  REQUIRE(direct);
  CHECK(shown->marks == direct->marks);
  const auto kept = source.read(passage);
  REQUIRE(kept);
  CHECK(kept->picture.images == shown->picture.images);  // The same objects: encoded once.
  const auto dog = source.read(album.find("blue dog picture"));
  REQUIRE(dog);
  CHECK(dog->marks != shown->marks);
}

TEST_CASE("a picture's file that changed or went since it was indexed is not shown",
          "[agent][vision]") {
  const Album album;
  StorePictures source(album.engine.get(), album.store.get());
  const retrieval::Passage passage = album.find("red cat picture");
  REQUIRE(source.read(passage));
  write_bytes(album.cat, tiny_png(0, 255, 0));
  const auto changed = source.read(passage);
  REQUIRE_FALSE(changed);
  CHECK(changed.error().message ==
        "red-cat.png: it has changed since it was indexed (run facet index)");
  fs::remove(album.cat);
  const auto gone = source.read(passage);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Code::not_found);
}

TEST_CASE("pictures that a search finds are shown within the budget", "[agent][unit]") {
  SearchRun run(true);
  const RunResult result = run.open_with_pictures()->run("what is it", run.sink(), {});
  REQUIRE(result.finish == RunFinish::answered);
  CHECK(run.source.reads == 1);
  CHECK(run.model->transcript().pictures == 1);
  CHECK(result.calls.at(0).pictures.size() == 1);
  const Json pictures = run.given().at("pictures");
  REQUIRE(pictures.size() == 2);
  CHECK(pictures[0] == Json{{"passage", 1}, {"picture", 1}});
  CHECK(pictures[1].at("passage") == 3);
  CHECK_THAT(pictures[1].at("error").get<std::string>(), Catch::Contains("budget"));
  std::vector<bool> shown;
  for (const Event& event : run.events) {
    if (const auto* found = std::get_if<PictureFound>(&event)) {
      shown.push_back(found->not_shown.empty());
    }
  }
  CHECK(shown == std::vector<bool>{true, false});
}

TEST_CASE("a picture that cannot be read is a word to the model, not the end", "[agent][unit]") {
  SearchRun run(true);
  run.source.broken = "cat.png";
  const RunResult result = run.open_with_pictures()->run("what is it", run.sink(), {});
  REQUIRE(result.finish == RunFinish::answered);
  CHECK(run.source.reads == 2);
  CHECK(run.model->transcript().pictures == 1);
  const Json pictures = run.given().at("pictures");
  CHECK(pictures[0].at("error") == "cat.png: it has changed");
  CHECK(pictures[1] == Json{{"passage", 3}, {"picture", 1}});
}

TEST_CASE("a model that reads text only gets the words and nothing else", "[agent][unit]") {
  SearchRun run(false);
  const RunResult result = run.open_with_pictures()->run("what is it", run.sink(), {});
  REQUIRE(result.finish == RunFinish::answered);
  CHECK(run.source.reads == 0);
  CHECK_FALSE(run.given().contains("pictures"));
  CHECK(std::count_if(run.events.begin(), run.events.end(), [](const Event& event) {
          return std::holds_alternative<PictureFound>(event);
        }) == 2);
}

TEST_CASE("a budget of no pictures reads none", "[agent][unit]") {
  SearchRun run(true);
  run.options.result_pictures_max = 0;
  REQUIRE(run.open_with_pictures()->run("what is it", {}, {}).finish == RunFinish::answered);
  CHECK(run.source.reads == 0);
  CHECK(run.model->transcript().pictures == 0);
}

TEST_CASE("a resumed run shows the pictures it had shown, or says why not", "[agent]") {
  const TempDir dir;
  const auto journal = Journal::open(dir.path() / "j.sqlite");
  REQUIRE(journal);
  std::string run_id;
  {
    SearchRun run(true);
    run.journal = journal->get();
    run.options.budgets.steps_max = 1;
    const RunResult result = run.open_with_pictures()->run("what is it", {}, {});
    CHECK(result.finish == RunFinish::limit);
    run_id = result.run_id;
  }
  SearchRun changed(true);
  changed.journal = journal->get();
  changed.source.is_same = false;
  const auto refused = changed.open_with_pictures()->resume(run_id);
  REQUIRE(refused);
  CHECK(refused->finish == RunFinish::failed);
  CHECK_THAT(refused->error.message, Catch::Contains("it is not the picture"));
  SearchRun blind(false);
  blind.journal = journal->get();
  const auto unseen = blind.open_with_pictures()->resume(run_id);
  REQUIRE(unseen);
  CHECK(unseen->finish == RunFinish::failed);
  SearchRun again(true);
  again.journal = journal->get();
  const auto resumed = again.open_with_pictures()->resume(run_id);
  REQUIRE(resumed);
  CHECK(resumed->finish == RunFinish::answered);
  CHECK(again.source.reads == 0);
  CHECK(again.source.reads_again == 1);
  CHECK(again.model->transcript().pictures == 1);
}

TEST_CASE("a picture for which the context has no room is not shown", "[agent][unit]") {
  SearchRun run(true);
  ScriptedOptions small{.takes_result_pictures = true};
  // Room for the question, the call and the answer's reserve, not for any result.
  small.context_tokens_max = run.options.budgets.answer_tokens_reserved + 80;
  auto model =
      ScriptedChatModel::create({call("search_documents", 1) + kWait, "No." + kEnd}, small);
  REQUIRE(model);
  run.model = *std::move(model);
  const RunResult result = run.open_with_pictures()->run("?", run.sink(), {});
  CHECK(run.source.reads > 0);
  CHECK(run.model->transcript().pictures == 0);
  for (const CallRecord& record : result.calls) CHECK(record.pictures.empty());
}
