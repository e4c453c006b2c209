#include "tests/support/model_files.h"

#include "base/json.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <span>

namespace facet::test {
namespace {

using engine::DType;

std::string half(float value) {
  return little_endian(engine::float_to_half(value), 2);
}

/// d = amax / 127, q = round(x / d).
std::string encode_q8_0(std::span<const float> block) {
  float amax = 0.0F;
  for (const float value : block) amax = std::max(amax, std::abs(value));
  const float scale = amax / 127.0F;
  std::string out = half(scale);
  for (const float value : block) {
    const float q = scale > 0.0F ? std::round(value / scale) : 0.0F;
    out.push_back(static_cast<char>(static_cast<std::int8_t>(q)));
  }
  return out;
}

/// d = m / -8 with m the element of largest magnitude, q = min(15, x / d + 8.5).
std::string encode_q4_0(std::span<const float> block) {
  float extreme = 0.0F;
  for (const float value : block) {
    if (std::abs(value) > std::abs(extreme)) extreme = value;
  }
  const float scale = extreme / -8.0F;
  const auto quant = [&](float value) {
    if (scale == 0.0F) return 8U;
    return static_cast<unsigned>(std::min(15, static_cast<int>(value / scale + 8.5F)));
  };
  std::string out = half(scale);
  for (std::size_t i = 0; i < 16; ++i) {
    out.push_back(static_cast<char>(quant(block[i]) | (quant(block[i + 16]) << 4U)));
  }
  return out;
}

}  // namespace

std::string little_endian(std::uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) {
    out.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
  }
  return out;
}

std::string gguf_string(std::string_view text) {
  return little_endian(text.size(), 8) + std::string(text);
}

std::string encode_values(DType type, const std::vector<float>& values) {
  std::string out;
  if (type == DType::q8_0 || type == DType::q4_0) {
    for (std::size_t at = 0; at + 32 <= values.size(); at += 32) {
      const std::span block(values.data() + at, 32);
      out += type == DType::q8_0 ? encode_q8_0(block) : encode_q4_0(block);
    }
    return out;
  }
  for (const float value : values) {
    if (type == DType::f32) out += little_endian(std::bit_cast<std::uint32_t>(value), 4);
    if (type == DType::f16) out += half(value);
    if (type == DType::bf16) out += little_endian(engine::float_to_bf16(value), 2);
  }
  return out;
}

void GgufWriter::add_raw(std::string_view key, std::uint32_t type, std::string_view bytes) {
  metadata_.push_back({std::string(key), little_endian(type, 4) + std::string(bytes)});
}

