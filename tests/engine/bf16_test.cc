// Weights in bfloat16: how far the next-token distributions are from those of float32 arithmetic on
// the same weights, beside how far transformers' own bfloat16 result is (oracle/bf16.py).
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
#include <span>
#include <vector>

using namespace facet::engine;
using facet::test::TempDir;

namespace {

std::vector<double> log_softmax(std::span<const float> logits) {
  const auto largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (const float value : logits) sum += std::exp(static_cast<double>(value) - largest);
  std::vector<double> out;
  for (const float value : logits) {
    out.push_back(static_cast<double>(value) - largest - std::log(sum));
  }
  return out;
}

/// KL(wanted || found) in nats.
double divergence(std::span<const float> wanted, std::span<const float> found) {
  const std::vector<double> p = log_softmax(wanted);
  const std::vector<double> q = log_softmax(found);
  double sum = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

void write_folder(const std::filesystem::path& folder, const nlohmann::json& shape) {
  const std::string text = shape.at("config").dump();
  const auto config = read_hf_config(text);
  if (!config) FAIL(config.error().message);
  facet::test::write_bytes(folder / "config.json", text);
  const auto tensors = facet::test::formula_tensors(*config, shape.at("prefix"), DType::bf16);
  facet::test::write_bytes(folder / "model.safetensors", facet::test::safetensors_bytes(tensors));
}

}  // namespace

TEST_CASE("bfloat16 weights are no further from float32 than transformers", "[engine][oracle]") {
  std::ifstream file(std::string(FACET_SOURCE_DIR) + "/tests/oracle/bf16.json");
  const auto golden = nlohmann::json::parse(file).at("shapes");
  REQUIRE(golden.size() == 7);
  for (const auto& [name, shape] : golden.items()) {
    const TempDir dir;
    write_folder(dir.path(), shape);
    const auto wanted = facet::test::floats_of_hex(shape.at("logits"));
    const auto allowed = shape.at("kl").get<std::vector<double>>();
    const auto ids = shape.at("ids").get<std::vector<TokenId>>();
    const std::size_t vocabulary = wanted.size() / ids.size();
    for (const Ops* ops : usable_ops()) {
      REQUIRE(::setenv("FACET_CPU", ops->name, 1) == 0);
      const auto engine =
          Engine::load({.model = dir.path(), .threads = 1, .with_tokenizer = false});
      ::unsetenv("FACET_CPU");
      if (!engine) FAIL(engine.error().message);
      CHECK((*engine)->info().weight_types.starts_with("BF16"));
      std::size_t position = 0;
      Sequence sequence = (*engine)->new_sequence();
      const auto status = sequence.append_scored(ids, [&](std::span<const float> logits) {
        INFO(name << " with " << ops->name << " at position " << position);
        const auto row = std::span(wanted).subspan(position * vocabulary, vocabulary);
        REQUIRE(logits.size() == vocabulary);
        CHECK(divergence(row, logits) <= allowed[position]);
        ++position;
        return facet::ok();
      });
      REQUIRE(status.has_value());
      CHECK(position == ids.size());
    }
  }
}
