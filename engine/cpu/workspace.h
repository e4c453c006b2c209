// What the steps of the forward pass share: the activations of one step, and how loops are cut.
// Included by the files that implement Forward only.
#pragma once

#include "engine/cpu/forward.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

namespace facet::engine {

/// Multiply-adds below which handing a loop to other threads costs more than it gains: a few
/// microseconds of one core.
inline constexpr std::int64_t kPartWork = 1 << 16;

struct Angles {
  double theta = 0.0;
  double divisor = 0.0;
  int head_dim = 0;
  std::vector<float> cos;  // (tokens, head_dim / 2)
  std::vector<float> sin;
};

inline void grow(std::vector<float>& to, std::int64_t floats) {
  if (to.size() < static_cast<std::size_t>(floats)) to.resize(static_cast<std::size_t>(floats));
}

inline std::byte* grow(std::vector<std::byte>& to, std::int64_t bytes) {
  if (to.size() < static_cast<std::size_t>(bytes)) to.resize(static_cast<std::size_t>(bytes));
  return to.data();
}

/// Cuts `items` of `work_each` into parts of about kPartWork and runs body(begin, end, worker).
template <class Body>
void parallel(ThreadPool& pool,
              std::int64_t items,
              std::int64_t step,
              std::int64_t work_each,
              const Body& body) {
  const std::int64_t wanted =
      std::max<std::int64_t>(1, kPartWork / std::max<std::int64_t>(1, work_each));
  const std::int64_t each = (wanted + step - 1) / step * step;
  pool.run((items + each - 1) / each, [&](std::int64_t part, int worker) {
    body(part * each, std::min(items, (part + 1) * each), worker);
  });
}

/// The activations of one step, reused from call to call. Its tokens are the rows of all chunks.
struct Forward::Workspace {
  /// Query rows of one chunk that pass over its keys together.
  struct Tile {
    const Chunk* chunk = nullptr;
    std::int64_t first = 0;  // Of the chunk's tokens.
    std::int64_t tokens = 0;
  };

  std::vector<Chunk> chunks;
  std::vector<Tile> tiles;
  std::int64_t tokens = 0;
  std::vector<float> x;     // (tokens, hidden): the residual stream
  std::vector<float> h;     // (tokens, hidden): normed input and output of a block
  std::vector<float> q;     // (tokens, heads, head_dim)
  std::vector<float> k;     // (tokens, kv_heads, head_dim)
  std::vector<float> v;     // (tokens, kv_heads, head_dim)
  std::vector<float> attn;  // (tokens, heads, head_dim)
  std::vector<float> wide;  // (tokens, ffn): gelu(gate) up, where `down` takes it as f32
  std::array<std::vector<std::byte>, 3>
      packed;                          // What the next products take in place of their f32 rows.
  std::vector<std::byte> packed_wide;  // The same for `down`.
  std::vector<float> scores;           // Of a token whose attention all threads share.
  std::vector<float> logits;           // Of items that are to get theirs from one product.
  std::vector<Angles> angles;
  // One per worker: for turned weights, and a part of gate and up.
  std::vector<std::vector<float>> scratch;
  std::vector<std::vector<float>> parts;

  /// The chunk that a row belongs to.
  [[nodiscard]] const Chunk& chunk_of(std::int64_t row) const {
    const auto behind =
        std::upper_bound(chunks.begin(), chunks.end(), row, [](std::int64_t of, const Chunk& c) {
          return of < c.row;
        });
    return *std::prev(behind);
  }

  const Angles& angles_for(const LayerSpec& spec) {
    for (const Angles& known : angles) {
      if (known.theta == spec.rope_theta && known.divisor == spec.rope_divisor &&
          known.head_dim == spec.head_dim) {
        return known;
      }
    }
    Angles made{.theta = spec.rope_theta, .divisor = spec.rope_divisor, .head_dim = spec.head_dim};
    const auto floats = static_cast<std::size_t>(tokens * spec.head_dim / 2);
    made.cos.resize(floats);
    made.sin.resize(floats);
    for (const Chunk& chunk : chunks) {
      const std::int64_t at = chunk.row * spec.head_dim / 2;
      rope_angles(chunk.first,
                  chunk.tokens,
                  spec.head_dim,
                  spec.rope_theta,
                  spec.rope_divisor,
                  made.cos.data() + at,
                  made.sin.data() + at);
    }
    angles.push_back(std::move(made));
    return angles.back();
  }
};

}  // namespace facet::engine
