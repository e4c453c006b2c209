#include "engine/model/config.h"

#include "engine/model/hf_config.h"
#include "engine/model/model.h"
#include "engine/tokenizer/model_proto.h"
#include "tests/support/catch.h"
#include "tests/support/reference.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using facet::Code;
using facet::engine::ModelConfig;
using facet::engine::Piece;
using facet::engine::read_hf_config;
using facet::test::TinyModel;
using nlohmann::ordered_json;

namespace {

/// The published config `name`, nullopt with a warning when the reference data is absent.
std::optional<ModelConfig> published(const std::string& name) {
  const auto text =
      facet::test::read_text(facet::test::reference_folder() / "configs" / (name + ".json"));
  if (!text) {
    WARN("skipped: the published config of " << name);
    return std::nullopt;
  }
  auto config = read_hf_config(*text);
  if (!config) FAIL(config.error().message);
  return *config;
}

/// Weights of the text model: two norms' widths per head dimension, four per hidden.
std::int64_t text_parameters(const ModelConfig& config, std::int64_t vocabulary) {
  const std::int64_t hidden = config.hidden;
  std::int64_t out = vocabulary * hidden + hidden;
  for (const auto& layer : config.layers) {
    const std::int64_t head_dim = layer.head_dim;
    out += 2 * hidden * head_dim * (layer.heads + layer.kv_heads) + 3 * hidden * layer.ffn;
    out += 4 * hidden + 2 * head_dim;
  }
  return out;
}

ordered_json tiny() {
  return ordered_json::parse(facet::test::tiny_config_json(TinyModel{.layers = 7}));
}

struct Change {
  const char* key;
  ordered_json value;
  Code code;
  const char* mentions;
};

}  // namespace

TEST_CASE("published Gemma 3 configs give the published parameter counts", "[engine][config]") {
  // Text parameters from the published totals; the multimodal files pad the vocabulary by 64 rows.
  const std::pair<const char*, std::int64_t> cases[] = {{"gemma-3-270m-it", 268098176},
                                                        {"functiongemma-270m-it", 268098176},
                                                        {"gemma-3-1b-it", 999885952},
                                                        {"gemma-3-4b-it", 3880263168},
                                                        {"gemma-3-12b-it", 11766034176},
                                                        {"gemma-3-27b-it", 27009346304}};
  for (const auto& [name, parameters] : cases) {
    INFO(name);
    const auto config = published(name);
    if (!config) continue;
    CHECK(text_parameters(*config, config->vocabulary) == parameters);
    CHECK(config->layers[5].window == 0);
    CHECK(config->layers[5].rope_theta == 1e6);
    CHECK(config->layers[4].window > 0);
    CHECK(config->layers[4].rope_theta == 1e4);
    CHECK(config->layers[4].rope_divisor == 1.0);
    CHECK(config->stop_ids == std::vector<std::int32_t>{1, 106});
  }
}

TEST_CASE("the 27B scales by 168 and the larger models divide positions by 8", "[engine][config]") {
  if (const auto config = published("gemma-3-27b-it")) {
    CHECK(config->layers[0].attention_scale == Approx(0.0771516750));
    CHECK(config->layers[0].head_dim == 128);
    CHECK(config->layers[61].window == 1024);
    CHECK(config->layers[59].rope_divisor == 8.0);
  }
  if (const auto config = published("gemma-3-1b-it")) {
    CHECK(config->layers[0].attention_scale == 0.0625F);
    CHECK(config->layers[5].rope_divisor == 1.0);
  }
}

TEST_CASE("EmbeddingGemma's window is half as wide to each side", "[engine][config]") {
  const auto config = published("embeddinggemma-300m");
  if (!config) return;
  CHECK(config->is_embedder);
  CHECK(config->architecture == "gemma-embedding");
  CHECK(config->layers[0].window == 257);
  CHECK_FALSE(config->layers[5].causal);
  CHECK(config->embedding_dim == 768);
  CHECK(text_parameters(*config, config->vocabulary) + 2 * 768 * 3072 == 307581696);
}

TEST_CASE("Gemma 4 and 3n configs are refused by name", "[engine][config]") {
  for (const char* name : {"gemma-4-12B-it", "gemma-3n-E2B-it"}) {
    const auto text = facet::test::read_text(facet::test::reference_folder() / "configs" /
                                             (std::string(name) + ".json"));
    if (!text) {
      WARN("skipped: the published config of " << name);
      continue;
    }
    const auto config = read_hf_config(*text);
    REQUIRE_FALSE(config.has_value());
    CHECK(config.error().code == Code::unsupported);
    CHECK(config.error().message.find("gemma") != std::string::npos);
  }
}

