// Loading whole models: every format and type gives the same weights.
#include "engine/model/model.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cmath>
#include <limits>
#include <vector>

using facet::Code;
using facet::engine::DType;
using facet::engine::Model;
using facet::engine::TensorView;
using facet::test::TempDir;
using facet::test::TinyModel;

namespace {

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> out(static_cast<std::size_t>(view.rows * view.cols));
  facet::engine::dequantize(view.type, view.data, view.rows * view.cols, out.data());
  return out;
}

/// The largest difference, relative to the largest expected magnitude.
float difference(const std::vector<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  float worst = 0.0F;
  float scale = 0.0F;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - expected[i]));
    scale = std::max(scale, std::abs(expected[i]));
  }
  return worst / scale;
}

void check_weights(const Model& model, const TinyModel& tiny, float tolerance) {
  const auto expected = facet::test::tiny_weights(tiny);
  CHECK(difference(values_of(model.embedding()), expected.at("token_embd.weight").values) <=
        tolerance);
  for (std::size_t i = 0; i < model.config().layers.size(); ++i) {
    const auto& layer = model.layer(i);
    const std::string at = "blk." + std::to_string(i) + ".";
    CHECK(difference(values_of(layer.q), expected.at(at + "attn_q.weight").values) <= tolerance);
    CHECK(difference(values_of(layer.k), expected.at(at + "attn_k.weight").values) <= tolerance);
    CHECK(difference(values_of(layer.v), expected.at(at + "attn_v.weight").values) <= tolerance);
    CHECK(difference(values_of(layer.o), expected.at(at + "attn_output.weight").values) <=
          tolerance);
    CHECK(difference(values_of(layer.gate), expected.at(at + "ffn_gate.weight").values) <=
          tolerance);
    CHECK(difference(values_of(layer.up), expected.at(at + "ffn_up.weight").values) <= tolerance);
    CHECK(difference(values_of(layer.down), expected.at(at + "ffn_down.weight").values) <=
          tolerance);
    CHECK(difference(layer.attn_norm, expected.at(at + "attn_norm.weight").values) < 1e-6F);
    CHECK(difference(layer.q_norm, expected.at(at + "attn_q_norm.weight").values) < 1e-6F);
    CHECK(difference(layer.k_norm, expected.at(at + "attn_k_norm.weight").values) < 1e-6F);
    CHECK(difference(layer.post_attn_norm, expected.at(at + "post_attention_norm.weight").values) <
          1e-6F);
    CHECK(difference(layer.ffn_norm, expected.at(at + "ffn_norm.weight").values) < 1e-6F);
    CHECK(difference(layer.post_ffn_norm, expected.at(at + "post_ffw_norm.weight").values) < 1e-6F);
  }
}

struct Rounding {
  DType type;
  float tolerance;  ///< Half a step of the type, relative to the largest magnitude.
};

}  // namespace

TEST_CASE("a GGUF of every type gives the weights that were written", "[engine][model]") {
  const TempDir dir;
  for (const Rounding& rounding : {Rounding{DType::f32, 0.0F},
                                   Rounding{DType::f16, 5e-4F},
                                   Rounding{DType::bf16, 4e-3F},
                                   Rounding{DType::q8_0, 5e-3F},
                                   Rounding{DType::q4_0, 0.13F}}) {
    INFO(facet::engine::dtype_name(rounding.type));
    const TinyModel tiny{.type = rounding.type};
    facet::test::write_tiny_gguf(dir.path() / "m.gguf", tiny);
    const auto model = Model::load(dir.path() / "m.gguf");
    REQUIRE(model.has_value());
    CHECK((*model)->layer(0).q.type == rounding.type);
    check_weights(**model, tiny, rounding.tolerance);
  }
}

TEST_CASE("a Hugging Face folder gives the weights of the GGUF", "[engine][model]") {
  const TempDir dir;
  for (const Rounding& rounding :
       {Rounding{DType::f32, 0.0F}, Rounding{DType::f16, 5e-4F}, Rounding{DType::bf16, 4e-3F}}) {
    INFO(facet::engine::dtype_name(rounding.type));
    const TinyModel tiny{.rope_factor = 8.0, .type = rounding.type};
    const auto folder = dir.path() / std::string(facet::engine::dtype_name(rounding.type));
    facet::test::write_tiny_folder(folder, tiny, rounding.type == DType::bf16 ? 3 : 1);
    const auto model = Model::load(folder);
    REQUIRE(model.has_value());
    check_weights(**model, tiny, rounding.tolerance);
  }
}

