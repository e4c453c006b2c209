// make_model SHAPE TYPE OUT.gguf [TOKENIZER.model]: a model of a published Gemma 3 shape with
// random weights, for measurements and load tests; with the pieces of a SentencePiece file, or
// made-up ones. What it says is noise; its speed and memory are those of the real file. Matrices
// are of TYPE, the embedding (the output head too) of Q8_0 where TYPE is quantised, as in the files
// that people have.
#include "engine/model/quantize.h"
#include "engine/tokenizer/model_proto.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using facet::engine::DType;

namespace {

struct Shape {
  std::string_view name;
  std::uint32_t hidden, layers, heads, kv_heads, head_dim, ffn, window, context;
  float rope_factor;
  std::uint32_t vocabulary;
};

constexpr Shape kShapes[] = {
    {"tiny", 256, 6, 4, 1, 64, 512, 512, 32768, 1.0F, 4096},
    {"270m", 640, 18, 4, 1, 256, 2048, 512, 32768, 1.0F, 262144},
    {"1b", 1152, 26, 4, 1, 256, 6912, 512, 32768, 1.0F, 262144},
    {"4b", 2560, 34, 8, 4, 256, 10240, 1024, 131072, 8.0F, 262208},
    {"12b", 3840, 48, 16, 8, 256, 15360, 1024, 131072, 8.0F, 262208},
};

struct Tensor {
  std::string name;
  DType type = DType::f32;
  std::uint64_t rows = 0;  ///< 0: a vector.
  std::uint64_t cols = 0;
  float spread = 0.0F;  ///< Standard deviation; 0: all ones.

  [[nodiscard]] std::uint64_t elements() const { return std::max<std::uint64_t>(rows, 1) * cols; }
  [[nodiscard]] std::uint64_t bytes() const {
    return elements() / static_cast<std::uint64_t>(facet::engine::dtype_block_elements(type)) *
           static_cast<std::uint64_t>(facet::engine::dtype_block_bytes(type));
  }
};

constexpr std::uint64_t kAlignment = 32;

std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// The metadata of a GGUF file.
class Metadata {
 public:
  void u32(std::string_view key, std::uint32_t value) { put_key(key, 4), put(value); }
  void f32(std::string_view key, float value) { put_key(key, 6), put(value); }
  void boolean(std::string_view key, bool value) {
    put_key(key, 7), put(static_cast<std::uint8_t>(value));
  }
  void string(std::string_view key, std::string_view value) { put_key(key, 8), put_string(value); }
  template <class T>
  void array(std::string_view key, std::uint32_t type, const std::vector<T>& values) {
    put_key(key, 9);
    put(type);
    put(static_cast<std::uint64_t>(values.size()));
    for (const T& value : values) {
      if constexpr (std::is_same_v<T, std::string>) {
        put_string(value);
      } else {
        put(value);
      }
    }
  }
  void put_string(std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    bytes_ += text;
  }
  template <class T>
  void put(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void put_key(std::string_view key, std::uint32_t type) {
    put_string(key);
    put(type);
    ++count_;
  }
  std::string bytes_;
  std::uint64_t count_ = 0;
};

using facet::engine::Piece;
using facet::engine::Vocabulary;

/// Gemma's first ids, the bytes, and made-up words.
Vocabulary made_up(std::uint32_t size) {
  Vocabulary out;
  const auto add = [&out](std::string text, Piece::Type type) {
    const auto score = -static_cast<float>(out.pieces.size());
    out.pieces.push_back({std::move(text), score, type});
  };
  for (const char* name : {"<pad>", "<eos>", "<bos>"}) add(name, Piece::Type::control);
  add("<unk>", Piece::Type::unknown);
  while (out.pieces.size() < 105) {
    add("<unused" + std::to_string(out.pieces.size()) + ">", Piece::Type::user_defined);
  }
  for (const char* turn : {"<start_of_turn>", "<end_of_turn>"}) add(turn, Piece::Type::control);
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    add(text, Piece::Type::byte);
  }
  while (out.pieces.size() < size) {
    add("w" + std::to_string(out.pieces.size()), Piece::Type::normal);
  }
  out.bos = 2;
  out.eos = 1;
  out.pad = 0;
  return out;
}

/// The pieces of a SentencePiece file, at most `size` of them; nothing when it cannot be read.
std::optional<Vocabulary> read_vocabulary(const char* path, std::uint32_t size) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto read = facet::engine::parse_model_proto(std::as_bytes(std::span(text)));
  if (!read || read->pieces.size() > size) return std::nullopt;
  return *std::move(read);
}

