#include "engine/model/safetensors.h"

#include "engine/model/model.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <filesystem>
#include <random>
#include <string>
#include <vector>

using facet::Code;
using facet::engine::DType;
using facet::engine::Model;
using facet::engine::TensorTable;
using facet::test::encode_values;
using facet::test::little_endian;
using facet::test::safetensors_bytes;
using facet::test::TempDir;
using facet::test::TinyModel;
using facet::test::write_bytes;

namespace {

facet::Status read(const std::string& bytes, TensorTable& table) {
  return facet::engine::read_safetensors(
      std::as_bytes(std::span(bytes.data(), bytes.size())), "", table);
}

/// A header entry of F32.
std::string entry(const std::string& name, const std::string& shape, const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

std::string file(const std::string& header, std::size_t data = 8) {
  return safetensors_bytes(header, std::string(data, '\0'));
}

struct Malformed {
  const char* what;
  std::string bytes;
  Code code;
  const char* mentions;
};

std::string many_tensors() {
  std::string out = "{";
  for (int i = 0; i < 70000; ++i) {
    out += (i > 0 ? "," : "") + entry("t" + std::to_string(i), "[0]", "[0,0]");
  }
  return out + "}";
}

std::vector<Malformed> malformed_headers() {
  const std::string good = entry("a", "[2]", "[0,8]");
  return {
      {"an empty file", "", Code::invalid_data, "header length"},
      {"a file of 7 bytes", std::string(7, '\0'), Code::invalid_data, "header length"},
      {"header length 0", little_endian(0, 8), Code::invalid_data, "'{'"},
      {"a header longer than the file", little_endian(100, 8) + "{}", Code::invalid_data, "header"},
      {"header length 2^64-1", std::string(8, '\xFF') + "{}", Code::limit_exceeded, "184467"},
      {"header length 100,000,001",
       little_endian(100000001, 8) + "{}",
       Code::limit_exceeded,
       "100000001"},
      {"a header that is not UTF-8", file("{\"\xFF\":1}"), Code::invalid_data, "JSON"},
      {"a byte order mark", file("\xEF\xBB\xBF{}", 0), Code::invalid_data, "'{'"},
      {"an array", file("[]"), Code::invalid_data, "'{'"},
      {"a string", file("\"x\""), Code::invalid_data, "'{'"},
      {"a number", file("5"), Code::invalid_data, "'{'"},
      {"an open object", file("{" + good), Code::invalid_data, "JSON"},
      {"text behind the object", file("{" + good + "} x"), Code::invalid_data, "JSON"},
      {"a name twice", file("{" + good + "," + good + "}"), Code::invalid_data, "'a' occurs twice"},
      {"a key twice in one tensor",
       file(R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})"),
       Code::invalid_data,
       "second value"},
      {"no dtype", file(R"({"a":{"shape":[2],"data_offsets":[0,8]}})"), Code::invalid_data, "'a'"},
      {"no shape",
       file(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})"),
       Code::invalid_data,
       "'a'"},
      {"no offsets", file(R"({"a":{"dtype":"F32","shape":[2]}})"), Code::invalid_data, "'a'"},
      {"one offset", file("{" + entry("a", "[2]", "[8]") + "}"), Code::invalid_data, "'a'"},
      {"three offsets",
       file("{" + entry("a", "[2]", "[0,8,9]") + "}"),
       Code::invalid_data,
       "more than two"},
      {"an unknown field",
       file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})"),
       Code::invalid_data,
       "'x'"},
      {"metadata with an object",
       file(R"({"__metadata__":{"a":{}}})", 0),
       Code::invalid_data,
       "object"},
      {"metadata with a number",
       file(R"({"__metadata__":{"a":1}})", 0),
       Code::invalid_data,
       "number"},
      {"nesting of 100,000",
       file(R"({"a":)" + std::string(100000, '[')),
       Code::invalid_data,
       "array"},
      {"objects nested 100,000 deep",
       [] {
         std::string deep;
         for (int i = 0; i < 100000; ++i) deep += R"({"a":)";
         return file(deep);
       }(),
       Code::invalid_data,
       "object"},
      {"70,000 tensors", file(many_tensors(), 0), Code::limit_exceeded, "16384"},
      {"a name of 10 MB",
       file("{" + entry(std::string(10 << 20, 'n'), "[2]", "[0,8]") + "}"),
       Code::limit_exceeded,
       "tensor name"},
  };
}