TEST_CASE("a minimal multimodal config gets the library's defaults", "[engine][config]") {
  const auto config = read_hf_config(R"({"model_type":"gemma3","text_config":{
      "hidden_size":2560,"intermediate_size":10240,"model_type":"gemma3_text",
      "num_hidden_layers":34,"rope_scaling":{"factor":8.0,"rope_type":"linear"},
      "sliding_window":1024},"eos_token_id":[1,106]})");
  REQUIRE(config.has_value());
  CHECK(config->layers.size() == 34);
  CHECK(config->layers[0].heads == 8);
  CHECK(config->layers[0].kv_heads == 4);
  CHECK(config->layers[0].head_dim == 256);
  CHECK(config->vocabulary == 262208);
  CHECK(config->context_tokens_max == 131072);
  CHECK(config->layers[33].window == 1024);
  CHECK(config->layers[29].window == 0);
  CHECK(config->layers[29].rope_divisor == 8.0);
  CHECK(text_parameters(*config, 262208) == 3880263168);
}

TEST_CASE("the three spellings of a config mean the same", "[engine][config]") {
  ordered_json plain = tiny();
  plain.erase("layer_types");
  plain["rope_scaling"] = {{"type", "linear"}, {"factor", 8.0}};
  ordered_json pattern = plain;
  pattern["sliding_window_pattern"] = 3;
  ordered_json underscored = plain;
  underscored["_sliding_window_pattern"] = 3;
  ordered_json newest = tiny();
  newest.erase("rope_theta");
  newest.erase("rope_local_base_freq");
  newest.erase("rope_scaling");
  newest["rope_parameters"] = {
      {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}};
  for (const ordered_json& json : {pattern, underscored, newest}) {
    INFO(json.dump());
    const auto config = read_hf_config(json.dump());
    REQUIRE(config.has_value());
    for (std::size_t i = 0; i < 7; ++i) {
      const bool global = i == 2 || i == 5;
      CHECK(config->layers[i].window == (global ? 0 : 8));
      CHECK(config->layers[i].rope_theta == (global ? 1e6 : 1e4));
      CHECK(config->layers[i].rope_divisor == (global ? 8.0 : 1.0));
    }
  }
}

TEST_CASE("spellings of the rotary embedding may be mixed", "[engine][config]") {
  // As transformers reads them: rope_scaling goes over what rope_parameters says of global layers,
  // and a base that is missing in rope_parameters is looked for beside it.
  ordered_json json = tiny();
  json.erase("layer_types");
  json["sliding_window_pattern"] = 3;
  json["rope_theta"] = 5e5;
  json["rope_local_base_freq"] = 2e4;
  json["rope_parameters"] = {{"full_attention", {{"rope_type", "default"}}},
                             {"sliding_attention", {{"rope_type", "default"}}}};
  json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
  const auto config = read_hf_config(json.dump());
  REQUIRE(config.has_value());
  CHECK(config->layers[2].rope_theta == 5e5);
  CHECK(config->layers[2].rope_divisor == 8.0);
  CHECK(config->layers[1].rope_theta == 2e4);
  CHECK(config->layers[1].rope_divisor == 1.0);
}

TEST_CASE("ShieldGemma 2 is read as the Gemma 3 that it is", "[engine][config]") {
  const ordered_json json = {{"model_type", "shieldgemma2"}, {"text_config", tiny()}};
  const auto config = read_hf_config(json.dump());
  REQUIRE(config.has_value());
  CHECK(config->architecture == "gemma3");
  CHECK(config->layers.size() == 7);
}

