// The embedder that ships in models/pocket, against vectors that transformers computed from the
// same (dequantised) weights in f32; written by models/pocket/train/embedder_export.py.

#include "engine/engine.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace facet::engine {

TEST_CASE("the pocket embedder gives the ids and vectors of its training code", "[engine][unit]") {
  const std::string root = FACET_SOURCE_DIR;
  std::ifstream file(root + "/tests/golden/embedder_golden.json");
  REQUIRE(file.good());
  const nlohmann::json golden = nlohmann::json::parse(file);
  const auto engine = Engine::load(
      {.model = root + "/models/pocket/embedder.gguf", .threads = 1, .float_activations = true});
  if (!engine) FAIL(engine.error().message);
  CHECK((*engine)->info().embedding_dim == golden.at("dimensions").get<int>());
  REQUIRE(!golden.at("cases").empty());
  for (const nlohmann::json& row : golden.at("cases")) {
    const auto text = row.at("text").get<std::string>();
    INFO(text);
    const Tokenizer& tokenizer = (*engine)->tokenizer();
    std::vector<TokenId> ids = {tokenizer.bos()};
    for (const TokenId id : tokenizer.encode(text)) ids.push_back(id);
    ids.push_back(tokenizer.eos());
    CHECK(ids == row.at("ids").get<std::vector<TokenId>>());
    const auto vector = (*engine)->embed(ids);
    REQUIRE(vector.has_value());
    const auto first = row.at("first").get<std::vector<float>>();
    for (std::size_t i = 0; i < first.size(); ++i) {
      INFO("component " << i);
      // The file has six decimals.
      CHECK(std::abs((*vector)[i] - first[i]) < 2e-6F);
    }
  }
}

}  // namespace facet::engine
