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

/// A byte of each value by `to_byte(value / scale)`, and the scale, which makes `most` of the
/// largest value. `one`: a byte that is a number other than 0.
template <class ToByte>
void store_scaled(const float* values,
                  std::int64_t count,
                  float most,
                  std::byte one,
                  const ToByte& to_byte,
                  std::byte* to,
                  std::byte* scale_at) {
  float top = 0.0F;
  for (std::int64_t i = 0; i < count; ++i) top = std::max(top, std::fabs(values[i]));
  // NaN loses every comparison: the sum finds it.
  float sum = 0.0F;
  for (std::int64_t i = 0; i < count; ++i) sum += values[i] * 0.0F;
  float scale = top / most;
  const float inverse = scale < kScaleMin ? 0.0F : 1.0F / scale;
  if (scale < kScaleMin) scale = 0.0F;
  if (sum != 0.0F) scale = sum;  // NaN: what was not finite reads back as such.
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = sum == 0.0F ? to_byte(values[i] * inverse) : one;
  }
  std::memcpy(scale_at, &scale, sizeof scale);
}

std::byte int8_byte(float value) {
  const float q = std::clamp(std::nearbyint(value), -127.0F, 127.0F);
  return static_cast<std::byte>(static_cast<std::int8_t>(q));
}
std::byte fp8_byte(float value) {
  return static_cast<std::byte>(float_to_fp8(value));
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
    case KvType::fp8: {
      std::byte* const scale = bytes + kv_heads * head_dim + head * 4;
      if (type == KvType::int8) {
        store_scaled(values, head_dim, 127.0F, std::byte{1}, int8_byte, bytes + at, scale);
      } else {
        store_scaled(values, head_dim, 448.0F, std::byte{0x38}, fp8_byte, bytes + at, scale);
      }
      return;
    }
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
  const std::byte value = bytes[at];
  if (type == KvType::fp8) return scale * fp8_to_float(static_cast<std::uint8_t>(value));
  return scale * static_cast<float>(static_cast<std::int8_t>(value));
}

}  // namespace facet::engine
