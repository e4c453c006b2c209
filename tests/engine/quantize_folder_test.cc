// Hugging Face folders written as GGUF files: the same model comes back, token for token and bit
// for bit where the type does not change.
#include "engine/engine.h"
#include "engine/model/gguf_export.h"
#include "engine/model/model.h"
#include "engine/model/quantize.h"
#include "engine/tokenizer/model_proto.h"
#include "tests/support/catch.h"
#include "tests/support/reference.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_multimodal.h"

#include <nlohmann/json.hpp>

#include <vector>

using namespace facet::engine;
using facet::test::TempDir;
using facet::test::TinyModel;

namespace {

std::shared_ptr<Engine> load(const std::filesystem::path& path) {
  auto engine = Engine::load({.model = path, .threads = 1});
  if (!engine) FAIL(engine.error().message);
  return *engine;
}

std::vector<float> logits_of(const Engine& engine) {
  std::vector<TokenId> ids;
  for (int i = 0; i < 27; ++i) ids.push_back(110 + 13 * i);
  Sequence sequence = engine.new_sequence();
  REQUIRE(sequence.append(ids).has_value());
  return {sequence.logits().value().begin(), sequence.logits().value().end()};
}

QuantizeCounts write(const std::filesystem::path& in,
                     const std::filesystem::path& out,
                     DType type) {
  const auto counts = quantize_model(in, out, type);
  if (!counts) FAIL(counts.error().message);
  return *counts;
}

void check_same_tokenizer(const Tokenizer& a, const Tokenizer& b) {
  REQUIRE(a.size() == b.size());
  CHECK(a.bos() == b.bos());
  CHECK(a.eos() == b.eos());
  CHECK(a.add_bos() == b.add_bos());
  CHECK(a.add_eos() == b.add_eos());
  for (TokenId id = 0; id < static_cast<TokenId>(a.size()); ++id) {
    INFO("token " << id << " " << a.token_text(id));
    REQUIRE(a.token_text(id) == b.token_text(id));
    REQUIRE(a.is_control(id) == b.is_control(id));
    REQUIRE(a.token_bytes(id) == b.token_bytes(id));
  }
  const std::string text = "the  end\n\n<h1> of <start_of_turn>\xC3\xA9";
  CHECK(a.encode(text) == b.encode(text));
  const std::vector<facet::Segment> control{{.kind = facet::Segment::Kind::control, .text = text}};
  CHECK(a.encode(control) == b.encode(control));
}

}  // namespace

TEST_CASE("a folder written in its own type gives the same bits", "[engine][quantize]") {
  const DType type = GENERATE(DType::f32, DType::bf16, DType::f16);
  const int global_every = GENERATE(3, 6);
  const TempDir dir;
  const TinyModel model{
      .layers = 7, .global_every = global_every, .rope_factor = 8.0, .type = type};
  facet::test::write_tiny_folder(dir.path() / "folder", model);
  const auto counts = write(dir.path() / "folder", dir.path() / "m.gguf", type);
  CHECK(counts.left_out == 0);
  // Norms in F32 already: nothing is in another type than it was.
  CHECK(counts.quantized == 0);
  CHECK(counts.kept == 2 + 13 * 7);
  const auto folder = load(dir.path() / "folder");
  const auto file = load(dir.path() / "m.gguf");
  CHECK(logits_of(*folder) == logits_of(*file));
  check_same_tokenizer(folder->tokenizer(), file->tokenizer());
  CHECK(file->info().name == "folder");
  CHECK(file->info().context_tokens_max == folder->info().context_tokens_max);
  const auto a = Model::load(dir.path() / "folder");
  const auto b = Model::load(dir.path() / "m.gguf");
  CHECK((*a)->config().stop_ids == (*b)->config().stop_ids);
  CHECK(check_export((*a)->config(), (*b)->config()).has_value());
}

TEST_CASE("a folder is quantized as its GGUF is", "[engine][quantize]") {
  const DType type = GENERATE(DType::q8_0, DType::q4_0, DType::f16, DType::bf16);
  const TempDir dir;
  facet::test::write_tiny_folder(dir.path() / "folder", {}, 3, "model.language_model.");
  write(dir.path() / "folder", dir.path() / "plain.gguf", DType::f32);
  const auto counts = write(dir.path() / "folder", dir.path() / "a.gguf", type);
  CHECK(counts.quantized == 22);
  write(dir.path() / "plain.gguf", dir.path() / "b.gguf", type);
  const auto a = load(dir.path() / "a.gguf");
  const auto b = load(dir.path() / "b.gguf");
  CHECK(a->info().weight_types == std::string(dtype_name(type)) + " x22, F32 x19");
  CHECK(logits_of(*a) == logits_of(*b));
}

