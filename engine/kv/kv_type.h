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
enum class KvType : std::uint8_t { f32, bf16, int8 };

inline constexpr KvType kKvTypes[] = {KvType::f32, KvType::bf16, KvType::int8};

constexpr std::int64_t kv_row_bytes(KvType type, std::int64_t kv_heads, std::int64_t head_dim) {
  switch (type) {
    case KvType::f32:
      return kv_heads * head_dim * 4;
    case KvType::bf16:
      return kv_heads * head_dim * 2;
    case KvType::int8:
      return kv_heads * (head_dim + 4);
  }
  return 0;
}

constexpr std::string_view kv_type_name(KvType type) {
  return type == KvType::f32 ? "f32" : type == KvType::bf16 ? "bf16" : "int8";
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
