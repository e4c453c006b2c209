// Writers of model files for tests: GGUF and safetensors from plain values, well-formed unless a
// test asks for a fault.
#pragma once

#include "engine/model/tensor.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace facet::test {

/// A tensor to write; `shape` outermost first. `bytes` holds the encoded values.
struct FileTensor {
  std::string name;
  engine::DType type = engine::DType::f32;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

/// `values` in the form of `type`. REQUIRES: a whole number of blocks.
std::string encode_values(engine::DType type, const std::vector<float>& values);

/// Collects GGUF parts and writes them, little-endian.
class GgufWriter {
 public:
  std::uint32_t magic = 0x46554747U;
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;  ///< Used for the layout; written only by add_u32 by the caller.

  void add_u32(std::string_view key, std::uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, const std::vector<std::string>& values);
  void add_f32s(std::string_view key, const std::vector<float>& values);
  void add_i32s(std::string_view key, const std::vector<std::int32_t>& values);
  void add_i64s(std::string_view key, const std::vector<std::int64_t>& values);
  /// A value of any type, given by its number and its bytes.
  void add_raw(std::string_view key, std::uint32_t type, std::string_view bytes);
  /// The same in place of what `key` has. REQUIRES: `key` is there.
  void replace(std::string_view key, std::uint32_t type, std::string_view bytes);
  void replace_u32(std::string_view key, std::uint32_t value);
  void remove(std::string_view key);

  void add_tensor(FileTensor tensor) { tensors_.push_back(std::move(tensor)); }
  /// The tensor of that name, to be changed. REQUIRES: it is there.
  FileTensor& tensor(std::string_view name);
  /// The tokenizer.ggml keys for `vocabulary`.
  void add_vocabulary(const engine::Vocabulary& vocabulary);

  [[nodiscard]] std::string bytes() const;

 private:
  struct Entry {
    std::string key;
    std::string value;  ///< Type and bytes.
  };
  std::vector<Entry>::iterator find(std::string_view key);

  std::vector<Entry> metadata_;
  std::vector<FileTensor> tensors_;
};

/// `text` behind its length, as GGUF writes strings.
std::string gguf_string(std::string_view text);
/// The `size` low bytes of `value`, least significant first.
std::string little_endian(std::uint64_t value, int size);

/// Parts of a GGUF file as bytes, for files that no writer would make: magic, version 3 and the two
/// counts; a file of one metadata value; the info of one tensor; infos, padding to 32 and `data`
/// bytes of zeros.
std::string gguf_head(std::uint64_t tensors, std::uint64_t metadata);
std::string gguf_metadata_file(const std::string& key,
                               std::uint32_t type,
                               const std::string& value);
std::string gguf_info(const std::string& name,
                      const std::vector<std::uint64_t>& dims,
                      std::uint32_t type,
                      std::uint64_t offset);
std::string gguf_tensors(const std::vector<std::string>& infos, std::size_t data);

/// A safetensors file of `tensors` (F32, F16 and BF16 only).
std::string safetensors_bytes(const std::vector<FileTensor>& tensors);
/// The length, `header` as it is, and `data`.
std::string safetensors_bytes(std::string_view header, std::string_view data);

void write_bytes(const std::filesystem::path& path, std::string_view bytes);

}  // namespace facet::test
