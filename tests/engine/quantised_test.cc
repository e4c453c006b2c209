// The quantised types against another implementation, and in files that mix them.
#include "engine/model/quantised.h"

#include "engine/engine.h"
#include "engine/model/model.h"
#include "engine/model/quantize.h"
#include "tests/support/catch.h"
#include "tests/support/random_tensors.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using namespace facet::engine;
using facet::test::GgufWriter;
using facet::test::RandomTensor;
using facet::test::TempDir;
using facet::test::TinyModel;

namespace {

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 2 <= hex.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

/// What a converter makes of each tensor.
using TypeOf = DType (*)(const std::string& name);

/// As in Q4_K_M files: values and the way down in Q6_K, the rest in Q4_K.
DType mixed_k(const std::string& name) {
  const bool is_fine = name.find("attn_v") != std::string::npos ||
                       name.find("ffn_down") != std::string::npos || name == "token_embd.weight";
  return is_fine ? DType::q6_k : DType::q4_k;
}

/// As in Q2_K files: what is read at every position finer than the rest.
DType mixed_small_k(const std::string& name) {
  if (name == "token_embd.weight") return DType::q6_k;
  const bool is_fine = name.find("attn_v") != std::string::npos ||
                       name.find("attn_output") != std::string::npos ||
                       name.find("ffn_down") != std::string::npos;
  return is_fine ? DType::q3_k : DType::q2_k;
}

/// As in Google's QAT files.
DType mixed_qat(const std::string& name) {
  return name == "token_embd.weight" ? DType::f16 : DType::q4_0;
}

/// Every other type somewhere.
DType mixed_all(const std::string& name) {
  if (name.find("attn_q.") != std::string::npos) return DType::q5_k;
  if (name.find("attn_k.") != std::string::npos) return DType::q4_1;
  if (name.find("attn_v") != std::string::npos) return DType::q5_0;
  if (name.find("attn_output") != std::string::npos) return DType::iq4_nl;
  if (name.find("ffn_up") != std::string::npos) return DType::bf16;
  return name == "token_embd.weight" ? DType::q8_0 : DType::q5_1;
}

constexpr TinyModel kWide{.layers = 3, .hidden = 256, .head_dim = 64, .ffn = 512};

/// Logits after a prompt of two windows and a bit, from a file.
std::vector<float> logits_of(const std::filesystem::path& path) {
  const auto engine = Engine::load({.model = path, .threads = 1, .float_activations = true});
  if (!engine) FAIL(engine.error().message);
  Sequence sequence = (*engine)->new_sequence();
  std::vector<TokenId> ids;
  for (int i = 0; i < 19; ++i) ids.push_back(110 + 13 * i);
  REQUIRE(sequence.append(ids).has_value());
  const auto logits = sequence.logits().value();
  return {logits.begin(), logits.end()};
}

}  // namespace

TEST_CASE("every type gives the values of the gguf package", "[engine][quantised]") {
  std::ifstream file(std::string(FACET_SOURCE_DIR) + "/tests/oracle/gguf_blocks.json");
  const auto golden = nlohmann::json::parse(file).at("types");
  for (const DType type : dtypes()) {
    if (type == DType::f32) continue;
    INFO(dtype_name(type));
    const auto& entry = golden.at(std::string(dtype_name(type)));
    const std::vector<std::byte> blocks = from_hex(entry.at("blocks"));
    const std::vector<std::byte> values = from_hex(entry.at("values"));
    REQUIRE(blocks.size() % static_cast<std::size_t>(dtype_block_bytes(type)) == 0);
    std::vector<float> out(values.size() / sizeof(float));
    const auto count = static_cast<std::int64_t>(out.size());
    REQUIRE(dtype_row_bytes(type, count) == static_cast<std::int64_t>(blocks.size()));
    dequantize(type, blocks.data(), count, out.data());
    std::vector<float> wanted(out.size());
    std::memcpy(wanted.data(), values.data(), values.size());
    CHECK(out == wanted);
  }
}

TEST_CASE("types are known by name and by number", "[engine][quantised]") {
  CHECK(dtypes().size() == 14);
  for (const DType type : dtypes()) {
    CHECK(dtype_from_name(dtype_name(type)) == type);
    CHECK(dtype_from_gguf_id(dtype_gguf_id(type)) == type);
  }
  CHECK(dtype_gguf_id(DType::iq4_nl) == 20);
  CHECK_FALSE(dtype_from_gguf_id(23).has_value());
  CHECK_FALSE(dtype_from_name("q4_k").has_value());
  CHECK_FALSE(dtype_row_bytes(DType::q6_k, 640).has_value());
  CHECK(dtype_row_bytes(DType::q6_k, 768) == 630);
}

