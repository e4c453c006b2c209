// A whole engine with a vision tower: files in, a picture, text out.

#include "engine/engine.h"
#include "engine/vision/encoder.h"
#include "engine/vision/image.h"
#include "engine/vision/soft_tokens.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_multimodal.h"

#include <algorithm>

namespace facet::engine {
namespace {

using test::gradient;

std::shared_ptr<Engine> load(const EngineOptions& options) {
  auto engine = Engine::load(options);
  if (!engine) FAIL(engine.error().message);
  return *engine;
}

std::vector<TokenId> prompt_with(const SoftTokens& image) {
  std::vector<TokenId> ids{2, 210};
  ids.insert(ids.end(), image.ids.begin(), image.ids.end());
  ids.push_back(220);
  return ids;
}

}  // namespace

TEST_CASE("a folder and a GGUF with its mmproj read the same picture alike",
          "[engine][vision][unit]") {
  const test::TempDir folder;
  const test::TinyModel model;
  test::write_tiny_multimodal_folder(folder.path() / "folder", model);
  test::write_tiny_gguf(folder.path() / "text.gguf", model);
  test::write_bytes(folder.path() / "mmproj.gguf",
                    test::vision_gguf(test::tiny_vision_config(model)).bytes());
  const auto one = load({.model = folder.path() / "folder", .threads = 2});
  const auto two = load({.model = folder.path() / "text.gguf",
                         .vision = folder.path() / "mmproj.gguf",
                         .threads = 1});
  CHECK(one->info().image_tokens == 9);
  CHECK(two->info().image_tokens == 9);
  const Image picture = gradient(50, 30);
  const auto a = one->encode_image(picture);
  const auto b = two->encode_image(picture);
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK((*a)->count == 9);
  CHECK((*a)->values == (*b)->values);
  CHECK((*a)->ids == (*b)->ids);
  Sequence first = one->new_sequence();
  Sequence second = two->new_sequence();
  REQUIRE(first.append(prompt_with(**a), {.images = std::vector{*a}}).has_value());
  REQUIRE(second.append(prompt_with(**b), {.images = std::vector{*b}}).has_value());
  CHECK(std::equal(first.logits().value().begin(),
                   first.logits().value().end(),
                   second.logits().value().begin()));
  const auto generated = one->generate(first, {.tokens_max = 5, .sampling = {.temperature = 0.0F}});
  REQUIRE(generated.has_value());
  CHECK(generated->ids.size() == 5);
  // What went through is the picture: another one changes the logits.
  const auto other = one->encode_image(gradient(30, 50));
  REQUIRE(other.has_value());
  Sequence third = one->new_sequence();
  REQUIRE(third.append(prompt_with(**other), {.images = std::vector{*other}}).has_value());
  CHECK_FALSE(std::equal(second.logits().value().begin(),
                         second.logits().value().end(),
                         third.logits().value().begin()));
}

TEST_CASE("append_scored gives a row for every position of a picture", "[engine][vision][unit]") {
  const test::TempDir folder;
  test::write_tiny_multimodal_folder(folder.path(), {});
  const auto engine = load({.model = folder.path(), .threads = 1});
  const auto image = engine->encode_image(gradient(50, 30));
  REQUIRE(image.has_value());
  const std::vector<TokenId> ids = prompt_with(**image);
  Sequence plain = engine->new_sequence();
  REQUIRE(plain.append(ids, {.images = std::vector{*image}}).has_value());
  Sequence scored = engine->new_sequence();
  std::vector<std::vector<float>> rows;
  const LogitsSink sink = [&](std::span<const float> logits) {
    rows.emplace_back(logits.begin(), logits.end());
    return ok();
  };
  REQUIRE(scored.append_scored(ids, {.images = std::vector{*image}}, sink).has_value());
  REQUIRE(rows.size() == ids.size());
  CHECK(std::equal(
      plain.logits().value().begin(), plain.logits().value().end(), rows.back().begin()));
  CHECK(rows[2] != rows[3]);
  CHECK(scored.computed_tokens() == static_cast<std::int64_t>(ids.size()));
  // The sequence knows its picture: it can be left, and the logits at its end come back.
  REQUIRE(scored.rewind(2 + 9).has_value());
  const auto at_end = scored.logits().value();
  CHECK(std::equal(at_end.begin(), at_end.end(), rows[2 + 9 - 1].begin()));
  CHECK(scored.append_scored(ids, AppendOptions{}, sink).error().code == Code::invalid_argument);
}

TEST_CASE("a text-only model refuses pictures by name", "[engine][vision][unit]") {
  const test::TempDir folder;
  test::write_tiny_gguf(folder.path() / "text.gguf", {});
  const auto engine = load({.model = folder.path() / "text.gguf", .threads = 1});
  CHECK(engine->info().image_tokens == 0);
  const auto tokens = engine->encode_image(gradient(4, 4));
  REQUIRE(!tokens);
  CHECK(tokens.error().code == Code::unsupported);
  CHECK(tokens.error().message.find("reads text only") != std::string::npos);
}

TEST_CASE("a tower for another model, or none, is refused at load", "[engine][vision][unit]") {
  const test::TempDir folder;
  test::write_tiny_gguf(folder.path() / "text.gguf", {});
  const auto mmproj = folder.path() / "mmproj.gguf";
  test::write_bytes(mmproj, test::vision_gguf(test::formula_vision_config()).bytes());
  const auto wide = Engine::load({.model = folder.path() / "text.gguf", .vision = mmproj});
  REQUIRE(!wide);
  CHECK(wide.error().code == Code::invalid_data);
  CHECK(wide.error().message.find("width 128, the model has 64") != std::string::npos);
  const auto text = folder.path() / "text.gguf";
  const auto same = Engine::load({.model = text, .vision = text});
  REQUIRE(!same);
  CHECK(same.error().code == Code::unsupported);
  const auto missing = Engine::load({.model = text, .vision = folder.path() / "none.gguf"});
  REQUIRE(!missing);
  CHECK(missing.error().code == Code::not_found);
}

TEST_CASE("a picture's chunk counts in the memory that rings may take", "[engine][vision][unit]") {
  const test::TempDir folder;
  test::write_tiny_multimodal_folder(folder.path(), {});
  const auto small = load({.model = folder.path(), .threads = 1, .prefill_chunk_tokens = 1});
  const auto nine = load({.model = folder.path(), .threads = 1, .prefill_chunk_tokens = 9});
  CHECK(small->info().kv_bytes_fixed == nine->info().kv_bytes_fixed);
}

}  // namespace facet::engine
