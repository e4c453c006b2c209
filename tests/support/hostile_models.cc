#include "tests/support/hostile_models.h"

#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <iterator>
#include <string>
#include <utility>

namespace facet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Write = std::function<fs::path(const fs::path&)>;

constexpr std::uint64_t kHuge = ~std::uint64_t{0};

/// A GGUF file of these bytes.
Write gguf(std::string bytes) {
  return [bytes = std::move(bytes)](const fs::path& folder) {
    write_bytes(folder / "m.gguf", bytes);
    return folder / "m.gguf";
  };
}

/// A good GGUF file with one change.
Write changed_gguf(const std::function<void(GgufWriter&)>& change) {
  return [=](const fs::path& folder) {
    GgufWriter writer = tiny_gguf(TinyModel{});
    change(writer);
    write_bytes(folder / "m.gguf", writer.bytes());
    return folder / "m.gguf";
  };
}

/// A good folder in which one file has these bytes.
Write folder_with(std::string name, std::string bytes) {
  return [name = std::move(name), bytes = std::move(bytes)](const fs::path& folder) {
    write_tiny_folder(folder, TinyModel{});
    write_bytes(folder / name, bytes);
    return folder;
  };
}

Write tensors(const std::string& bytes) {
  return folder_with("model.safetensors", bytes);
}

/// model.safetensors with this header and `data` bytes of zeros.
Write header(const std::string& text, std::size_t data = 8) {
  return tensors(safetensors_bytes(text, std::string(data, '\0')));
}

