// KvType: how the values of a KV cache are stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace facet::engine {

/// How a row, the key or the value of one position and layer, is kept. What is read back is what
/// every later token sees, so rewind, fork, restore and the prefix tree stay exact among sequences
/// of one type.
///
/// f32: as computed.
/// bf16: rounded to the nearest bfloat16, half to even; half the memory, and half the bytes that
/// attention reads.
/// int8: x = d q for each head, with d = max |x| / 127 and q = round(x / d), half to even; about a
/// quarter. A row is int8 q[kv_heads][head_dim], then float d[kv_heads].
/// fp8: as int8, with q an E4M3 byte of x / d and d = max |x| / 448: off by at most |x| / 16 +
/// d / 1024. As many bytes; small values keep more of their digits than as int8, large ones fewer.
enum class KvType : std::uint8_t { f32, bf16, int8, fp8 };

inline constexpr KvType kKvTypes[] = {KvType::f32, KvType::bf16, KvType::int8, KvType::fp8};

/// True where a byte is kept of each value, and a scale of each head behind them.
constexpr bool kv_has_scales(KvType type) {
  return type == KvType::int8 || type == KvType::fp8;
}

constexpr std::int64_t kv_row_bytes(KvType type, std::int64_t kv_heads, std::int64_t head_dim) {
  switch (type) {
    case KvType::f32:
      return kv_heads * head_dim * 4;
    case KvType::bf16:
      return kv_heads * head_dim * 2;
    case KvType::int8:
    case KvType::fp8:
      return kv_heads * (head_dim + 4);
  }
  return 0;
}

constexpr std::string_view kv_type_name(KvType type) {
  switch (type) {
    case KvType::f32:
      return "f32";
    case KvType::bf16:
      return "bf16";
    case KvType::int8:
      return "int8";
    case KvType::fp8:
      return "fp8";
  }
  return "";
}

constexpr std::optional<KvType> kv_type_from_name(std::string_view name) {
  for (const KvType type : kKvTypes) {
    if (name == kv_type_name(type)) return type;
  }
  return std::nullopt;
}

/// One head of a row, (head_dim), and the row's scales where the type has them.
void kv_store_head(KvType type,
                   const float* values,
                   std::int64_t head_dim,
                   std::int64_t head,
                   void* row,
                   std::int64_t kv_heads);
/// Value `i` of a head, as it reads back.
float kv_load(KvType type,
              const void* row,
              std::int64_t kv_heads,
              std::int64_t head_dim,
              std::int64_t head,
              std::int64_t i);

}  // namespace facet::engine
