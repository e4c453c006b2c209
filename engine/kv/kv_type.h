// KvType: how the values of a KV cache are stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace facet::engine {

/// bf16: every key and value rounded to the nearest bfloat16, half to even; half the memory, and
/// half the bytes that attention reads. What is read back is what every later token sees, so
/// rewind, fork, restore and the prefix tree stay exact among sequences of one type.
enum class KvType : std::uint8_t { f32, bf16 };

constexpr std::int64_t kv_value_bytes(KvType type) {
  return type == KvType::f32 ? 4 : 2;
}

constexpr std::string_view kv_type_name(KvType type) {
  return type == KvType::f32 ? "f32" : "bf16";
}

constexpr std::optional<KvType> kv_type_from_name(std::string_view name) {
  if (name == "f32") return KvType::f32;
  if (name == "bf16") return KvType::bf16;
  return std::nullopt;
}

}  // namespace facet::engine
