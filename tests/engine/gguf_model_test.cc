// GGUF files that are well-formed, but not models of ours.
#include "engine/model/model.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <functional>
#include <string>
#include <vector>

using facet::Code;
using facet::engine::DType;
using facet::engine::Model;
using facet::test::gguf_string;
using facet::test::GgufWriter;
using facet::test::little_endian;
using facet::test::TempDir;
using facet::test::TinyModel;

namespace {

/// A change to a good model file, and what loading it must say.
struct Broken {
  const char* what;
  std::function<void(GgufWriter&)> change;
  Code code;
  const char* mentions;
};

std::function<void(GgufWriter&)> u32(const char* key, std::uint32_t value) {
  return [=](GgufWriter& writer) { writer.replace_u32(key, value); };
}

/// Configs whose numbers do not fit each other or the tensors.
std::vector<Broken> wrong_sizes() {
  return {
      {"another architecture",
       [](GgufWriter& w) { w.replace("general.architecture", 8, gguf_string("llama")); },
       Code::unsupported,
       "llama"},
      {"no layers", u32("gemma3.block_count", 0), Code::invalid_data, "block_count"},
      {"10^9 layers", u32("gemma3.block_count", 1000000000), Code::invalid_data, "1000000000"},
      {"one layer too many", u32("gemma3.block_count", 4), Code::invalid_data, "blk.3."},
      {"no heads", u32("gemma3.attention.head_count", 0), Code::invalid_data, "head count is 0"},
      {"heads that do not divide",
       u32("gemma3.attention.head_count_kv", 3),
       Code::invalid_data,
       "not a multiple"},
      {"keys of another length than values",
       u32("gemma3.attention.key_length", 31),
       Code::unsupported,
       "key length 31"},
      {"another hidden size",
       u32("gemma3.embedding_length", 96),
       Code::invalid_data,
       "token_embd.weight"},
      {"another feed-forward length",
       u32("gemma3.feed_forward_length", 64),
       Code::invalid_data,
       "blk.0.ffn_gate.weight"},
      {"window 0", u32("gemma3.attention.sliding_window", 0), Code::invalid_data, "window is 0"},
      {"no context", u32("gemma3.context_length", 0), Code::invalid_data, "context length is 0"},
      {"pattern 0",
       u32("gemma3.attention.sliding_window_pattern", 0),
       Code::invalid_data,
       "sliding_window_pattern"},
  };
}

/// Configs and tokenizers of another kind.
std::vector<Broken> wrong_kinds() {
  return {
      {"theta NaN",
       [](GgufWriter& w) { w.replace("gemma3.rope.freq_base", 6, little_endian(0x7FC00000U, 4)); },
       Code::invalid_data,
       "rope theta is nan"},
      {"eps of the wrong type",
       [](GgufWriter& w) {
         w.replace("gemma3.attention.layer_norm_rms_epsilon", 8, gguf_string("small"));
       },
       Code::invalid_data,
       "epsilon"},
      {"yarn scaling",
       [](GgufWriter& w) { w.add_string("gemma3.rope.scaling.type", "yarn"); },
       Code::unsupported,
       "yarn"},
      {"attention scale 0",
       [](GgufWriter& w) { w.add_f32("gemma3.attention.scale", 0.0F); },
       Code::invalid_data,
       "attention scale"},
      {"a soft-cap",
       [](GgufWriter& w) { w.add_f32("gemma3.final_logit_softcapping", 30.0F); },
       Code::unsupported,
       "final_logit_softcapping"},
      {"an untied head",
       [](GgufWriter& w) {
         w.add_tensor({"output.weight", DType::f32, {1, 1}, std::string(4, '\0')});
       },
       Code::unsupported,
       "output.weight"},
      {"another tokenizer",
       [](GgufWriter& w) { w.replace("tokenizer.ggml.model", 8, gguf_string("gpt2")); },
       Code::unsupported,
       "gpt2"},
      {"a space prefix",
       [](GgufWriter& w) { w.replace("tokenizer.ggml.add_space_prefix", 7, "\1"); },
       Code::unsupported,
       "add_space_prefix"},
      {"too few scores",
       [](GgufWriter& w) {
         w.replace("tokenizer.ggml.scores", 9, little_endian(6, 4) + little_endian(0, 8));
       },
       Code::invalid_data,
       "0 scores"},
      {"an eos outside the vocabulary",
       u32("tokenizer.ggml.eos_token_id", 100000),
       Code::invalid_data,
       "100000"},
  };
}

void check_refused(const std::vector<Broken>& cases) {
  const TempDir dir;
  for (const Broken& broken : cases) {
    INFO(broken.what);
    GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
    broken.change(writer);
    facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
    const auto model = Model::load(dir.path() / "m.gguf");
    REQUIRE_FALSE(model.has_value());
    INFO(model.error().message);
    CHECK(facet::code_name(model.error().code) == facet::code_name(broken.code));
    CHECK(model.error().message.find(broken.mentions) != std::string::npos);
    CHECK(model.error().message.find("m.gguf") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("a GGUF model whose sizes do not fit is refused", "[engine][gguf]") {
  check_refused(wrong_sizes());
}

TEST_CASE("a GGUF model of another kind is refused", "[engine][gguf]") {
  check_refused(wrong_kinds());
}

TEST_CASE("a GGUF without the optional keys gets the family's values", "[engine][gguf]") {
  const TempDir dir;
  GgufWriter writer = facet::test::tiny_gguf(TinyModel{.layers = 7, .global_every = 6});
  writer.remove("gemma3.attention.sliding_window_pattern");
  writer.remove("gemma3.rope.freq_base");
  facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
  const auto model = Model::load(dir.path() / "m.gguf");
  REQUIRE(model.has_value());
  const auto& layers = (*model)->config().layers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    CHECK(layers[i].window == (i == 5 ? 0 : 8));
    CHECK(layers[i].rope_theta == (i == 5 ? 1e6 : 1e4));
  }
}

TEST_CASE("a GGUF's factor of positions needs no type, and may have its old name",
          "[engine][gguf]") {
  const TempDir dir;
  struct Case {
    const char* key;
    const char* type;  ///< Null: not stated.
    double divisor;
  };
  for (const Case& c : {Case{"rope.scaling.factor", "linear", 8.0},
                        Case{"rope.scaling.factor", nullptr, 8.0},
                        Case{"rope.scale_linear", nullptr, 8.0},
                        Case{"rope.scaling.factor", "none", 1.0}}) {
    INFO(c.key << ' ' << (c.type == nullptr ? "without a type" : c.type));
    GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
    writer.add_f32("gemma3." + std::string(c.key), 8.0F);
    if (c.type != nullptr) writer.add_string("gemma3.rope.scaling.type", c.type);
    facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
    const auto model = Model::load(dir.path() / "m.gguf");
    REQUIRE(model.has_value());
    CHECK((*model)->config().layers[0].rope_divisor == 1.0);
    CHECK((*model)->config().layers[2].rope_divisor == c.divisor);
  }
}

TEST_CASE("a GGUF without a window has no sliding layers", "[engine][gguf]") {
  const TempDir dir;
  GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
  writer.remove("gemma3.attention.sliding_window");
  // Which layers slide, but not how far: that is a broken file.
  facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
  CHECK_FALSE(Model::load(dir.path() / "m.gguf").has_value());
  writer.remove("gemma3.attention.sliding_window_pattern");
  facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
  const auto model = Model::load(dir.path() / "m.gguf");
  REQUIRE(model.has_value());
  for (const auto& layer : (*model)->config().layers) {
    CHECK(layer.window == 0);
    CHECK(layer.rope_theta == 1e6);
  }
}

TEST_CASE("a GGUF may state its local rotary base and its attention scale", "[engine][gguf]") {
  const TempDir dir;
  GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
  writer.add_f32("gemma3.rope.freq_base_swa", 2e4F);
  writer.add_f32("gemma3.attention.scale", 0.125F);
  facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
  const auto model = Model::load(dir.path() / "m.gguf");
  REQUIRE(model.has_value());
  CHECK((*model)->config().layers[0].rope_theta == 2e4);
  CHECK((*model)->config().layers[2].rope_theta == 1e6);
  CHECK((*model)->config().layers[2].attention_scale == 0.125F);
}

TEST_CASE("an answer ends with <eos> and <end_of_turn> whichever the file calls eos",
          "[engine][gguf]") {
  const TempDir dir;
  GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
  writer.replace_u32("tokenizer.ggml.eos_token_id", 106);
  facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
  const auto model = Model::load(dir.path() / "m.gguf");
  REQUIRE(model.has_value());
  CHECK((*model)->config().stop_ids == std::vector<std::int32_t>{1, 106});
}

TEST_CASE("a norm that is not finite is refused by name", "[engine][gguf]") {
  const TempDir dir;
  GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
  writer.tensor("blk.1.attn_k_norm.weight").bytes.replace(8, 4, little_endian(0x7F800000U, 4));
  facet::test::write_bytes(dir.path() / "m.gguf", writer.bytes());
  const auto model = Model::load(dir.path() / "m.gguf");
  REQUIRE_FALSE(model.has_value());
  CHECK(model.error().code == Code::invalid_data);
  CHECK(model.error().message.find("blk.1.attn_k_norm.weight") != std::string::npos);
}
