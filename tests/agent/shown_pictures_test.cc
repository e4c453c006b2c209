// What a journal keeps of pictures, on tiny random weights.
#include "agent/shown_pictures.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_multimodal.h"
#include "tests/support/tiny_png.h"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

struct Fixture {
  TempDir folder;
  std::shared_ptr<engine::Engine> engine;
  std::string path = (folder.path() / "a.png").string();

  Fixture() {
    write_tiny_multimodal_folder(folder.path() / "model", {});
    auto loaded = engine::Engine::load({.model = folder.path() / "model", .threads = 1});
    REQUIRE(loaded);
    engine = *std::move(loaded);
    write_bytes(path, tiny_png(255, 0, 0));
  }
};

}  // namespace

TEST_CASE("recorded pictures are read again and are the same", "[agent][vision]") {
  const Fixture fixture;
  const auto shown = read_shown_picture(*fixture.engine, fixture.path, false);
  INFO((shown ? "" : shown.error().message));
  REQUIRE(shown);
  CHECK(std::filesystem::path(shown->path).is_absolute());
  CHECK(shown->marks.size() == 4);
  const std::vector<ShownPicture> pictures{*shown, *shown};
  const auto again = read_shown_again(*fixture.engine, shown_pictures_json(pictures));
  REQUIRE(again);
  REQUIRE(again->size() == 2);
  CHECK((*again)[1].marks == shown->marks);
  CHECK((*again)[1].picture.images[0]->ids == shown->picture.images[0]->ids);
  CHECK(pictures_of(*again).size() == 2);
}

TEST_CASE("a recorded picture whose file is another by now is refused by name", "[agent][vision]") {
  const Fixture fixture;
  const auto shown = read_shown_picture(*fixture.engine, fixture.path, false);
  REQUIRE(shown);
  const auto record = shown_pictures_json({&*shown, 1});
  write_bytes(fixture.path, tiny_png(0, 0, 255));
  const auto changed = read_shown_again(*fixture.engine, record);
  REQUIRE_FALSE(changed);
  CHECK(changed.error().code == Code::invalid_argument);
  CHECK_THAT(changed.error().message, Catch::Contains("a.png: it is not the picture"));
  std::filesystem::remove(fixture.path);
  const auto gone = read_shown_again(*fixture.engine, record);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Code::not_found);
}

TEST_CASE("a record of pictures in another form is refused", "[agent][unit]") {
  const Fixture fixture;
  using Json = nlohmann::ordered_json;
  for (const Json& json : {Json(7), Json::array({7}), Json::array({{{"path", "a"}}})}) {
    const auto refused = read_shown_again(*fixture.engine, json);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_data);
  }
}