std::vector<GgufWriter::Entry>::iterator GgufWriter::find(std::string_view key) {
  const auto at = std::find_if(
      metadata_.begin(), metadata_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (at == metadata_.end()) std::abort();  // The test itself is wrong.
  return at;
}

void GgufWriter::replace(std::string_view key, std::uint32_t type, std::string_view bytes) {
  find(key)->value = little_endian(type, 4) + std::string(bytes);
}

void GgufWriter::replace_u32(std::string_view key, std::uint32_t value) {
  replace(key, 4, little_endian(value, 4));
}

void GgufWriter::remove(std::string_view key) {
  metadata_.erase(find(key));
}

FileTensor& GgufWriter::tensor(std::string_view name) {
  const auto at = std::find_if(tensors_.begin(), tensors_.end(), [&](const FileTensor& tensor) {
    return tensor.name == name;
  });
  if (at == tensors_.end()) std::abort();  // The test itself is wrong.
  return *at;
}

void GgufWriter::add_u32(std::string_view key, std::uint32_t value) {
  add_raw(key, 4, little_endian(value, 4));
}

void GgufWriter::add_f32(std::string_view key, float value) {
  add_raw(key, 6, little_endian(std::bit_cast<std::uint32_t>(value), 4));
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  add_raw(key, 7, little_endian(value ? 1 : 0, 1));
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  add_raw(key, 8, gguf_string(value));
}

void GgufWriter::add_strings(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = little_endian(8, 4) + little_endian(values.size(), 8);
  for (const std::string& value : values) bytes += gguf_string(value);
  add_raw(key, 9, bytes);
}

void GgufWriter::add_f32s(std::string_view key, const std::vector<float>& values) {
  add_raw(
      key,
      9,
      little_endian(6, 4) + little_endian(values.size(), 8) + encode_values(DType::f32, values));
}

void GgufWriter::add_i32s(std::string_view key, const std::vector<std::int32_t>& values) {
  std::string bytes = little_endian(5, 4) + little_endian(values.size(), 8);
  for (const std::int32_t value : values) {
    bytes += little_endian(static_cast<std::uint32_t>(value), 4);
  }
  add_raw(key, 9, bytes);
}

void GgufWriter::add_i64s(std::string_view key, const std::vector<std::int64_t>& values) {
  std::string bytes = little_endian(11, 4) + little_endian(values.size(), 8);
  for (const std::int64_t value : values) {
    bytes += little_endian(static_cast<std::uint64_t>(value), 8);
  }
  add_raw(key, 9, bytes);
}

void GgufWriter::add_vocabulary(const engine::Vocabulary& vocabulary) {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (const engine::Piece& piece : vocabulary.pieces) {
    tokens.push_back(piece.text);
    scores.push_back(piece.score);
    types.push_back(static_cast<std::int32_t>(piece.type));
  }
  add_string("tokenizer.ggml.model", "llama");
  add_strings("tokenizer.ggml.tokens", tokens);
  add_f32s("tokenizer.ggml.scores", scores);
  add_i32s("tokenizer.ggml.token_type", types);
  add_u32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(vocabulary.bos));
  add_u32("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(vocabulary.eos));
  add_u32("tokenizer.ggml.padding_token_id", static_cast<std::uint32_t>(vocabulary.pad));
  add_bool("tokenizer.ggml.add_space_prefix", false);
}

std::string GgufWriter::bytes() const {
  std::string out = little_endian(magic, 4) + little_endian(version, 4) +
                    little_endian(tensors_.size(), 8) + little_endian(metadata_.size(), 8);
  for (const Entry& entry : metadata_) out += gguf_string(entry.key) + entry.value;
  const auto pad = [&](std::string& text) {
    text.resize((text.size() + alignment - 1) / alignment * alignment);
  };
  std::string data;
  for (const FileTensor& tensor : tensors_) {
    out += gguf_string(tensor.name) + little_endian(tensor.shape.size(), 4);
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
      out += little_endian(static_cast<std::uint64_t>(*size), 8);
    }
    out += little_endian(engine::dtype_gguf_id(tensor.type), 4) + little_endian(data.size(), 8);
    data += tensor.bytes;
    pad(data);
  }
  pad(out);
  return out + data;
}

std::string safetensors_bytes(std::string_view header, std::string_view data) {
  return little_endian(header.size(), 8) + std::string(header) + std::string(data);
}

std::string safetensors_bytes(const std::vector<FileTensor>& tensors) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  std::string data;
  for (const FileTensor& tensor : tensors) {
    std::string shape;
    for (const std::int64_t size : tensor.shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    }
    header += "," + json_quote(tensor.name) + ":{\"dtype\":\"" +
              std::string(engine::dtype_name(tensor.type)) + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + tensor.bytes.size()) + "]}";
    data += tensor.bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return safetensors_bytes(header, data);
}

void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) std::abort();  // A test machine without room: nothing to go on with.
}

std::string gguf_head(std::uint64_t tensors, std::uint64_t metadata) {
  return "GGUF" + little_endian(3, 4) + little_endian(tensors, 8) + little_endian(metadata, 8);
}

std::string gguf_metadata_file(const std::string& key,
                               std::uint32_t type,
                               const std::string& value) {
  return gguf_head(0, 1) + gguf_string(key) + little_endian(type, 4) + value;
}

std::string gguf_info(const std::string& name,
                      const std::vector<std::uint64_t>& dims,
                      std::uint32_t type,
                      std::uint64_t offset) {
  std::string out = gguf_string(name) + little_endian(dims.size(), 4);
  for (const std::uint64_t size : dims) out += little_endian(size, 8);
  return out + little_endian(type, 4) + little_endian(offset, 8);
}

std::string gguf_tensors(const std::vector<std::string>& infos, std::size_t data) {
  std::string out = gguf_head(infos.size(), 0);
  for (const std::string& info : infos) out += info;
  out.resize((out.size() + 31) / 32 * 32);
  return out + std::string(data, '\0');
}

}  // namespace facet::test