TEST_CASE("a file of mixed types computes what its dequantised weights compute",
          "[engine][quantised]") {
  const TypeOf type_of = GENERATE(mixed_k, mixed_small_k, mixed_qat, mixed_all);
  const TempDir dir;
  GgufWriter mixed = facet::test::tiny_gguf(kWide);
  GgufWriter plain = facet::test::tiny_gguf(kWide);
  std::mt19937 random(5);
  for (const auto& [name, weights] : facet::test::tiny_weights(kWide)) {
    if (weights.shape.size() != 2) continue;
    const DType type = type_of(name);
    const RandomTensor tensor(type, weights.shape[0], weights.shape[1], random);
    std::vector<float> floats(weights.values.size());
    dequantize(type, tensor.view().data, static_cast<std::int64_t>(floats.size()), floats.data());
    mixed.tensor(name) = {name, type, weights.shape, tensor.bytes()};
    plain.tensor(name).bytes = facet::test::encode_values(DType::f32, floats);
  }
  facet::test::write_bytes(dir.path() / "mixed.gguf", mixed.bytes());
  facet::test::write_bytes(dir.path() / "plain.gguf", plain.bytes());
  // Weights are expanded exactly and summed in one order, so not a bit may differ.
  CHECK(logits_of(dir.path() / "mixed.gguf") == logits_of(dir.path() / "plain.gguf"));
}

TEST_CASE("quantizing gives the blocks of the gguf package", "[engine][quantised]") {
  std::ifstream file(std::string(FACET_SOURCE_DIR) + "/tests/oracle/gguf_blocks.json");
  const auto golden = nlohmann::json::parse(file).at("quantized");
  REQUIRE(golden.size() == 2);
  for (const auto& [name, entry] : golden.items()) {
    INFO(name);
    const auto type = dtype_from_name(name);
    REQUIRE(type.has_value());
    REQUIRE(can_quantize(*type));
    const std::vector<std::byte> bytes = from_hex(entry.at("values"));
    const std::vector<std::byte> wanted = from_hex(entry.at("blocks"));
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    std::vector<std::byte> out(wanted.size());
    quantize(*type, values.data(), static_cast<std::int64_t>(values.size()), out.data());
    CHECK(out == wanted);
  }
  CHECK_FALSE(can_quantize(DType::q4_k));
}

TEST_CASE("a GGUF is quantized with all that it says", "[engine][quantised]") {
  const TempDir dir;
  GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
  writer.add_u32("general.file_type", 0);
  facet::test::write_bytes(dir.path() / "in.gguf", writer.bytes());
  const DType type = GENERATE(DType::q8_0, DType::q4_0);
  const auto counts = quantize_model(dir.path() / "in.gguf", dir.path() / "out.gguf", type);
  if (!counts) FAIL(counts.error().message);
  CHECK(counts->quantized == 22);
  CHECK(counts->kept == 19);
  const auto before = Model::load(dir.path() / "in.gguf");
  const auto after = Model::load(dir.path() / "out.gguf");
  REQUIRE(before.has_value());
  REQUIRE(after.has_value());
  const std::string name(dtype_name(type));
  CHECK((*after)->info().weight_types == name + " x22, F32 x19");
  CHECK((*after)->info().parameters == (*before)->info().parameters);
  CHECK((*after)->config().layers[2].window == 0);
  CHECK((*after)->tokenizer().size() == (*before)->tokenizer().size());
  const std::vector<float>& norm = (*before)->layer(1).q_norm;
  CHECK((*after)->layer(1).q_norm == norm);
  // Half a step of the type: the largest weight of a block is below 0.3.
  const TensorView from = (*before)->layer(2).down;
  const TensorView to = (*after)->layer(2).down;
  std::vector<float> a(static_cast<std::size_t>(from.cols));
  std::vector<float> b(a.size());
  const float step = type == DType::q8_0 ? 0.3F / 127.0F : 0.3F / 8.0F;
  for (std::int64_t r = 0; r < from.rows; ++r) {
    dequantize(from.type, from.row(r), from.cols, a.data());
    dequantize(to.type, to.row(r), to.cols, b.data());
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(std::abs(a[i] - b[i]) <= step);
  }
}

TEST_CASE("quantizing refuses what it cannot write and leaves no file", "[engine][quantised]") {
  const TempDir dir;
  const auto in = dir.path() / "in.gguf";
  GgufWriter writer = facet::test::tiny_gguf(TinyModel{});
  writer.tensor("blk.1.ffn_up.weight")
      .bytes.replace(64, 4, facet::test::little_endian(0x7FC00000U, 4));
  facet::test::write_bytes(in, writer.bytes());
  const auto message = [&](const std::filesystem::path& out, DType type) {
    const auto refused = quantize_model(in, out, type);
    REQUIRE_FALSE(refused.has_value());
    return refused.error().message;
  };
  CHECK_THAT(message(dir.path() / "o", DType::q8_0), Catch::Contains("blk.1.ffn_up.weight"));
  CHECK_THAT(message(dir.path() / "o", DType::q6_k), Catch::Contains("Q6_K"));
  CHECK_THAT(message(in, DType::q8_0), Catch::Contains("is the file that is read"));
  CHECK_THAT(message(dir.path() / "no" / "o", DType::q8_0), Catch::Contains("cannot write"));
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}