TEST_CASE("every prefix of tensor names is found", "[engine][model]") {
  const TempDir dir;
  for (const std::string prefix : {"model.",
                                   "language_model.model.",
                                   "model.language_model.",
                                   "model.language_model.model.",
                                   "model.model.language_model.model.",
                                   ""}) {
    const auto folder = dir.path() / ("p" + prefix);
    facet::test::write_tiny_folder(folder, TinyModel{}, 1, prefix);
    const auto model = Model::load(folder);
    INFO(prefix);
    REQUIRE(model.has_value());
    check_weights(**model, TinyModel{}, 0.0F);
  }
}

TEST_CASE("both formats describe the same layers", "[engine][model]") {
  const TempDir dir;
  const TinyModel tiny{.layers = 7, .rope_factor = 8.0};
  facet::test::write_tiny_gguf(dir.path() / "m.gguf", tiny);
  facet::test::write_tiny_folder(dir.path() / "hf", tiny);
  const auto gguf = Model::load(dir.path() / "m.gguf");
  const auto folder = Model::load(dir.path() / "hf");
  REQUIRE(gguf.has_value());
  REQUIRE(folder.has_value());
  for (const auto* model : {&**gguf, &**folder}) {
    const auto& config = model->config();
    REQUIRE(config.layers.size() == 7);
    CHECK(config.hidden == 64);
    CHECK(config.embedding_scale == 8.0F);
    CHECK(config.stop_ids == std::vector<std::int32_t>{1, 106});
    CHECK(config.layers[1].window == 8);
    CHECK(config.layers[1].rope_theta == 1e4);
    CHECK(config.layers[1].rope_divisor == 1.0);
    CHECK(config.layers[2].window == 0);
    CHECK(config.layers[2].rope_theta == 1e6);
    CHECK(config.layers[2].rope_divisor == 8.0);
    CHECK(config.layers[2].causal);
    CHECK(config.layers[6].attention_scale == Approx(1.0 / std::sqrt(32.0)));
    CHECK(model->tokenizer().size() == static_cast<std::size_t>(config.vocabulary));
    CHECK(model->info().architecture == "gemma3");
    CHECK(model->info().weight_types == "F32 x93");
  }
  CHECK((*gguf)->info().parameters == (*folder)->info().parameters);
}

TEST_CASE("an embedder has two-sided windows, dense layers and an eos", "[engine][model]") {
  const TempDir dir;
  const TinyModel tiny{.is_embedder = true, .dense_hidden = 128};
  facet::test::write_tiny_gguf(dir.path() / "m.gguf", tiny);
  facet::test::write_tiny_folder(dir.path() / "hf", tiny, 1, "");
  for (const char* name : {"m.gguf", "hf"}) {
    INFO(name);
    const auto model = Model::load(dir.path() / name);
    REQUIRE(model.has_value());
    const auto& config = (*model)->config();
    CHECK(config.is_embedder);
    CHECK_FALSE(config.layers[0].causal);
    CHECK(config.layers[0].window == 5);  // 8 / 2 + 1: up to 4 on each side.
    CHECK(config.layers[2].window == 0);
    CHECK(config.dense_hidden == 128);
    CHECK(config.embedding_dim == 64);
    const auto expected = facet::test::tiny_weights(tiny);
    CHECK(difference(values_of((*model)->dense2()), expected.at("dense_2.weight").values) == 0.0F);
    CHECK(difference(values_of((*model)->dense3()), expected.at("dense_3.weight").values) == 0.0F);
    CHECK((*model)->tokenizer().add_eos());
    CHECK((*model)->info().architecture == "gemma-embedding");
    CHECK((*model)->info().search_weight == 1.0);
  }
}

TEST_CASE("an embedder's file states what its ranking weighs", "[engine][model]") {
  const TempDir dir;
  const TinyModel tiny{.is_embedder = true, .dense_hidden = 128};
  const auto load = [&](float weight) {
    auto writer = facet::test::tiny_gguf(tiny);
    writer.add_f32("facet.search_weight", weight);
    facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
    return Model::load(dir.path() / "m.gguf");
  };
  const auto model = load(0.25F);
  REQUIRE(model.has_value());
  CHECK((*model)->info().search_weight == 0.25);
  for (const float wrong : {-0.5F, 1001.0F, std::numeric_limits<float>::quiet_NaN()}) {
    const auto refused = load(wrong);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::invalid_data);
    CHECK(refused.error().message.find("search weight") != std::string::npos);
  }
}

