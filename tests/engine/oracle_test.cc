// The forward pass against Hugging Face transformers, on models whose weights a formula gives; see
// oracle/transformers_logits.py, which wrote the expected values.

#include "engine/cpu/forward.h"
#include "engine/cpu/instruction_sets.h"
#include "engine/reference/forward.h"
#include "tests/support/catch.h"
#include "tests/support/formula_text.h"
#include "tests/support/steps.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace facet::engine {
namespace {

using test::FormulaModel;

constexpr int kVocabulary = 96;

nlohmann::json golden() {
  const std::string root = FACET_SOURCE_DIR;
  std::ifstream file(root + "/tests/oracle/transformers_golden.json");
  REQUIRE(file.good());
  return nlohmann::json::parse(file);
}

}  // namespace

TEST_CASE("a generator computes the logits of transformers", "[engine][unit]") {
  const FormulaModel model =
      test::make_formula_model({false, false, false, false, false, true, false}, 8, false);
  const nlohmann::json expected = golden().at("generator");
  const auto ids = expected.at("ids").get<std::vector<TokenId>>();
  for (const Ops* ops : usable_ops()) {
    ThreadPool pool(1);
    Forward forward(model.config, model.weights, *ops, pool);
    KvCache cache(model.config.layers);
    std::vector<float> logits(kVocabulary);
    std::size_t done = 0;
    for (std::size_t i = 0; i < expected.at("positions").size(); ++i) {
      const auto end = expected.at("positions").at(i).get<std::size_t>() + 1;
      test::append(forward, std::span(ids).subspan(done, end - done), cache, logits);
      done = end;
      const auto wanted = expected.at("logits").at(i).get<std::vector<float>>();
      for (std::size_t j = 0; j < wanted.size(); ++j) {
        INFO(ops->name << " position " << end - 1 << " logit " << j);
        REQUIRE(std::abs(logits[j] - wanted[j]) < 1e-4F);
      }
    }
  }
}

TEST_CASE("an embedder computes the vector of transformers", "[engine][unit]") {
  // A stated window of 8 admits keys up to 4 away: |i - j| < 5.
  FormulaModel model = test::make_formula_model({false, true, false}, 5, true);
  model.weights.dense2 = model.memory.matrix(2 + 13 * 3, 256, 128);
  model.weights.dense3 = model.memory.matrix(3 + 13 * 3, 64, 256);
  model.config.dense_hidden = 256;
  model.config.embedding_dim = 64;
  const nlohmann::json expected = golden().at("embedder");
  const auto ids = expected.at("ids").get<std::vector<TokenId>>();
  const auto wanted = expected.at("vector").get<std::vector<float>>();
  for (const Ops* ops : usable_ops()) {
    ThreadPool pool(1);
    Forward forward(model.config, model.weights, *ops, pool);
    const std::vector<float> vector = forward.embed(ids).value();
    REQUIRE(vector.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      INFO(ops->name << " component " << i);
      REQUIRE(std::abs(vector[i] - wanted[i]) < 2e-6F);
    }
  }
}

TEST_CASE("the scalar reference computes the logits of transformers", "[engine][unit]") {
  const FormulaModel model =
      test::make_formula_model({false, false, false, false, false, true, false}, 8, false);
  const nlohmann::json expected = golden().at("generator");
  const auto ids = expected.at("ids").get<std::vector<TokenId>>();
  const std::vector<double> logits = reference_logits(model.config, model.weights, ids);
  const auto wanted = expected.at("logits").back().get<std::vector<float>>();
  for (std::size_t j = 0; j < wanted.size(); ++j) {
    REQUIRE(std::abs(logits[39 * kVocabulary + j] - wanted[j]) < 1e-4);
  }
}

}  // namespace facet::engine