std::vector<Malformed> malformed_tensors() {
  const auto one = [](const std::string& shape, const std::string& offsets) {
    return file("{" + entry("a", shape, offsets) + "}");
  };
  const auto two = [](const std::string& first, const std::string& second, std::size_t data) {
    return file("{" + entry("a", "[1]", first) + "," + entry("b", "[1]", second) + "}", data);
  };
  return {
      {"overlapping data", two("[0,4]", "[2,6]", 6), Code::invalid_data, "'b'"},
      {"the same data twice", two("[0,4]", "[0,4]", 4), Code::invalid_data, "expected 4"},
      {"a hole", two("[0,4]", "[8,12]", 12), Code::invalid_data, "begins at 8"},
      {"a hole in front", one("[1]", "[4,8]"), Code::invalid_data, "begins at 4"},
      {"bytes behind the last tensor", one("[1]", "[0,4]"), Code::invalid_data, "4 bytes"},
      {"begin behind end", one("[2]", "[8,0]"), Code::invalid_data, "8 to 0"},
      {"an end behind the file", one("[4]", "[0,16]"), Code::invalid_data, "8 bytes of data"},
      {"offsets that disagree with the shape", one("[3]", "[0,8]"), Code::invalid_data, "(3)"},
      {"a product that wraps to a small number",
       one("[4194305,4194305,211106198978564]", "[0,8]"),
       Code::invalid_data,
       "4194305"},
      {"a negative dimension", one("[-2]", "[0,8]"), Code::invalid_data, "-2"},
      {"a float dimension", one("[2.0]", "[0,8]"), Code::invalid_data, "2.0"},
      {"a dimension in text", one("[\"2\"]", "[0,8]"), Code::invalid_data, "text"},
      {"a dimension of 1e30", one("[1e30]", "[0,8]"), Code::invalid_data, "1e30"},
      {"a dimension of 2^63",
       one("[9223372036854775808]", "[0,8]"),
       Code::invalid_data,
       "9223372036854775808"},
      {"a negative offset", one("[2]", "[-1,7]"), Code::invalid_data, "-1"},
      {"nine dimensions", one("[1,1,1,1,1,1,1,1,2]", "[0,8]"), Code::invalid_data, "dimensions"},
      {"a zero-size tensor in the middle of another",
       file("{" + entry("a", "[2]", "[0,8]") + "," + entry("b", "[0]", "[4,4]") + "}"),
       Code::invalid_data,
       "'b'"},
      {"an unknown type",
       file(R"({"a":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}})"),
       Code::unsupported,
       "'a' has type 'Q9'"},
      {"a type that is not read",
       file(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})"),
       Code::unsupported,
       "I64"},
  };
}

void check_refused(const std::vector<Malformed>& cases) {
  for (const Malformed& broken : cases) {
    INFO(broken.what);
    TensorTable table;
    const auto status = read(broken.bytes, table);
    REQUIRE_FALSE(status.has_value());
    INFO(status.error().message);
    CHECK(facet::code_name(status.error().code) == facet::code_name(broken.code));
    CHECK(status.error().message.find(broken.mentions) != std::string::npos);
  }
}

/// Loads `folder` and expects a refusal that mentions the text.
void check_folder_refused(const std::filesystem::path& folder, Code code, const char* mentions) {
  const auto model = Model::load(folder);
  REQUIRE_FALSE(model.has_value());
  INFO(model.error().message);
  CHECK(facet::code_name(model.error().code) == facet::code_name(code));
  CHECK(model.error().message.find(mentions) != std::string::npos);
}

std::string index_of(const std::string& shard) {
  return R"({"weight_map":{"model.norm.weight":")" + shard + R"("}})";
}

}  // namespace

TEST_CASE("every malformed safetensors header is refused with its reason",
          "[engine][safetensors]") {
  check_refused(malformed_headers());
}

TEST_CASE("every malformed safetensors tensor is refused with its reason",
          "[engine][safetensors]") {
  check_refused(malformed_tensors());
}

TEST_CASE("safetensors of each type are read by name", "[engine][safetensors]") {
  const std::string bytes =
      safetensors_bytes({{"z", DType::f32, {2, 2}, encode_values(DType::f32, {1, 2, 3, 4})},
                         {"a", DType::f16, {2}, encode_values(DType::f16, {0.5F, -2})},
                         {"b", DType::bf16, {2}, encode_values(DType::bf16, {3, -4})}});
  TensorTable table;
  REQUIRE(read(bytes, table).has_value());
  CHECK(table.vector("a", 2, 1.0F).value() == std::vector<float>{1.5F, -1});
  CHECK(table.vector("b", 2, 0.0F).value() == std::vector<float>{3, -4});
  const auto view = table.matrix("z", 2, 2);
  REQUIRE(view.has_value());
  std::vector<float> row(2);
  facet::engine::dequantize(view->type, view->row(1), 2, row.data());
  CHECK(row == std::vector<float>{3, 4});
}