TEST_CASE("a config with an impossible value is refused with that value", "[engine][config]") {
  const Change cases[] = {
      {"model_type", "llama", Code::unsupported, "llama"},
      {"num_hidden_layers", -1, Code::invalid_data, "-1"},
      {"num_hidden_layers", 1000000000, Code::invalid_data, "1000000000"},
      {"num_hidden_layers", 8, Code::invalid_data, "layer_types"},
      {"num_hidden_layers", "seven", Code::invalid_data, "seven"},
      {"num_hidden_layers", 7.5, Code::invalid_data, "7.5"},
      {"num_attention_heads", 0, Code::invalid_data, "head count is 0"},
      {"num_attention_heads", 3, Code::invalid_data, "not a multiple"},
      {"num_key_value_heads", 0, Code::invalid_data, "key/value head count is 0"},
      {"head_dim", 33, Code::invalid_data, "33"},
      {"hidden_size", 0, Code::invalid_data, "hidden size is 0"},
      {"hidden_size", 1 << 30, Code::invalid_data, "1073741824"},
      {"intermediate_size", -5, Code::invalid_data, "-5"},
      {"vocab_size", 0, Code::invalid_data, "vocab_size is 0"},
      {"vocab_size", 1ULL << 40U, Code::invalid_data, "vocab_size"},
      {"max_position_embeddings", 0, Code::invalid_data, "context length is 0"},
      {"sliding_window", 0, Code::invalid_data, "sliding_window is 0"},
      {"rope_theta", "NaN", Code::invalid_data, "NaN"},
      {"rope_theta", 0.0, Code::invalid_data, "rope theta"},
      {"rope_local_base_freq", -1.0, Code::invalid_data, "rope theta"},
      {"rms_norm_eps", 0.0, Code::invalid_data, "epsilon"},
      {"query_pre_attn_scalar", 0, Code::invalid_data, "attention scale"},
      {"query_pre_attn_scalar", -4, Code::invalid_data, "attention scale"},
      {"rope_scaling", {{"rope_type", "yarn"}}, Code::unsupported, "yarn"},
      {"rope_scaling", {{"rope_type", "linear"}, {"factor", 0}}, Code::invalid_data, "factor"},
      {"layer_types", {"sliding_attention"}, Code::invalid_data, "1 entries"},
      {"layer_types", {"a", "b", "c", "d", "e", "f", "g"}, Code::unsupported, "'a'"},
      {"final_logit_softcapping", 30.0, Code::unsupported, "final_logit_softcapping"},
      {"hidden_activation", "relu", Code::unsupported, "relu"},
      {"attention_bias", true, Code::unsupported, "attention_bias"},
      {"tie_word_embeddings", false, Code::unsupported, "tie_word_embeddings"},
      {"eos_token_id", 100000, Code::invalid_data, "100000"},
      {"eos_token_id", {1, "x"}, Code::invalid_data, "eos_token_id"},
      {"text_config", 5, Code::invalid_data, "text_config"},
  };
  REQUIRE(read_hf_config(tiny().dump()).has_value());
  for (const Change& change : cases) {
    ordered_json json = tiny();
    json[change.key] = change.value;
    INFO(change.key << " = " << change.value.dump());
    const auto config = read_hf_config(json.dump());
    REQUIRE_FALSE(config.has_value());
    INFO(config.error().message);
    CHECK(facet::code_name(config.error().code) == facet::code_name(change.code));
    CHECK(config.error().message.find(change.mentions) != std::string::npos);
  }
  CHECK(read_hf_config("[]").error().code == Code::invalid_data);
  CHECK(read_hf_config("{").error().code == Code::invalid_data);
}

TEST_CASE("a vocabulary larger than the embedding is refused", "[engine][config]") {
  const facet::test::TempDir dir;
  facet::test::write_tiny_folder(dir.path(), TinyModel{});
  ordered_json json = ordered_json::parse(facet::test::tiny_config_json(TinyModel{}));
  json["vocab_size"] = 300;
  facet::test::write_bytes(dir.path() / "config.json", json.dump());
  const auto model = facet::engine::Model::load(dir.path());
  REQUIRE_FALSE(model.has_value());
  CHECK(model.error().code == Code::invalid_data);
  CHECK(model.error().message.find("vocab_size is 300") != std::string::npos);
}

TEST_CASE("rows behind the tokenizer's pieces are cut off the embedding", "[engine][config]") {
  const facet::test::TempDir dir;
  facet::test::write_tiny_folder(dir.path(), TinyModel{});
  auto vocabulary = facet::test::tiny_vocabulary();
  const std::size_t rows = vocabulary.pieces.size();
  vocabulary.pieces.resize(rows - 10);
  facet::test::write_bytes(dir.path() / "tokenizer.model",
                           facet::engine::write_model_proto(vocabulary));
  const auto model = facet::engine::Model::load(dir.path());
  REQUIRE(model.has_value());
  CHECK((*model)->config().vocabulary == static_cast<int>(rows - 10));
  CHECK((*model)->embedding().rows == static_cast<std::int64_t>(rows - 10));
}

TEST_CASE("a tokenizer config renames unused slots to control tokens", "[engine][config]") {
  auto vocabulary = facet::test::tiny_vocabulary();
  REQUIRE(vocabulary.pieces[20].text == "<unused14>");
  const auto status = facet::engine::apply_tokenizer_config(
      R"({"add_eos_token":true,"added_tokens_decoder":{
          "20":{"content":"<tool>","special":true},"3":{"content":"<unk>"},
          "300":{"content":"letters"},"999999":{"content":"<image_soft_token>"}}})",
      vocabulary);
  REQUIRE(status.has_value());
  CHECK(vocabulary.pieces[20].text == "<tool>");
  CHECK(vocabulary.pieces[20].type == Piece::Type::control);
  CHECK(vocabulary.pieces[300].text != "letters");
  CHECK(vocabulary.add_eos);
  CHECK_FALSE(facet::engine::apply_tokenizer_config("[]", vocabulary).has_value());
}

TEST_CASE("a generation config adds its stop tokens", "[engine][config]") {
  auto config = read_hf_config(tiny().dump());
  REQUIRE(config.has_value());
  REQUIRE(facet::engine::apply_generation_config(R"({"eos_token_id":50})", *config).has_value());
  CHECK(config->stop_ids == std::vector<std::int32_t>{1, 106, 50});
  CHECK_FALSE(
      facet::engine::apply_generation_config(R"({"eos_token_id":-1})", *config).has_value());
}