std::string entry(const std::string& name, const std::string& shape, const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

Write one_tensor(const std::string& shape, const std::string& offsets) {
  return header("{" + entry("a", shape, offsets) + "}");
}

Write two_tensors(const std::string& first, const std::string& second, std::size_t data) {
  return header("{" + entry("a", "[1]", first) + "," + entry("b", "[1]", second) + "}", data);
}

/// A good folder whose config has another value.
Write config(const char* key, const ordered_json& value) {
  ordered_json json = ordered_json::parse(tiny_config_json(TinyModel{}));
  json[key] = value;
  return folder_with("config.json", json.dump());
}

Write config_text(const std::string& from, const std::string& to) {
  std::string text = tiny_config_json(TinyModel{});
  const std::size_t at = text.find(from);
  if (at == std::string::npos) std::abort();  // The test itself is wrong.
  return folder_with("config.json", text.replace(at, from.size(), to));
}

std::string repeated(const std::string& part, std::size_t count) {
  std::string out;
  out.reserve(part.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += part;
  return out;
}

/// An entry for each of `count` names of one to four characters.
std::string many_entries(std::size_t count) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string out = "{";
  for (std::size_t i = 0; i < count; ++i) {
    std::string name;
    for (std::size_t rest = i; name.empty() || rest > 0; rest /= letters.size()) {
      name += letters[rest % letters.size()];
    }
    out += (i > 0 ? "," : "") + entry(name, "[0]", "[0,0]");
  }
  return out + "}";
}

std::string index_of(const std::string& shard) {
  return R"({"weight_map":{"model.norm.weight":")" + shard + R"("}})";
}

Write index(const std::string& text) {
  return folder_with("model.safetensors.index.json", text);
}

/// Groups 1 to 9: files and headers that are not even the outline of a model.
std::vector<HostileModel> broken_outlines() {
  const auto bad = Code::invalid_data;
  const auto limit = Code::limit_exceeded;
  const std::string tokenizer = "tokenizer.model";
  return {
      {1, "an empty GGUF", bad, "is empty", gguf("")},
      {1, "an empty safetensors", bad, "is empty", tensors("")},
      {1, "an empty config", bad, "is empty", folder_with("config.json", "")},
      {1, "an empty tokenizer", bad, "is empty", folder_with(tokenizer, "")},
      {2, "a GGUF of 7 bytes", bad, "version", gguf("GGUF\3\0\0")},
      {2, "a safetensors of 7 bytes", bad, "header length", tensors("1234567")},
      {2, "a config of 7 bytes", bad, "config.json", folder_with("config.json", "{\"mode")},
      {2, "a tokenizer of 7 bytes", bad, "tokenizer.model", folder_with(tokenizer, "1234567")},
      {3, "header length 0", bad, "'{'", tensors(little_endian(0, 8) + "{}")},
      {4, "header length = file size + 1", bad, "header", tensors(little_endian(11, 8) + "{}")},
      {5, "header length 2^64-1", limit, "18446744073709551615", tensors(std::string(8, '\xFF'))},
      {6,
       "header length 100,000,001 in a sparse file",
       limit,
       "100000001",
       [](const fs::path& folder) {
         write_tiny_folder(folder, TinyModel{});
         write_bytes(folder / "model.safetensors", little_endian(100000001, 8) + "{");
         fs::resize_file(folder / "model.safetensors", 100000001 + 8);
         return folder;
       }},
      {6,
       "a header of the longest length that is all zeros",
       bad,
       "'{'",
       [](const fs::path& folder) {
         write_tiny_folder(folder, TinyModel{});
         write_bytes(folder / "model.safetensors", little_endian(1 << 24, 8));
         fs::resize_file(folder / "model.safetensors", (1 << 24) + 8);
         return folder;
       }},
      {7, "a header that is not UTF-8", bad, "JSON", header("{\"\xFF\":1}")},
      {8, "a byte order mark", bad, "'{'", header("\xEF\xBB\xBF{}", 0)},
      {8,
       "a config with a byte order mark",
       bad,
       "config.json",
       folder_with("config.json", "\xEF\xBB\xBF[]")},
      {9, "a header that is an array", bad, "'{'", header("[]")},
      {9, "a header that is a string", bad, "'{'", header("\"x\"")},
      {9, "a header that is a number", bad, "'{'", header("5")},
      {9, "a config that is an array", bad, "object", folder_with("config.json", "[]")},
  };
}

/// Groups 10 to 20: tensors that contradict each other or the file.
std::vector<HostileModel> broken_tensors() {
  const auto bad = Code::invalid_data;
  const std::string good = entry("a", "[2]", "[0,8]");
  return {
      {10, "a tensor name twice", bad, "'a' occurs twice", header("{" + good + "," + good + "}")},
      {11,
       "a key twice in one tensor",
       bad,
       "second value",
       header(R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})")},
      {12, "overlapping tensors", bad, "'b'", two_tensors("[0,4]", "[2,6]", 6)},
      {13, "a hole between tensors", bad, "begins at 8", two_tensors("[0,4]", "[8,12]", 12)},
      {14, "bytes behind the last tensor", bad, "4 bytes", one_tensor("[1]", "[0,4]")},
      {15, "begin behind end", bad, "8 to 0", one_tensor("[2]", "[8,0]")},
      {16, "an end behind the file", bad, "8 bytes of data", one_tensor("[4]", "[0,16]")},
      {17,
       "a product that wraps to a small number",
       bad,
       "4194305",
       one_tensor("[4194305,4194305,211106198978564]", "[0,8]")},
      {17,
       "the same product in a GGUF",
       bad,
       "impossible shape",
       gguf(gguf_tensors({gguf_info("t", {4194305, 4194305, 211106198978564}, 0, 0)}, 64))},
      {18,
       "a zero-size tensor inside another",
       bad,
       "'b'",
       header("{" + entry("a", "[2]", "[0,8]") + "," + entry("b", "[0]", "[4,4]") + "}")},
      {18,
       "a zero-size tensor at another's offset, and no model behind it",
       bad,
       "embed_tokens",
       header("{" + entry("a", "[2]", "[0,8]") + "," + entry("b", "[0]", "[0,0]") + "}")},
      {19, "a negative dimension", bad, "-2", one_tensor("[-2]", "[0,8]")},
      {19, "a float dimension", bad, "2.0", one_tensor("[2.0]", "[0,8]")},
      {19, "a dimension in text", bad, "text", one_tensor("[\"2\"]", "[0,8]")},
      {19, "a dimension of 1e30", bad, "1e30", one_tensor("[1e30]", "[0,8]")},
      {20,
       "an unknown type",
       Code::unsupported,
       "'a' has type 'Q9'",
       header(R"({"a":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}})")},
  };
}

/// Groups 21 to 24: more than anybody needs.
std::vector<HostileModel> oversized() {
  const auto bad = Code::invalid_data;
  const auto limit = Code::limit_exceeded;
  const std::string long_name(10 << 20, 'n');
  return {
      {21, "a million tensors", limit, "header length", header(many_entries(1000000), 0)},
      {21, "70,000 tensors", limit, "16384", header(many_entries(70000), 0)},
      {21, "a million tensors in a GGUF", limit, "1000000", gguf(gguf_head(1000000, 0))},
      {21,
       "65,536 tensors of one name at one place in a GGUF",
       bad,
       "overlaps",
       gguf(gguf_head(65536, 0) + repeated(gguf_info("t", {8}, 0, 0), 65536) +
            std::string(64, '\0'))},
      {22,
       "a tensor name of 10 MB",
       limit,
       "10485760",
       header("{" + entry(long_name, "[2]", "[0,8]") + "}")},
      {22,
       "a tensor name of 10 MB in a GGUF",
       limit,
       "10485760",
       gguf(gguf_tensors({gguf_info(long_name, {8}, 0, 0)}, 32))},
      {23,
       "metadata with nested objects",
       bad,
       "object",
       header(R"({"__metadata__":{"a":{"b":{}}}})", 0)},
      {24, "arrays nested 100,000 deep", bad, "array", header(R"({"a":)" + repeated("[", 100000))},
      {24, "objects nested 100,000 deep", bad, "object", header(repeated(R"({"a":)", 100000))},
      {24,
       "a config nested 100,000 deep",
       limit,
       "config.json",
       folder_with("config.json", R"({"a":)" + repeated("[", 100000))},
      {24,
       "an index nested 100,000 deep",
       limit,
       "index.json",
       index(R"({"weight_map":)" + repeated("{\"a\":", 100000))},
  };
}

/// Group 25: an index that names what it may not.
std::vector<HostileModel> broken_shards() {
  const auto bad = Code::invalid_data;
  const char* name = "plain .safetensors file name";
  return {
      {25, "a shard above the folder", bad, name, index(index_of("../../etc/passwd"))},
      {25, "an absolute shard", bad, name, index(index_of("/etc/passwd"))},
      {25,
       "the index as its own shard",
       bad,
       name,
       index(index_of("model.safetensors.index.json"))},
      {25,
       "a missing shard",
       Code::not_found,
       "none.safetensors",
       index(index_of("none.safetensors"))},
      {25,
       "a shard that is a link to a file of another kind",
       Code::limit_exceeded,
       "link.safetensors",
       [](const fs::path& folder) {
         write_tiny_folder(folder, TinyModel{});
         fs::create_symlink("/etc/passwd", folder / "link.safetensors");
         write_bytes(folder / "model.safetensors.index.json", index_of("link.safetensors"));
         return folder;
       }},
      {25,
       "two links that name each other",
       Code::unavailable,
       "a.safetensors",
       [](const fs::path& folder) {
         write_tiny_folder(folder, TinyModel{});
         fs::create_symlink("b.safetensors", folder / "a.safetensors");
         fs::create_symlink("a.safetensors", folder / "b.safetensors");
         write_bytes(folder / "model.safetensors.index.json", index_of("a.safetensors"));
         return folder;
       }},
      {25,
       "two shards with the same tensors",
       bad,
       "occurs twice",
       [](const fs::path& folder) {
         write_tiny_folder(folder, TinyModel{}, 2);
         fs::copy_file(folder / "part-0.safetensors",
                       folder / "part-1.safetensors",
                       fs::copy_options::overwrite_existing);
         return folder;
       }},
  };
}

/// Group 27, the header of a GGUF.
std::vector<HostileModel> broken_gguf_headers() {
  const auto bad = Code::invalid_data;
  const std::string alignment = "general.alignment";
  const std::string key = gguf_string("k") + little_endian(0, 4) + "\1";
  const std::string nested = little_endian(9, 4) + little_endian(1, 8);
  return {
      {27, "another magic", bad, "GGUF", gguf("GGML" + std::string(40, '\0'))},
      {27,
       "another version",
       Code::unsupported,
       "version 9",
       gguf("GGUF" + little_endian(9, 4) + std::string(16, '\0'))},
      {27, "2^63 tensors", Code::limit_exceeded, "tensor count", gguf(gguf_head(1ULL << 63U, 0))},
      {27, "2^63 keys", Code::limit_exceeded, "metadata count", gguf(gguf_head(0, 1ULL << 63U))},
      {27, "key length 2^64-1", bad, "key", gguf(gguf_head(0, 1) + little_endian(kHuge, 8))},
      {27,
       "arrays 1,000 deep",
       bad,
       "array of type 9",
       gguf(gguf_metadata_file("k", 9, repeated(nested, 1000)))},
      {27,
       "more strings than bytes are left",
       bad,
       "more than the file",
       gguf(gguf_metadata_file("k", 9, little_endian(8, 4) + little_endian(1ULL << 40U, 8)))},
      {27,
       "a million strings of which one is short of bytes",
       bad,
       "'k'",
       gguf(gguf_metadata_file(
           "k",
           9,
           little_endian(8, 4) + little_endian(1 << 20U, 8) + std::string(8 << 20U, '\xFF')))},
      {27,
       "alignment 0",
       bad,
       "alignment is 0",
       gguf(gguf_metadata_file(alignment, 4, little_endian(0, 4)))},
      {27,
       "alignment 3",
       bad,
       "alignment is 3",
       gguf(gguf_metadata_file(alignment, 4, little_endian(3, 4)))},
      {27,
       "alignment 2^31",
       bad,
       "2147483648",
       gguf(gguf_metadata_file(alignment, 4, little_endian(1ULL << 31U, 4)))},
      {27, "a key twice", bad, "'k' occurs twice", gguf(gguf_head(0, 2) + key + key)},
      {27, "a value of type 255", bad, "type 255", gguf(gguf_metadata_file("k", 255, ""))},
  };
}

/// Group 27, the tensors of a GGUF.
std::vector<HostileModel> broken_gguf_tensors() {
  const auto bad = Code::invalid_data;
  const auto one =
      [](const std::vector<std::uint64_t>& dims, std::uint32_t type, std::uint64_t at) {
        return gguf(gguf_tensors({gguf_info("t", dims, type, at)}, 64));
      };
  return {
      {27, "5 dimensions", bad, "5 dimensions", one({1, 1, 1, 1, 1}, 0, 0)},
      {27, "a misaligned offset", bad, "offset 8", one({8}, 0, 8)},
      {27, "an offset whose padding wraps", bad, "18446744073709551612", one({8}, 0, kHuge - 3)},
      {27, "an offset whose end wraps", bad, "end of the file", one({8}, 0, kHuge - 31)},
      {27, "a size just below 2^63", bad, "end of the file", one({kHuge / 8}, 0, 0)},
      {27, "tensor type 255", Code::unsupported, "255", one({8}, 255, 0)},
      {27, "data cut short", bad, "end of the file", one({64}, 0, 0)},
      {27,
       "a model cut short by one byte",
       bad,
       "end of the file",
       [](const fs::path& folder) {
         std::string bytes = tiny_gguf(TinyModel{}).bytes();
         while (bytes.back() == '\0') bytes.pop_back();  // Padding behind the last tensor.
         bytes.pop_back();
         write_bytes(folder / "m.gguf", bytes);
         return folder / "m.gguf";
       }},
  };
}

/// Group 28: configs with impossible values, as a folder and as a GGUF.
std::vector<HostileModel> broken_configs() {
  const auto bad = Code::invalid_data;
  const auto u32 = [](const char* key, std::uint32_t value) {
    return changed_gguf([=](GgufWriter& writer) { writer.replace_u32(key, value); });
  };
  return {
      {28, "-1 layers", bad, "-1", config("num_hidden_layers", -1)},
      {28, "10^9 layers", bad, "1000000000", config("num_hidden_layers", 1000000000)},
      {28, "no heads", bad, "head count is 0", config("num_attention_heads", 0)},
      {28, "no key heads", bad, "head count is 0", config("num_key_value_heads", 0)},
      {28, "fewer rows than pieces", bad, "vocab_size is 300", config("vocab_size", 300)},
      {28, "more rows than the embedding", bad, "embed_tokens", config("hidden_size", 128)},
      {28, "rope theta NaN", bad, "config.json", config_text("1000000.0", "NaN")},
      {28, "rope theta infinite", bad, "config.json", config_text("1000000.0", "1e999")},
      {28, "rope theta 0", bad, "rope theta", config("rope_theta", 0)},
      {28, "window 0", bad, "sliding_window is 0", config("sliding_window", 0)},
      {28, "no layers in a GGUF", bad, "block_count", u32("gemma3.block_count", 0)},
      {28, "10^9 layers in a GGUF", bad, "1000000000", u32("gemma3.block_count", 1000000000)},
      {28, "no heads in a GGUF", bad, "head count is 0", u32("gemma3.attention.head_count", 0)},
      {28, "window 0 in a GGUF", bad, "window is 0", u32("gemma3.attention.sliding_window", 0)},
      {28, "-1 layers in a GGUF", bad, "-1", changed_gguf([](GgufWriter& writer) {
         writer.replace("gemma3.block_count", 5, little_endian(kHuge, 4));
       })},
      {28,
       "rope theta NaN in a GGUF",
       bad,
       "rope theta is nan",
       changed_gguf([](GgufWriter& writer) {
         writer.replace("gemma3.rope.freq_base", 6, little_endian(0x7FC00000U, 4));
       })},
      {28,
       "more pieces than rows in a GGUF",
       bad,
       "token_embd.weight",
       changed_gguf([](GgufWriter& writer) {
         FileTensor& rows = writer.tensor("token_embd.weight");
         rows.shape[0] -= 1;
         rows.bytes.resize(rows.bytes.size() - 64 * 4);
       })},
  };
}

}  // namespace

std::vector<HostileModel> hostile_models() {
  std::vector<HostileModel> out;
  for (auto part : {broken_outlines,
                    broken_tensors,
                    oversized,
                    broken_shards,
                    broken_gguf_headers,
                    broken_gguf_tensors,
                    broken_configs}) {
    std::vector<HostileModel> models = part();
    std::move(models.begin(), models.end(), std::back_inserter(out));
  }
  return out;
}

}  // namespace facet::test
