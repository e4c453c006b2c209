#include "engine/kv/kv_type.h"

#include "engine/model/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace facet::engine {
namespace {

/// Heads below this are kept as zeros: their scale would not be a normal number.
constexpr float kScaleMin = 1e-30F;

void store_int8(const float* values, std::int64_t count, std::int8_t* to, std::byte* scale_at) {
  float top = 0.0F;
  for (std::int64_t i = 0; i < count; ++i) top = std::max(top, std::fabs(values[i]));
  // NaN loses every comparison: the sum finds it.
  float sum = 0.0F;
  for (std::int64_t i = 0; i < count; ++i) sum += values[i] * 0.0F;
  float scale = top / 127.0F;
  const float inverse = scale < kScaleMin ? 0.0F : 1.0F / scale;
  if (scale < kScaleMin) scale = 0.0F;
  if (sum != 0.0F) scale = sum;  // NaN: what was not finite reads back as such.
  for (std::int64_t i = 0; i < count; ++i) {
    const float q = std::nearbyint(values[i] * inverse);
    to[i] = static_cast<std::int8_t>(sum == 0.0F ? std::clamp(q, -127.0F, 127.0F) : 1.0F);
  }
  std::memcpy(scale_at, &scale, sizeof scale);
}

}  // namespace

void kv_store_head(KvType type,
                   const float* values,
                   std::int64_t head_dim,
                   std::int64_t head,
                   void* row,
                   std::int64_t kv_heads) {
  auto* const bytes = static_cast<std::byte*>(row);
  const std::int64_t at = head * head_dim;
  switch (type) {
    case KvType::f32:
      std::memcpy(bytes + at * 4, values, static_cast<std::size_t>(head_dim) * sizeof(float));
      return;
    case KvType::bf16: {
      auto* const to = reinterpret_cast<std::uint16_t*>(bytes) + at;
      for (std::int64_t i = 0; i < head_dim; ++i) to[i] = float_to_bf16(values[i]);
      return;
    }
    case KvType::int8:
      store_int8(values,
                 head_dim,
                 reinterpret_cast<std::int8_t*>(bytes) + at,
                 bytes + kv_heads * head_dim + head * 4);
      return;
  }
}

float kv_load(KvType type,
              const void* row,
              std::int64_t kv_heads,
              std::int64_t head_dim,
              std::int64_t head,
              std::int64_t i) {
  const auto* const bytes = static_cast<const std::byte*>(row);
  const std::int64_t at = head * head_dim + i;
  if (type == KvType::f32) {
    float value = 0.0F;
    std::memcpy(&value, bytes + at * 4, sizeof value);
    return value;
  }
  if (type == KvType::bf16) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes + at * 2, sizeof bits);
    return bf16_to_float(bits);
  }
  float scale = 0.0F;
  std::memcpy(&scale, bytes + kv_heads * head_dim + head * 4, sizeof scale);
  return scale * static_cast<float>(static_cast<std::int8_t>(bytes[at]));
}

}  // namespace facet::engine
