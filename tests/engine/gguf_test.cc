#include "engine/model/gguf.h"

#include "tests/support/catch.h"
#include "tests/support/model_files.h"

#include <limits>
#include <random>
#include <string>
#include <vector>

using facet::Code;
using facet::engine::DType;
using facet::engine::Gguf;
using facet::engine::GgufArray;
using facet::test::encode_values;
using facet::test::gguf_head;
using facet::test::gguf_info;
using facet::test::gguf_metadata_file;
using facet::test::gguf_string;
using facet::test::gguf_tensors;
using facet::test::GgufWriter;
using facet::test::little_endian;

namespace {

facet::Result<Gguf> parse(const std::string& bytes) {
  return Gguf::parse(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

std::string alignment_file(std::uint32_t alignment) {
  return gguf_metadata_file("general.alignment", 4, little_endian(alignment, 4));
}

struct Malformed {
  const char* what;
  std::string bytes;
  Code code;
  const char* mentions;
};

std::vector<Malformed> malformed_headers() {
  const std::string key = gguf_string("k");
  return {
      {"an empty file", "", Code::invalid_data, "magic"},
      {"a file of 7 bytes", "GGUF\3\0\0", Code::invalid_data, "version"},
      {"another magic", "GGML" + std::string(40, '\0'), Code::invalid_data, "GGUF"},
      {"version 0", "GGUF" + std::string(20, '\0'), Code::invalid_data, "version is 0"},
      {"version 1", "GGUF" + little_endian(1, 4) + std::string(16, '\0'), Code::unsupported, "1"},
      {"version 4", "GGUF" + little_endian(4, 4) + std::string(16, '\0'), Code::unsupported, "4"},
      {"big-endian", "GGUF" + std::string("\0\0\0\3", 4), Code::unsupported, "big-endian"},
      {"2^63 tensors", gguf_head(1ULL << 63U, 0), Code::limit_exceeded, "tensor count"},
      {"2^64-1 keys", gguf_head(0, kHuge), Code::limit_exceeded, "metadata count"},
      {"a million tensors", gguf_head(1000000, 0), Code::limit_exceeded, "1000000"},
      {"a missing key", gguf_head(0, 1), Code::invalid_data, "metadata key"},
      {"key length 2^64-1", gguf_head(0, 1) + little_endian(kHuge, 8), Code::invalid_data, "key"},
      {"a key of 100,000 bytes",
       gguf_head(0, 1) + gguf_string(std::string(100000, 'k')),
       Code::limit_exceeded,
       "100000"},
      {"value type 13", gguf_metadata_file("k", 13, ""), Code::invalid_data, "type 13"},
      {"a bool of 2", gguf_metadata_file("k", 7, "\2"), Code::invalid_data, "bool of 2"},
      {"a u64 above 2^63",
       gguf_metadata_file("k", 10, little_endian(kHuge, 8)),
       Code::invalid_data,
       "too large"},
      {"a string without its bytes",
       gguf_metadata_file("k", 8, little_endian(5, 8) + "abc"),
       Code::invalid_data,
       "'k'"},
      {"an array of arrays",
       gguf_metadata_file("k", 9, little_endian(9, 4) + little_endian(1, 8)),
       Code::invalid_data,
       "array of type 9"},
      {"an array of 2^62 strings",
       gguf_metadata_file("k", 9, little_endian(8, 4) + little_endian(1ULL << 62U, 8)),
       Code::invalid_data,
       "more than the file"},
      {"an array cut short",
       gguf_metadata_file(
           "k", 9, little_endian(4, 4) + little_endian(3, 8) + std::string(11, '\0')),
       Code::invalid_data,
       "3 elements"},
      {"a key twice",
       gguf_head(0, 2) + key + little_endian(0, 4) + "\1" + key + little_endian(0, 4) + "\1",
       Code::invalid_data,
       "'k' occurs twice"},
      {"alignment 0", alignment_file(0), Code::invalid_data, "alignment is 0"},
      {"alignment 3", alignment_file(3), Code::invalid_data, "alignment is 3"},
      {"alignment 48", alignment_file(48), Code::invalid_data, "alignment is 48"},
      {"alignment 2^31", alignment_file(1U << 31U), Code::invalid_data, "2147483648"},
      {"an alignment that is text",
       gguf_metadata_file("general.alignment", 8, gguf_string("32")),
       Code::invalid_data,
       "not an integer"},
  };
}

std::vector<Malformed> malformed_tensors() {
  const std::uint64_t wrap = std::numeric_limits<std::uint64_t>::max() / 4 + 2;
  return {
      {"no dimensions", gguf_tensors({gguf_info("t", {}, 0, 0)}, 64), Code::invalid_data, "'t'"},
      {"5 dimensions",
       gguf_tensors({gguf_info("t", {1, 1, 1, 1, 1}, 0, 0)}, 64),
       Code::invalid_data,
       "5 dimensions"},
      {"a dimension of 0",
       gguf_tensors({gguf_info("t", {0}, 0, 0)}, 64),
       Code::invalid_data,
       "of 0"},
      {"a dimension of 2^64-1",
       gguf_tensors({gguf_info("t", {kHuge}, 0, 0)}, 64),
       Code::invalid_data,
       "dimension"},
      {"a size that wraps",
       gguf_tensors({gguf_info("t", {wrap}, 0, 0)}, 64),
       Code::invalid_data,
       "impossible shape"},
      {"a product that wraps",
       gguf_tensors({gguf_info("t", {4194305, 4194305, 211106198978564}, 0, 0)}, 64),
       Code::invalid_data,
       "impossible shape"},
      {"half a block", gguf_tensors({gguf_info("t", {48}, 8, 0)}, 64), Code::invalid_data, "Q8_0"},
      {"tensor type 255",
       gguf_tensors({gguf_info("t", {8}, 255, 0)}, 64),
       Code::unsupported,
       "255"},
      {"tensor type IQ4_XS",
       gguf_tensors({gguf_info("big.w", {256}, 23, 0)}, 256),
       Code::unsupported,
       "'big.w' has type IQ4_XS"},
      {"a misaligned offset",
       gguf_tensors({gguf_info("t", {8}, 0, 8)}, 64),
       Code::invalid_data,
       "offset 8"},
      {"an offset of 2^64-32",
       gguf_tensors({gguf_info("t", {8}, 0, kHuge - 31)}, 64),
       Code::invalid_data,
       "end of the file"},
      {"data cut short",
       gguf_tensors({gguf_info("t", {8}, 0, 0)}, 31),
       Code::invalid_data,
       "end of the file"},
      {"no data at all",
       gguf_head(1, 0) + gguf_info("t", {8}, 0, 0),
       Code::invalid_data,
       "ends before"},
      {"overlapping data",
       gguf_tensors({gguf_info("a", {16}, 0, 0), gguf_info("b", {8}, 0, 32)}, 64),
       Code::invalid_data,
       "'b'"},
      {"a name twice",
       gguf_tensors({gguf_info("t", {8}, 0, 0), gguf_info("t", {8}, 0, 32)}, 64),
       Code::invalid_data,
       "'t' occurs twice"},
      {"a name of 10 MB",
       gguf_tensors({gguf_info(std::string(10 << 20, 'n'), {8}, 0, 0)}, 32),
       Code::limit_exceeded,
       "tensor name"},
  };
}

void check_refused(const std::vector<Malformed>& cases) {
  for (const Malformed& file : cases) {
    INFO(file.what);
    const auto parsed = parse(file.bytes);
    REQUIRE_FALSE(parsed.has_value());
    INFO(parsed.error().message);
    CHECK(facet::code_name(parsed.error().code) == facet::code_name(file.code));
    CHECK(parsed.error().message.find(file.mentions) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("every malformed GGUF header is refused with its reason", "[engine][gguf]") {
  check_refused(malformed_headers());
}

TEST_CASE("every malformed GGUF tensor table is refused with its reason", "[engine][gguf]") {
  check_refused(malformed_tensors());
}

TEST_CASE("GGUF metadata of every type is read", "[engine][gguf]") {
  GgufWriter writer;
  writer.version = 2;
  writer.add_raw("u8", 0, "\xFF");
  writer.add_raw("i8", 1, "\xFF");
  writer.add_raw("u16", 2, "\xFF\xFF");
  writer.add_raw("i16", 3, "\xFE\xFF");
  writer.add_u32("u32", 4000000000U);
  writer.add_raw("i32", 5, little_endian(kHuge, 4));
  writer.add_f32("f32", 0.5F);
  writer.add_bool("bool", true);
  writer.add_string("string", "hello");
  writer.add_raw("u64", 10, little_endian(1ULL << 40U, 8));
  writer.add_raw("i64", 11, little_endian(kHuge, 8));
  writer.add_raw("f64", 12, little_endian(0x3FE0000000000000ULL, 8));
  writer.add_strings("strings", {"a", "", "bc"});
  writer.add_i32s("ints", {-1, 7});
  writer.add_f32s("floats", {1.5F});
  const std::string bytes = writer.bytes();
  const auto gguf = parse(bytes);
  REQUIRE(gguf.has_value());
  CHECK(gguf->version() == 2);
  CHECK(gguf->need_integer("u8").value() == 255);
  CHECK(gguf->need_integer("i8").value() == -1);
  CHECK(gguf->need_integer("u16").value() == 65535);
  CHECK(gguf->need_integer("i16").value() == -2);
  CHECK(gguf->need_integer("u32").value() == 4000000000);
  CHECK(gguf->need_integer("i32").value() == -1);
  CHECK(gguf->need_number("f32").value() == 0.5);
  CHECK(gguf->boolean("bool").value().value());
  CHECK(gguf->need_string("string").value() == "hello");
  CHECK(gguf->need_integer("u64").value() == 1099511627776);
  CHECK(gguf->need_integer("i64").value() == -1);
  CHECK(gguf->need_number("f64").value() == 0.5);
  CHECK(gguf->need_number("u8").value() == 255.0);
  const auto strings =
      std::get<std::vector<std::string_view>>(std::get<GgufArray>(*gguf->find("strings")));
  CHECK(strings == std::vector<std::string_view>{"a", "", "bc"});
  const auto ints = std::get<std::vector<std::int64_t>>(std::get<GgufArray>(*gguf->find("ints")));
  CHECK(ints == std::vector<std::int64_t>{-1, 7});
  CHECK_FALSE(gguf->integer("none").value().has_value());
  CHECK(gguf->need_integer("none").error().message.find("'none' is missing") != std::string::npos);
  CHECK(gguf->integer("string").error().code == Code::invalid_data);
}

TEST_CASE("GGUF tensors have their shape outermost first and their own bytes", "[engine][gguf]") {
  GgufWriter writer;
  writer.add_u32("general.alignment", 64);
  writer.alignment = 64;
  writer.add_tensor({"a", DType::f32, {2, 3}, encode_values(DType::f32, {1, 2, 3, 4, 5, 6})});
  writer.add_tensor({"b", DType::f16, {4}, encode_values(DType::f16, {7, 8, 9, 10})});
  const std::string bytes = writer.bytes();
  const auto gguf = parse(bytes);
  REQUIRE(gguf.has_value());
  const auto view = gguf->tensors().matrix("a", 2, 3);
  REQUIRE(view.has_value());
  std::vector<float> row(3);
  facet::engine::dequantize(view->type, view->row(1), 3, row.data());
  CHECK(row == std::vector<float>{4, 5, 6});
  CHECK(gguf->tensors().vector("b", 4, 1.0F).value() == std::vector<float>{8, 9, 10, 11});
  CHECK(gguf->tensors().matrix("a", 3, 2).error().message.find("(2, 3)") != std::string::npos);
}

TEST_CASE("a GGUF cut or changed anywhere is refused or read, never more", "[engine][gguf]") {
  GgufWriter writer;
  writer.add_string("general.architecture", "gemma3");
  writer.add_strings("tokens", {"a", "b"});
  writer.add_tensor({"t", DType::f32, {2, 8}, std::string(64, '\1')});
  const std::string good = writer.bytes();
  REQUIRE(parse(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse(good.substr(0, size)).has_value());
  }
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string changed = good;
    for (int i = 0; i < 3; ++i) changed[random() % changed.size()] = static_cast<char>(random());
    const auto parsed = parse(changed);
    if (!parsed) {
      ++refused;
      continue;
    }
    for (const auto& [name, tensor] : parsed->tensors().all()) {
      const auto* begin = reinterpret_cast<const std::byte*>(changed.data());
      CHECK(tensor.data >= begin);
      CHECK(tensor.data + tensor.bytes <= begin + changed.size());
    }
  }
  CHECK(refused > 1000);
}