TEST_CASE("a generator's file states how its plans are weighed", "[engine][model]") {
  const TempDir dir;
  const auto load = [&](const std::vector<std::pair<const char*, float>>& weights) {
    auto writer = facet::test::tiny_gguf({});
    for (const auto& [key, weight] : weights) {
      writer.add_f32(std::string("facet.plan.") + key, weight);
    }
    facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
    return Model::load(dir.path() / "m.gguf");
  };
  const auto without = load({});
  REQUIRE(without.has_value());
  CHECK((*without)->info().plan_weights == std::nullopt);
  std::vector<std::pair<const char*, float>> all = {{"model", 0.25F},
                                                    {"answer", -1.0F},
                                                    {"words", 2.0F},
                                                    {"cover", 3.0F},
                                                    {"parameters", 0.5F},
                                                    {"filled", 4.0F},
                                                    {"open", -5.0F},
                                                    {"number", -6.0F},
                                                    {"name", -7.0F},
                                                    {"left", -8.0F}};
  const auto with = load(all);
  REQUIRE(with.has_value());
  CHECK((*with)->info().plan_weights ==
        facet::engine::PlanWeights{0.25, -1.0, 2.0, 3.0, 0.5, 4.0, -5.0, -6.0, -7.0, -8.0});
  for (const float wrong : {101.0F, -101.0F, std::numeric_limits<float>::quiet_NaN()}) {
    all[3].second = wrong;
    const auto refused = load(all);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::invalid_data);
    CHECK(refused.error().message.find("facet.plan.cover") != std::string::npos);
  }
  all.erase(all.begin() + 2);
  all[2].second = 1.0F;
  const auto lacking = load(all);
  REQUIRE_FALSE(lacking.has_value());
  CHECK(lacking.error().message.find("facet.plan.words is missing") != std::string::npos);
}

TEST_CASE("a generator's file states how its slots are weighed", "[engine][model]") {
  const TempDir dir;
  const auto load = [&](const std::vector<std::int32_t>& table, float scale, float share) {
    auto writer = facet::test::tiny_gguf({});
    if (!table.empty()) writer.add_i32s("facet.slots.table", table);
    if (scale != 0.0F) writer.add_f32("facet.slots.scale", scale);
    writer.add_f32("facet.slots.share", share);
    facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
    return Model::load(dir.path() / "m.gguf");
  };
  facet::test::write_tiny_gguf(dir.path() / "m.gguf", {});
  CHECK((*Model::load(dir.path() / "m.gguf"))->info().slot_weights == nullptr);
  const auto with = load({-128, 127, 0, 1}, 0.25F, 2.0F);
  REQUIRE(with.has_value());
  REQUIRE((*with)->info().slot_weights != nullptr);
  CHECK(*(*with)->info().slot_weights ==
        facet::engine::SlotWeights{.table = {-128, 127, 0, 1}, .scale = 0.25, .share = 2.0});
  const auto refused = [&](const auto& result, const char* key) {
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Code::invalid_data);
    INFO(result.error().message);
    CHECK(result.error().message.find(key) != std::string::npos);
  };
  refused(load({1, 2, 3}, 1.0F, 1.0F), "facet.slots.table has 3");
  refused(load({1, 128}, 1.0F, 1.0F), "facet.slots.table holds 128");
  refused(load({}, 1.0F, 1.0F), "facet.slots.table");
  refused(load({1, 2}, 0.0F, 1.0F), "facet.slots.scale");
  refused(load({1, 2}, -1.0F, 1.0F), "facet.slots.scale");
  refused(load({1, 2}, 1.0F, 101.0F), "facet.slots.share");
  refused(load({1, 2}, 1.0F, std::numeric_limits<float>::quiet_NaN()), "facet.slots.share");
}

TEST_CASE("a generator's file states which words are alike", "[engine][model]") {
  const TempDir dir;
  const auto load = [&](const std::vector<std::int64_t>& pairs) {
    auto writer = facet::test::tiny_gguf({});
    writer.add_i64s("facet.thesaurus.pairs", pairs);
    facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
    return Model::load(dir.path() / "m.gguf");
  };
  facet::test::write_tiny_gguf(dir.path() / "m.gguf", {});
  CHECK((*Model::load(dir.path() / "m.gguf"))->info().thesaurus == nullptr);
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const auto with = load({0, 7, most});
  REQUIRE(with.has_value());
  REQUIRE((*with)->info().thesaurus != nullptr);
  CHECK((*with)->info().thesaurus->pairs ==
        std::vector<std::uint64_t>{0, 7, static_cast<std::uint64_t>(most)});
  for (const auto& wrong : {std::vector<std::int64_t>{-1, 2}, {1, 1}, {3, 2}}) {
    const auto refused = load(wrong);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::invalid_data);
    CHECK(refused.error().message.find("facet.thesaurus.pairs does not rise") != std::string::npos);
  }
}