void add_vocabulary(Metadata& out, const Vocabulary& vocabulary) {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (const Piece& piece : vocabulary.pieces) {
    tokens.push_back(piece.text);
    scores.push_back(piece.score);
    types.push_back(static_cast<std::int32_t>(piece.type));
  }
  const auto id = [](facet::engine::TokenId token) { return static_cast<std::uint32_t>(token); };
  out.string("tokenizer.ggml.model", "llama");
  out.array("tokenizer.ggml.tokens", 8, tokens);
  out.array("tokenizer.ggml.scores", 6, scores);
  out.array("tokenizer.ggml.token_type", 5, types);
  out.u32("tokenizer.ggml.bos_token_id", id(vocabulary.bos));
  out.u32("tokenizer.ggml.eos_token_id", id(vocabulary.eos));
  out.u32("tokenizer.ggml.unknown_token_id", 3);
  out.u32("tokenizer.ggml.padding_token_id", id(vocabulary.pad));
  out.u32("tokenizer.ggml.eot_token_id", 106);
  out.boolean("tokenizer.ggml.add_bos_token", true);
  out.boolean("tokenizer.ggml.add_eos_token", false);
  out.boolean("tokenizer.ggml.add_space_prefix", false);
}

Metadata metadata_of(const Shape& shape, const Vocabulary& vocabulary) {
  Metadata out;
  const auto key = [](std::string_view name) { return "gemma3." + std::string(name); };
  out.string("general.architecture", "gemma3");
  out.string("general.name", "random " + std::string(shape.name));
  out.u32(key("context_length"), shape.context);
  out.u32(key("embedding_length"), shape.hidden);
  out.u32(key("block_count"), shape.layers);
  out.u32(key("feed_forward_length"), shape.ffn);
  out.u32(key("attention.head_count"), shape.heads);
  out.u32(key("attention.head_count_kv"), shape.kv_heads);
  out.u32(key("attention.key_length"), shape.head_dim);
  out.u32(key("attention.value_length"), shape.head_dim);
  out.u32(key("attention.sliding_window"), shape.window);
  out.f32(key("attention.layer_norm_rms_epsilon"), 1e-6F);
  out.f32(key("rope.freq_base"), 1e6F);
  if (shape.rope_factor != 1.0F) {
    out.string(key("rope.scaling.type"), "linear");
    out.f32(key("rope.scaling.factor"), shape.rope_factor);
  }
  add_vocabulary(out, vocabulary);
  return out;
}

std::vector<Tensor> tensors_of(const Shape& shape, DType type) {
  const DType embedding = facet::engine::dtype_block_elements(type) > 1 ? DType::q8_0 : type;
  std::vector<Tensor> out;
  const auto matrix = [&](std::string name, DType of, std::uint64_t rows, std::uint64_t cols) {
    // Keeps the size of activations about the same from layer to layer.
    const float spread = 1.0F / std::sqrt(static_cast<float>(cols));
    out.push_back({std::move(name), of, rows, cols, spread});
  };
  const auto norm = [&](std::string name, std::uint64_t size) {
    out.push_back({std::move(name), DType::f32, 0, size, 0.0F});
  };
  const std::uint64_t q = std::uint64_t{shape.heads} * shape.head_dim;
  const std::uint64_t kv = std::uint64_t{shape.kv_heads} * shape.head_dim;
  matrix("token_embd.weight", embedding, shape.vocabulary, shape.hidden);
  norm("output_norm.weight", shape.hidden);
  for (std::uint32_t l = 0; l < shape.layers; ++l) {
    const std::string at = "blk." + std::to_string(l) + ".";
    norm(at + "attn_norm.weight", shape.hidden);
    matrix(at + "attn_q.weight", type, q, shape.hidden);
    matrix(at + "attn_k.weight", type, kv, shape.hidden);
    matrix(at + "attn_v.weight", type, kv, shape.hidden);
    matrix(at + "attn_output.weight", type, shape.hidden, q);
    norm(at + "attn_q_norm.weight", shape.head_dim);
    norm(at + "attn_k_norm.weight", shape.head_dim);
    norm(at + "post_attention_norm.weight", shape.hidden);
    norm(at + "ffn_norm.weight", shape.hidden);
    matrix(at + "ffn_gate.weight", type, shape.ffn, shape.hidden);
    matrix(at + "ffn_up.weight", type, shape.ffn, shape.hidden);
    matrix(at + "ffn_down.weight", type, shape.hidden, shape.ffn);
    norm(at + "post_ffw_norm.weight", shape.hidden);
  }
  return out;
}

