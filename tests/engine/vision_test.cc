// The vision tower against transformers (oracle/image_text.py) and against the scalar reference,
// and its weights out of files of both formats.

#include "engine/reference/vision.h"

#include "engine/cpu/instruction_sets.h"
#include "engine/vision/encoder.h"
#include "engine/vision/model.h"
#include "tests/support/catch.h"
#include "tests/support/formula_vision.h"
#include "tests/support/random_tower.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>

namespace facet::engine {
namespace {

using test::FormulaWeights;
using test::RandomTower;

nlohmann::json golden() {
  const std::string root = FACET_SOURCE_DIR;
  std::ifstream file(root + "/tests/oracle/image_text_golden.json");
  REQUIRE(file.good());
  return nlohmann::json::parse(file);
}

/// The soft tokens of image `index` as transformers has them, one after the other.
std::vector<double> golden_tokens(const nlohmann::json& all, std::size_t index) {
  std::vector<double> out;
  const nlohmann::json tokens = all.at("soft_tokens").at(index);
  for (const nlohmann::json& token : tokens) {
    for (const nlohmann::json& value : token) out.push_back(value.get<double>());
  }
  return out;
}

/// The largest difference, as a share of the largest wanted value.
template <class A>
double relative_difference(const std::vector<A>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == wanted.size());
  double worst = 0.0;
  double largest = 0.0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    REQUIRE(std::isfinite(got[i]));
    worst = std::max(worst, std::abs(static_cast<double>(got[i]) - wanted[i]));
    largest = std::max(largest, std::abs(wanted[i]));
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("the vision tower computes the soft tokens of transformers", "[engine][vision][unit]") {
  const VisionConfig config = test::formula_vision_config();
  FormulaWeights memory;
  const VisionWeights weights = test::formula_vision(memory, config);
  const nlohmann::json all = golden();
  for (const Ops* ops : usable_ops()) {
    ThreadPool pool(2);
    const VisionEncoder encoder(config, weights, *ops, pool);
    for (std::uint32_t image = 0; image < 2; ++image) {
      INFO(ops->name << " image " << image);
      const auto tokens = encoder.encode(test::formula_pixels(config, image));
      CHECK(relative_difference(tokens, golden_tokens(all, image)) < 1e-5);
    }
  }
}

TEST_CASE("the scalar vision tower computes the soft tokens of transformers",
          "[engine][vision][unit]") {
  const VisionConfig config = test::formula_vision_config();
  FormulaWeights memory;
  const VisionWeights weights = test::formula_vision(memory, config);
  const auto tokens = reference_soft_tokens(config, weights, test::formula_pixels(config, 1));
  CHECK(relative_difference(tokens, golden_tokens(golden(), 1)) < 1e-5);
}

TEST_CASE("the fast vision tower follows the scalar one on every shape and type",
          "[engine][vision][unit]") {
  struct Row {
    VisionConfig config;
    DType type;
  };
  const std::vector<Row> rows{
      // One patch, one token.
      {{.image_size = 3,
        .patch = 3,
        .hidden = 8,
        .layers = 1,
        .heads = 1,
        .ffn = 4,
        .image_tokens = 1,
        .text_hidden = 5},
       DType::f32},
      // 81 patches: one block of rows and a part of one; odd widths everywhere.
      {{.image_size = 45,
        .patch = 5,
        .hidden = 33,
        .layers = 2,
        .heads = 3,
        .ffn = 19,
        .image_tokens = 9,
        .text_hidden = 17},
       DType::f16},
      {{.image_size = 48,
        .patch = 4,
        .hidden = 72,
        .layers = 2,
        .heads = 1,
        .ffn = 65,
        .image_tokens = 4,
        .text_hidden = 64},
       DType::bf16},
      {{.image_size = 32,
        .patch = 4,
        .hidden = 64,
        .layers = 2,
        .heads = 2,
        .ffn = 96,
        .image_tokens = 64,
        .text_hidden = 31},
       DType::q8_0}};
  unsigned seed = 1;
  for (const Row& row : rows) {
    const RandomTower tower(row.config, row.type, seed++);
    const std::vector<double> wanted =
        reference_soft_tokens(tower.config, tower.weights, tower.pixels);
    for (const Ops* ops : usable_ops()) {
      INFO(ops->name << " row " << seed);
      ThreadPool one(1);
      ThreadPool three(3);
      const VisionEncoder alone(tower.config, tower.weights, *ops, one);
      const VisionEncoder together(tower.config, tower.weights, *ops, three);
      const std::vector<float> tokens = alone.encode(tower.pixels);
      CHECK(relative_difference(tokens, wanted) < 1e-4);
      CHECK(tokens == together.encode(tower.pixels));
    }
  }
}

TEST_CASE("a tower from either file format is the same tower", "[engine][vision][unit]") {
  const VisionConfig config = test::formula_vision_config();
  const nlohmann::json all = golden();
  const test::TempDir folder;
  const auto check = [&](const std::filesystem::path& path) {
    INFO(path);
    const auto model = VisionModel::load(path);
    if (!model) FAIL(model.error().message);
    ThreadPool pool(1);
    const VisionEncoder encoder(
        (*model)->config(), (*model)->weights(), *usable_ops().front(), pool);
    const auto tokens = encoder.encode(test::formula_pixels(config, 0));
    CHECK(relative_difference(tokens, golden_tokens(all, 0)) < 1e-5);
  };
  test::write_bytes(folder.path() / "new.gguf", test::vision_gguf(config).bytes());
  test::write_bytes(folder.path() / "old.gguf",
                    test::vision_gguf(config, DType::f32, true).bytes());
  check(folder.path() / "new.gguf");
  check(folder.path() / "old.gguf");
  for (const std::string front : {"", "model."}) {
    for (const std::string behind : {"vision_model.", ""}) {
      const auto at = folder.path() / (front + "folder-" + behind);
      std::filesystem::create_directory(at);
      test::write_bytes(at / "config.json",
                        R"({"model_type": "gemma3", "text_config": {"hidden_size": 128}, )" +
                            test::vision_config_json(config) + "}");
      test::write_bytes(at / "model.safetensors",
                        test::safetensors_bytes(test::hf_vision_tensors(config, front, behind)));
      check(at);
    }
  }
}

TEST_CASE("a tower in half precision stays near the one it was made from",
          "[engine][vision][unit]") {
  const VisionConfig config = test::formula_vision_config();
  const test::TempDir folder;
  test::write_bytes(folder.path() / "half.gguf", test::vision_gguf(config, DType::f16).bytes());
  const auto model = VisionModel::load(folder.path() / "half.gguf");
  if (!model) FAIL(model.error().message);
  ThreadPool pool(1);
  const VisionEncoder encoder((*model)->config(), (*model)->weights(), *usable_ops().front(), pool);
  const auto tokens = encoder.encode(test::formula_pixels(config, 0));
  CHECK(relative_difference(tokens, golden_tokens(golden(), 0)) < 5e-3);
}

TEST_CASE("a file that is no such tower is refused by name", "[engine][vision][unit]") {
  const VisionConfig config = test::formula_vision_config();
  const test::TempDir folder;
  const auto path = folder.path() / "mmproj.gguf";
  struct Row {
    const char* part;
    Code code;
    std::function<void(test::GgufWriter&)> change;
  };
  using test::GgufWriter;
  const std::vector<Row> rows{
      {"tensor 'v.blk.2.ln2.bias'",
       Code::invalid_data,
       [](GgufWriter& w) { w.tensor("v.blk.2.ln2.bias").name = "v.blk.2.other"; }},
      {"tensor 'v.position_embd.weight' has shape (35, 48)",
       Code::invalid_data,
       [](GgufWriter& w) {
         auto& tensor = w.tensor("v.position_embd.weight");
         tensor.shape[0] = 35;
         tensor.bytes.resize(std::size_t{35} * 48 * 4);
       }},
      {"tensor 'v.patch_embd.weight' has shape (48, 588)",
       Code::invalid_data,
       [](GgufWriter& w) {
         w.tensor("v.patch_embd.weight").shape = {48, 588};
       }},
      {"clip.vision.block_count",
       Code::invalid_data,
       [](GgufWriter& w) { w.remove("clip.vision.block_count"); }},
      {"vision layers is 0",
       Code::invalid_data,
       [](GgufWriter& w) { w.replace_u32("clip.vision.block_count", 0); }},
      {"vision patch_size is 13",
       Code::invalid_data,
       [](GgufWriter& w) { w.replace_u32("clip.vision.patch_size", 13); }},
      {"out of range",
       Code::invalid_data,
       [](GgufWriter& w) { w.replace_u32("clip.vision.patch_size", 0); }},
      {"out of range",
       Code::invalid_data,
       [](GgufWriter& w) { w.replace_u32("clip.vision.image_size", 1U << 30U); }},
      {"vision attention heads is 5",
       Code::invalid_data,
       [](GgufWriter& w) { w.replace_u32("clip.vision.attention.head_count", 5); }},
      {"vision projector scale_factor is 4",
       Code::invalid_data,
       [](GgufWriter& w) { w.replace_u32("clip.vision.projector.scale_factor", 4); }},
      {"projector type 'gemma3nv'",
       Code::unsupported,
       [](GgufWriter& w) { w.replace("clip.projector_type", 8, test::gguf_string("gemma3nv")); }},
      {"architecture 'gemma3'",
       Code::unsupported,
       [](GgufWriter& w) { w.replace("general.architecture", 8, test::gguf_string("gemma3")); }},
      {"clip.vision.image_mean", Code::unsupported, [](GgufWriter& w) {
         w.remove("clip.vision.image_mean");
         w.add_f32s("clip.vision.image_mean", {0.4F, 0.5F, 0.5F});
       }}};
  for (const Row& row : rows) {
    GgufWriter writer = test::vision_gguf(config);
    row.change(writer);
    test::write_bytes(path, writer.bytes());
    const auto model = VisionModel::load(path);
    INFO(row.part);
    REQUIRE(!model);
    INFO(model.error().message);
    CHECK(model.error().code == row.code);
    CHECK(model.error().message.find(row.part) != std::string::npos);
    CHECK(model.error().message.find(path.string()) == 0);
  }
}

TEST_CASE("a text-only folder says that it reads text only", "[engine][vision][unit]") {
  const test::TempDir folder;
  test::write_bytes(folder.path() / "config.json",
                    R"({"model_type": "gemma3_text", "hidden_size": 128})");
  const auto model = VisionModel::load(folder.path());
  REQUIRE(!model);
  CHECK(model.error().code == Code::unsupported);
  CHECK(model.error().message.find("text only") != std::string::npos);
}

TEST_CASE("the published vision configurations are read", "[engine][vision][unit]") {
  // As the 4B file has it: what equals the library's defaults is left out.
  const auto config = read_hf_vision_config(
      R"({"mm_tokens_per_image": 256, "vision_config": {"hidden_size": 1152, "image_size": 896,
          "intermediate_size": 4304, "model_type": "siglip_vision_model", "num_attention_heads": 16,
          "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": false}})",
      2560);
  REQUIRE(config.has_value());
  REQUIRE(config->has_value());
  CHECK((*config)->patches() == 4096);
  CHECK((*config)->side_tokens() == 16);
  CHECK((*config)->head_dim() == 72);
  CHECK((*config)->text_hidden == 2560);
  const auto relu = read_hf_vision_config(R"({"vision_config": {"hidden_act": "relu"}})", 64);
  REQUIRE(!relu);
  CHECK(relu.error().code == Code::unsupported);
}

}  // namespace facet::engine
