// Shrunken models of every published shape, in every spelling of their config files, against
// Hugging Face transformers; see oracle/shapes.py, which wrote the expected values. The models go
// through files: config.json and model.safetensors with the tensor names of their family.
#include "engine/cpu/instruction_sets.h"
#include "engine/engine.h"
#include "engine/model/hf_config.h"
#include "tests/support/catch.h"
#include "tests/support/formula_files.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

using namespace facet::engine;
using facet::test::FileTensor;
using facet::test::floats_of_hex;
using facet::test::formula_tensor;
using facet::test::formula_tensors;
using facet::test::TempDir;

namespace {

void write_dense(const std::filesystem::path& folder, FileTensor dense) {
  std::filesystem::create_directories(folder);
  facet::test::write_bytes(folder / "model.safetensors", facet::test::safetensors_bytes({dense}));
}

/// The weights of a shape; config.json is written by the caller.
void write_weights(const std::filesystem::path& folder, const nlohmann::json& shape) {
  const auto config = read_hf_config(shape.at("configs").at(0).dump());
  if (!config) FAIL(config.error().message);
  facet::test::write_bytes(
      folder / "model.safetensors",
      facet::test::safetensors_bytes(formula_tensors(*config, shape.at("prefix"))));
  if (!config->is_embedder) return;
  const auto number = static_cast<std::uint32_t>(2 + 13 * config->layers.size());
  write_dense(folder / "2_Dense", formula_tensor(number, "linear.weight", {50, config->hidden}));
  write_dense(folder / "3_Dense", formula_tensor(number + 1, "linear.weight", {21, 50}));
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