TEST_CASE("an embedder whose head is not the family's is refused", "[engine][model]") {
  const TempDir dir;
  const TinyModel tiny{.is_embedder = true, .dense_hidden = 128};
  const auto refusal = [&](const std::string& file, const std::string& text) {
    const auto folder = dir.path() / "hf";
    std::filesystem::remove_all(folder);
    facet::test::write_tiny_folder(folder, tiny, 1, "");
    std::filesystem::create_directories((folder / file).parent_path());
    facet::test::write_bytes(folder / file, text);
    const auto model = Model::load(folder);
    REQUIRE_FALSE(model.has_value());
    CHECK(model.error().code == facet::Code::unsupported);
    return model.error().message;
  };
  const std::string biased = facet::test::safetensors_bytes(
      {{"linear.weight", facet::engine::DType::f32, {128, 64}, std::string(128 * 64 * 4, '\0')},
       {"linear.bias", facet::engine::DType::f32, {128}, std::string(128 * 4, '\0')}});
  CHECK_THAT(refusal("2_Dense/model.safetensors", biased), Catch::Contains("2_Dense/linear.bias"));
  CHECK_THAT(refusal("3_Dense/config.json",
                     R"({"activation_function":"torch.nn.modules.activation.Tanh"})"),
             Catch::Contains("Tanh"));
  CHECK_THAT(refusal("1_Pooling/config.json", R"({"pooling_mode_cls_token":true})"),
             Catch::Contains("pooling_mode_cls_token"));
}

TEST_CASE("the head that sentence-transformers writes for the family is read", "[engine][model]") {
  const TempDir dir;
  facet::test::write_tiny_folder(
      dir.path(), TinyModel{.is_embedder = true, .dense_hidden = 128}, 1, "");
  std::filesystem::create_directories(dir.path() / "1_Pooling");
  facet::test::write_bytes(dir.path() / "1_Pooling" / "config.json",
                           R"({"word_embedding_dimension":64,"pooling_mode_cls_token":false,
          "pooling_mode_mean_tokens":true,"include_prompt":true})");
  facet::test::write_bytes(dir.path() / "2_Dense" / "config.json",
                           R"({"in_features":64,"out_features":128,"bias":false,
          "activation_function":"torch.nn.modules.linear.Identity"})");
  CHECK(Model::load(dir.path()).has_value());
}

TEST_CASE("equal files have one identity and other weights another", "[engine][model]") {
  const TempDir dir;
  facet::test::write_tiny_gguf(dir.path() / "a.gguf", TinyModel{});
  facet::test::write_tiny_gguf(dir.path() / "b.gguf", TinyModel{});
  facet::test::write_tiny_gguf(dir.path() / "c.gguf", TinyModel{.seed = 2});
  facet::test::write_tiny_gguf(dir.path() / "d.gguf", TinyModel{.window = 9});
  const auto identity = [&](const char* name) {
    const auto model = Model::load(dir.path() / name);
    REQUIRE(model.has_value());
    return (*model)->info().identity;
  };
  CHECK(identity("a.gguf").size() == 16);
  CHECK(identity("a.gguf") == identity("b.gguf"));
  CHECK(identity("a.gguf") != identity("c.gguf"));
  CHECK(identity("a.gguf") != identity("d.gguf"));
}

TEST_CASE("a missing model is not found and names its path", "[engine][model]") {
  const TempDir dir;
  const auto file = Model::load(dir.path() / "none.gguf");
  REQUIRE_FALSE(file.has_value());
  CHECK(file.error().code == Code::not_found);
  CHECK(file.error().message.find("none.gguf") != std::string::npos);
  const auto folder = Model::load(dir.path());
  REQUIRE_FALSE(folder.has_value());
  CHECK(folder.error().code == Code::not_found);
  CHECK(folder.error().message.find("config.json") != std::string::npos);
}

TEST_CASE("only the tokenizer of a file, a folder or a bare model can be loaded",
          "[engine][model]") {
  const TempDir dir;
  facet::test::write_tiny_gguf(dir.path() / "m.gguf", TinyModel{});
  facet::test::write_tiny_folder(dir.path() / "hf", TinyModel{});
  std::vector<std::vector<facet::engine::TokenId>> ids;
  for (const auto& path :
       {dir.path() / "m.gguf", dir.path() / "hf", dir.path() / "hf" / "tokenizer.model"}) {
    const auto tokenizer = facet::engine::load_tokenizer(path);
    REQUIRE(tokenizer.has_value());
    ids.push_back((*tokenizer)->encode("hello the world\n\n  x"));
  }
  CHECK(ids[0].size() > 5);
  CHECK(ids[0] == ids[1]);
  CHECK(ids[0] == ids[2]);
}
