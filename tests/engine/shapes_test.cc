// Shrunken models of every published shape, in every spelling of their config files, against
// Hugging Face transformers; see oracle/shapes.py, which wrote the expected values. The models go
// through files: config.json and model.safetensors with the tensor names of their family.
#include "engine/cpu/instruction_sets.h"
#include "engine/engine.h"
#include "engine/model/hf_config.h"
#include "tests/support/catch.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

using namespace facet::engine;
using facet::test::FileTensor;
using facet::test::TempDir;

namespace {

/// The formula of oracle/shapes.py, as the bytes of a file.
std::string stream(std::uint32_t number, std::int64_t count) {
  std::uint32_t state = 2654435761U * number + 12345U;
  std::string out(static_cast<std::size_t>(count) * sizeof(float), '\0');
  for (std::int64_t i = 0; i < count; ++i) {
    state = 1664525U * state + 1013904223U;
    const float value = (static_cast<float>(state >> 8U) * 0x1p-23F - 1.0F) * 0.25F;
    std::memcpy(out.data() + static_cast<std::size_t>(i) * sizeof value, &value, sizeof value);
  }
  return out;
}

FileTensor tensor(std::uint32_t number, std::string name, std::vector<std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return {std::move(name), DType::f32, std::move(shape), stream(number, count)};
}

/// All tensors of a model in the numbering of the script.
std::vector<FileTensor> tensors_of(const ModelConfig& config, const std::string& prefix) {
  const std::int64_t hidden = config.hidden;
  std::vector<FileTensor> out = {
      tensor(0, prefix + "embed_tokens.weight", {config.vocabulary, hidden}),
      tensor(1, prefix + "norm.weight", {hidden})};
  std::uint32_t number = 2;
  for (std::size_t l = 0; l < config.layers.size(); ++l) {
    const LayerSpec& spec = config.layers[l];
    const std::int64_t dim = spec.head_dim;
    const std::pair<const char*, std::vector<std::int64_t>> parts[] = {
        {"input_layernorm", {hidden}},
        {"self_attn.q_proj", {spec.heads * dim, hidden}},
        {"self_attn.k_proj", {spec.kv_heads * dim, hidden}},
        {"self_attn.v_proj", {spec.kv_heads * dim, hidden}},
        {"self_attn.o_proj", {hidden, spec.heads * dim}},
        {"self_attn.q_norm", {dim}},
        {"self_attn.k_norm", {dim}},
        {"post_attention_layernorm", {hidden}},
        {"pre_feedforward_layernorm", {hidden}},
        {"mlp.gate_proj", {spec.ffn, hidden}},
        {"mlp.up_proj", {spec.ffn, hidden}},
        {"mlp.down_proj", {hidden, spec.ffn}},
        {"post_feedforward_layernorm", {hidden}}};
    const std::string layer = prefix + "layers." + std::to_string(l) + ".";
    for (const auto& [name, shape] : parts) {
      out.push_back(tensor(number++, layer + name + ".weight", shape));
    }
  }
  return out;
}

void write_dense(const std::filesystem::path& folder, FileTensor dense) {
  std::filesystem::create_directories(folder);
  facet::test::write_bytes(folder / "model.safetensors", facet::test::safetensors_bytes({dense}));
}

/// The weights of a shape; config.json is written by the caller.
void write_weights(const std::filesystem::path& folder, const nlohmann::json& shape) {
  const auto config = read_hf_config(shape.at("configs").at(0).dump());
  if (!config) FAIL(config.error().message);
  facet::test::write_bytes(folder / "model.safetensors",
                           facet::test::safetensors_bytes(tensors_of(*config, shape.at("prefix"))));
  if (!config->is_embedder) return;
  const auto number = static_cast<std::uint32_t>(2 + 13 * config->layers.size());
  write_dense(folder / "2_Dense", tensor(number, "linear.weight", {50, config->hidden}));
  write_dense(folder / "3_Dense", tensor(number + 1, "linear.weight", {21, 50}));
}

std::vector<float> floats_of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 2 <= hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

/// The bar: no logit is off by more than 2e-4 of the largest, and every argmax is the same.
void check_logits(const Engine& engine, const nlohmann::json& shape) {
  const auto ids = shape.at("ids").get<std::vector<TokenId>>();
  const auto argmax = shape.at("argmax").get<std::vector<std::int64_t>>();
  const auto positions = shape.at("positions").get<std::vector<std::size_t>>();
  const auto wanted = floats_of_hex(shape.at("logits"));
  const std::size_t columns = wanted.size() / positions.size();
  const float allowed = 2e-4F * shape.at("largest").get<float>();
  std::size_t position = 0;
  std::size_t compared = 0;
  float worst = 0.0F;
  Sequence sequence = engine.new_sequence();
  const auto status = sequence.append_scored(ids, [&](std::span<const float> logits) {
    INFO("position " << position);
    CHECK(std::max_element(logits.begin(), logits.end()) - logits.begin() == argmax[position]);
    if (compared < positions.size() && positions[compared] == position) {
      for (std::size_t c = 0; c < columns; ++c) {
        const auto at =
            shape.contains("columns") ? shape.at("columns").at(c).get<std::size_t>() : c;
        worst = std::max(worst, std::abs(logits[at] - wanted[compared * columns + c]));
      }
      ++compared;
    }
    ++position;
    return facet::ok();
  });
  REQUIRE(status.has_value());
  CHECK(position == ids.size());
  CHECK(compared == positions.size());
  CHECK(worst <= allowed);
}

void check_vector(const Engine& engine, const nlohmann::json& shape) {
  const auto wanted = floats_of_hex(shape.at("vector"));
  const auto vector = engine.embed(shape.at("ids").get<std::vector<TokenId>>());
  REQUIRE(vector.has_value());
  REQUIRE(vector->size() == wanted.size());
  double cosine = 0.0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    cosine += static_cast<double>((*vector)[i]) * static_cast<double>(wanted[i]);
  }
  CHECK(cosine >= 0.99999);
  CHECK(cosine <= 1.00001);
}

}  // namespace