/// Sums of four uniform numbers: bell-shaped, and the same on every machine.
class Noise {
 public:
  float next() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    std::int32_t sum = 0;
    for (unsigned part = 0; part < 4; ++part) {
      sum += static_cast<std::int32_t>(state_ >> (16U * part) & 0xFFFFU);
    }
    // Four uniform parts have a variance of 4 * 65536^2 / 12.
    return static_cast<float>(sum - 131072) * (1.0F / 37837.0F);
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15U;
};

void encode(DType type, const std::vector<float>& values, std::vector<std::byte>& out) {
  if (facet::engine::can_quantize(type)) {
    facet::engine::quantize(
        type, values.data(), static_cast<std::int64_t>(values.size()), out.data());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DType::f32) {
      std::memcpy(out.data() + 4 * i, &values[i], 4);
      continue;
    }
    const std::uint16_t bits = type == DType::bf16 ? facet::engine::float_to_bf16(values[i])
                                                   : facet::engine::float_to_half(values[i]);
    std::memcpy(out.data() + 2 * i, &bits, 2);
  }
}

void write_tensor(const Tensor& tensor, Noise& noise, std::ofstream& file) {
  std::vector<float> row(tensor.cols, 1.0F);
  const std::uint64_t rows = std::max<std::uint64_t>(tensor.rows, 1);
  std::vector<std::byte> packed(tensor.bytes() / rows);
  for (std::uint64_t r = 0; r < rows; ++r) {
    if (tensor.spread > 0.0F) {
      for (float& value : row) value = tensor.spread * noise.next();
    }
    encode(tensor.type, row, packed);
    file.write(reinterpret_cast<const char*>(packed.data()),
               static_cast<std::streamsize>(packed.size()));
  }
  const std::string zeros(padded(tensor.bytes()) - tensor.bytes(), '\0');
  file.write(zeros.data(), static_cast<std::streamsize>(zeros.size()));
}

bool write_model(const Shape& shape, DType type, const Vocabulary& vocabulary, const char* path) {
  const Metadata metadata = metadata_of(shape, vocabulary);
  const std::vector<Tensor> tensors = tensors_of(shape, type);
  Metadata front;
  front.put(std::uint32_t{0x46554747});
  front.put(std::uint32_t{3});
  front.put(static_cast<std::uint64_t>(tensors.size()));
  front.put(metadata.count());
  std::string header = front.bytes() + metadata.bytes();
  Metadata table;
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    table.put_string(tensor.name);
    table.put(std::uint32_t{tensor.rows == 0 ? 1U : 2U});
    table.put(tensor.cols);
    if (tensor.rows != 0) table.put(tensor.rows);
    table.put(facet::engine::dtype_gguf_id(tensor.type));
    table.put(offset);
    offset += padded(tensor.bytes());
  }
  header += table.bytes();
  header.resize(padded(header.size()));
  std::ofstream file(path, std::ios::binary);
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  Noise noise;
  for (const Tensor& tensor : tensors) write_tensor(tensor, noise, file);
  file.close();
  return !file.fail();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: make_model SHAPE TYPE OUT.gguf [TOKENIZER.model]\n  SHAPE: ";
    for (const Shape& shape : kShapes) std::cerr << shape.name << ' ';
    std::cerr << "\n  TYPE: F32 F16 BF16 Q8_0 Q4_0\n";
    return 2;
  }
  const auto* shape = std::find_if(std::begin(kShapes), std::end(kShapes), [&](const Shape& known) {
    return known.name == argv[1];
  });
  const auto type = facet::engine::dtype_from_name(argv[2]);
  const bool is_written = type && (facet::engine::can_quantize(*type) ||
                                   facet::engine::dtype_block_elements(*type) == 1);
  if (shape == std::end(kShapes) || !is_written) {
    std::cerr << "make_model: no shape '" << argv[1] << "' or type '" << argv[2] << "'\n";
    return 2;
  }
  const auto vocabulary = argc == 5 ? read_vocabulary(argv[4], shape->vocabulary)
                                    : std::optional(made_up(shape->vocabulary));
  if (!vocabulary) {
    std::cerr << "make_model: '" << argv[4] << "' is no vocabulary of at most " << shape->vocabulary
              << " pieces\n";
    return 1;
  }
  if (write_model(*shape, *type, *vocabulary, argv[3])) return 0;
  std::cerr << "make_model: cannot write '" << argv[3] << "'\n";
  return 1;
}
