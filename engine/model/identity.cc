#include "engine/model/identity.h"

#include <bit>
#include <cstdint>
#include <span>
#include <string_view>

namespace facet::engine {
namespace {

constexpr std::int64_t kSampleBytes = 256;

/// FNV-1a, 64 bits. Numbers go in as eight bytes, least significant first.
class Fnv {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      state_ = (state_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001B3ULL;
    }
  }
  void add(std::string_view text) {
    add(text.size());
    add(std::as_bytes(std::span(text.data(), text.size())));
  }
  void add(std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      state_ = (state_ ^ ((number >> shift) & 0xFFU)) * 0x100000001B3ULL;
    }
  }
  void add(std::int64_t number) { add(static_cast<std::uint64_t>(number)); }
  void add(int number) { add(static_cast<std::int64_t>(number)); }
  void add(double number) { add(std::bit_cast<std::uint64_t>(number)); }
  void add(float number) { add(static_cast<double>(number)); }

  [[nodiscard]] std::string hex() const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[(state_ >> shift) & 15U];
    return out;
  }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325ULL;
};

void add_config(const ModelConfig& config, Fnv& hash) {
  hash.add(config.architecture);
  hash.add(config.hidden);
  hash.add(config.vocabulary);
  hash.add(config.norm_eps);
  hash.add(config.context_tokens_max);
  hash.add(config.dense_hidden);
  hash.add(config.embedding_dim);
  for (const LayerSpec& layer : config.layers) {
    hash.add(layer.heads);
    hash.add(layer.kv_heads);
    hash.add(layer.head_dim);
    hash.add(layer.ffn);
    hash.add(layer.window);
    hash.add(layer.causal ? 1 : 0);
    hash.add(layer.rope_theta);
    hash.add(layer.rope_divisor);
    hash.add(layer.attention_scale);
  }
}

void add_tensor(const StoredTensor& tensor, Fnv& hash) {
  hash.add(tensor.name);
  hash.add(dtype_name(tensor.type));
  for (const std::int64_t size : tensor.shape) hash.add(size);
  std::int64_t from = 0;
  std::int64_t size = tensor.bytes;
  if (tensor.shape.size() > 1 && size > kSampleBytes) {
    from = (size - kSampleBytes) / 2;
    size = kSampleBytes;
  }
  hash.add(std::span(tensor.data + from, static_cast<std::size_t>(size)));
}

}  // namespace

std::string model_identity(const ModelSource& source) {
  Fnv hash;
  add_config(source.config, hash);
  for (const auto& [name, tensor] : source.tensors.all()) add_tensor(tensor, hash);
  for (const Piece& piece : source.vocabulary.pieces) {
    hash.add(piece.text);
    hash.add(piece.score);
    hash.add(static_cast<int>(piece.type));
  }
  return hash.hex();
}

}  // namespace facet::engine