TEST_CASE("a safetensors file cut or changed anywhere is refused or read, never more",
          "[engine][safetensors]") {
  const std::string good = safetensors_bytes({{"a", DType::f32, {2, 2}, std::string(16, '\1')},
                                              {"b", DType::f16, {4}, std::string(8, '\1')}});
  for (std::size_t size = 0; size < good.size(); ++size) {
    TensorTable table;
    CHECK_FALSE(read(good.substr(0, size), table).has_value());
  }
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string changed = good;
    for (int i = 0; i < 2; ++i) changed[random() % changed.size()] = static_cast<char>(random());
    TensorTable table;
    if (!read(changed, table)) ++refused;
    const auto* begin = reinterpret_cast<const std::byte*>(changed.data());
    for (const auto& [name, tensor] : table.all()) {
      CHECK(tensor.data >= begin);
      CHECK(tensor.data + tensor.bytes <= begin + changed.size());
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("a matrix that is not aligned for its type is refused", "[engine][safetensors]") {
  const facet::engine::StoredTensor good{"t", DType::f32, {1, 2}, nullptr, 8};
  alignas(8) const std::byte bytes[16]{};
  for (const std::size_t shift : {0U, 1U, 2U, 4U}) {
    TensorTable table;
    auto tensor = good;
    tensor.data = bytes + shift;
    REQUIRE(table.add(tensor).has_value());
    const auto view = table.matrix("t", 1, 2);
    CHECK(view.has_value() == (shift % 4 == 0));
    if (!view) CHECK(view.error().code == Code::unsupported);
  }
}

TEST_CASE("a shard index cannot name anything but files of its folder", "[engine][safetensors]") {
  const TempDir dir;
  facet::test::write_tiny_folder(dir.path(), TinyModel{}, 2);
  const auto index = dir.path() / "model.safetensors.index.json";
  for (const char* name : {"../../etc/passwd",
                           "/etc/passwd",
                           "a/b.safetensors",
                           "..",
                           "",
                           ".hidden.safetensors",
                           "tokenizer.model",
                           "a\\\\b.safetensors"}) {
    INFO(name);
    write_bytes(index, index_of(name));
    check_folder_refused(dir.path(), Code::invalid_data, "plain .safetensors file name");
  }
  write_bytes(index, R"({"weight_map":{"t":5}})");
  check_folder_refused(dir.path(), Code::invalid_data, "plain .safetensors file name");
  write_bytes(index, R"({"weight_map":[]})");
  check_folder_refused(dir.path(), Code::invalid_data, "weight_map");
  write_bytes(index, "{");
  check_folder_refused(dir.path(), Code::invalid_data, "model.safetensors.index.json");
  write_bytes(index, index_of("none.safetensors"));
  check_folder_refused(dir.path(), Code::not_found, "none.safetensors");
  write_bytes(index, index_of("index.safetensors"));
  std::filesystem::create_directory(dir.path() / "index.safetensors");
  check_folder_refused(dir.path(), Code::invalid_data, "index.safetensors");
}

TEST_CASE("an index and its shards must name the same tensors", "[engine][safetensors]") {
  const TempDir dir;
  const auto index = dir.path() / "model.safetensors.index.json";
  facet::test::write_tiny_folder(dir.path(), TinyModel{}, 2);
  write_bytes(index, index_of("part-0.safetensors"));
  check_folder_refused(dir.path(), Code::invalid_data, "'model.norm.weight' is not in part-0");
  write_bytes(index,
              R"({"weight_map":{"model.layers.0.self_attn.k_proj.weight":"part-0.safetensors"}})");
  check_folder_refused(dir.path(), Code::invalid_data, "the index names 1");
  facet::test::write_tiny_folder(dir.path(), TinyModel{}, 2);
  std::filesystem::copy_file(dir.path() / "part-0.safetensors",
                             dir.path() / "part-1.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  check_folder_refused(dir.path(), Code::invalid_data, "occurs twice");
}

TEST_CASE("a shard may be a link, as in the Hugging Face cache", "[engine][safetensors]") {
  const TempDir dir;
  const auto folder = dir.path() / "snapshot";
  facet::test::write_tiny_folder(folder, TinyModel{});
  std::filesystem::rename(folder / "model.safetensors", dir.path() / "blob");
  std::filesystem::create_symlink("../blob", folder / "model.safetensors");
  CHECK(Model::load(folder).has_value());
  std::filesystem::remove(dir.path() / "blob");
  check_folder_refused(folder, Code::not_found, "model.safetensors");
}