TEST_CASE("an embedder's folder keeps its dense layers and its windows", "[engine][quantize]") {
  const TempDir dir;
  const TinyModel model{.is_embedder = true, .dense_hidden = 128};
  facet::test::write_tiny_folder(dir.path() / "folder", model, 1, "");
  write(dir.path() / "folder", dir.path() / "e.gguf", DType::f32);
  const auto folder = load(dir.path() / "folder");
  const auto file = load(dir.path() / "e.gguf");
  CHECK(file->info().architecture == "gemma-embedding");
  std::vector<TokenId> ids{2};
  for (int i = 0; i < 30; ++i) ids.push_back(110 + 11 * i);
  const auto a = folder->embed(ids);
  const auto b = file->embed(ids);
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK(*a == *b);
  check_same_tokenizer(folder->tokenizer(), file->tokenizer());
}

TEST_CASE("a multimodal folder's tower stays where it is", "[engine][quantize]") {
  const TempDir dir;
  facet::test::write_tiny_multimodal_folder(dir.path() / "folder", {});
  const auto counts = write(dir.path() / "folder", dir.path() / "m.gguf", DType::f32);
  // Patch, positions, 16 a layer, the last norm, and two of the projector.
  const int layers = facet::test::tiny_vision_config({}).layers;
  CHECK(counts.left_out == 3 + 16 * layers + 2 + 2);
  const auto folder = load(dir.path() / "folder");
  const auto file = load(dir.path() / "m.gguf");
  CHECK(file->info().image_tokens == 0);
  CHECK(logits_of(*folder) == logits_of(*file));
  const auto seeing =
      Engine::load({.model = dir.path() / "m.gguf", .vision = dir.path() / "folder", .threads = 1});
  REQUIRE(seeing.has_value());
  CHECK((*seeing)->info().image_tokens == 9);
}

TEST_CASE("what a GGUF file cannot say is refused", "[engine][quantize]") {
  const TempDir dir;
  const auto folder = dir.path() / "folder";
  facet::test::write_tiny_folder(folder, {});
  const auto refusal = [&](const std::string& key, const nlohmann::json& value) {
    auto config = nlohmann::json::parse(facet::test::tiny_config_json({}));
    config[key] = value;
    facet::test::write_bytes(folder / "config.json", config.dump());
    const auto refused = quantize_model(folder, dir.path() / "m.gguf", DType::f32);
    REQUIRE_FALSE(refused.has_value());
    CHECK_FALSE(std::filesystem::exists(dir.path() / "m.gguf"));
    return refused.error().message;
  };
  CHECK_THAT(refusal("eos_token_id", {1, 106, 50, 60}), Catch::Contains("50 and 60"));
  const nlohmann::json ropes = {
      {"sliding_attention", {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 1e4}}},
      {"full_attention", {{"rope_type", "default"}, {"rope_theta", 1e6}}}};
  CHECK_THAT(refusal("rope_parameters", ropes), Catch::Contains("layer 0"));
  std::filesystem::remove(folder / "tokenizer.model");
  CHECK_THAT(refusal("hidden_size", 64), Catch::Contains("tokenizer.model"));
}

TEST_CASE("three stop tokens go through a GGUF file", "[engine][quantize]") {
  const TempDir dir;
  facet::test::write_tiny_folder(dir.path() / "folder", {});
  facet::test::write_bytes(dir.path() / "folder" / "generation_config.json",
                           R"({"eos_token_id": [1, 50, 106]})");
  write(dir.path() / "folder", dir.path() / "m.gguf", DType::f32);
  const auto model = Model::load(dir.path() / "m.gguf");
  REQUIRE(model.has_value());
  CHECK((*model)->config().stop_ids == std::vector<std::int32_t>{1, 50, 106});
}

TEST_CASE("the real Gemma 3 vocabulary goes through a GGUF file", "[engine][quantize]") {
  const auto path = facet::test::reference_folder() / "tokenizer" / "gemma3.model";
  const auto bytes = facet::test::read_text(path);
  if (!bytes) {
    WARN("skipped: the Gemma 3 tokenizer is not there");
    return;
  }
  const auto vocabulary = parse_model_proto(std::as_bytes(std::span(*bytes)));
  REQUIRE(vocabulary.has_value());
  const TempDir dir;
  facet::test::write_tiny_folder(dir.path() / "folder",
                                 {.hidden = 32,
                                  .heads = 1,
                                  .kv_heads = 1,
                                  .ffn = 32,
                                  .embedding_rows = static_cast<int>(vocabulary->pieces.size())});
  facet::test::write_bytes(dir.path() / "folder" / "tokenizer.model", *bytes);
  write(dir.path() / "folder", dir.path() / "m.gguf", DType::q8_0);
  check_same_tokenizer(load(dir.path() / "folder")->tokenizer(),
                       load(dir.path() / "m.gguf")->tokenizer());
}