TEST_CASE("every shape and spelling computes what transformers computes", "[engine][oracle]") {
  std::ifstream file(std::string(FACET_SOURCE_DIR) + "/tests/oracle/shapes.json");
  const auto golden = nlohmann::json::parse(file).at("shapes");
  REQUIRE(golden.size() == 10);
  for (const auto& [name, shape] : golden.items()) {
    const TempDir dir;
    write_weights(dir.path(), shape);
    for (const auto& config : shape.at("configs")) {
      facet::test::write_bytes(dir.path() / "config.json", config.dump());
      for (const Ops* ops : usable_ops()) {
        INFO(name << " with " << ops->name << ": " << config.dump());
        REQUIRE(::setenv("FACET_CPU", ops->name, 1) == 0);
        const auto engine =
            Engine::load({.model = dir.path(), .threads = 1, .with_tokenizer = false});
        ::unsetenv("FACET_CPU");
        if (!engine) FAIL(engine.error().message);
        if (shape.contains("vector")) {
          check_vector(**engine, shape);
        } else {
          check_logits(**engine, shape);
        }
      }
    }
  }
}

TEST_CASE("the shapes keep what is odd about their models", "[engine][oracle]") {
  std::ifstream file(std::string(FACET_SOURCE_DIR) + "/tests/oracle/shapes.json");
  const auto golden = nlohmann::json::parse(file).at("shapes");
  const auto config_of = [&](const char* name) {
    const auto config = read_hf_config(golden.at(name).at("configs").at(0).dump());
    REQUIRE(config.has_value());
    return *config;
  };
  CHECK(config_of("27b").layers[0].attention_scale == Approx(1.0 / std::sqrt(168.0)));
  CHECK(config_of("27b").layers[5].rope_divisor == 8.0);
  CHECK(config_of("12b").layers[4].rope_divisor == 1.0);
  CHECK(config_of("1b").layers[5].rope_divisor == 1.0);
  CHECK(config_of("embeddinggemma").layers[0].window == 7);
  CHECK(config_of("minimal").layers[0].heads == 8);
  CHECK(config_of("minimal").vocabulary == 262208);
}
