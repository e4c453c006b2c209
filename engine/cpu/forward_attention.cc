// The attention step of the forward pass: how query rows are cut into tiles, and tiles shared.
#include "engine/cpu/workspace.h"

#include <algorithm>

namespace facet::engine {
namespace {

/// Query rows of a tile: what shares one pass over the keys and values.
constexpr std::int64_t kTileRows = 64;

/// Scores of a tile: 1 MiB, about what the second cache level holds.
constexpr std::int64_t kTileScores = std::int64_t{1} << 18;

/// Multiply-adds from which one token's attention is worth three rounds of all threads.
constexpr std::int64_t kSharedWork = std::int64_t{1} << 20;

/// Elements of an output that one thread sums: see Ops::attention_values.
constexpr std::int64_t kValueElements = 64;

/// Most keys that one token sees.
std::int64_t keys_max(const LayerSpec& spec, const Forward::Chunk& chunk) {
  const std::int64_t ahead = chunk.is_image ? chunk.tokens : spec.window;
  return spec.window == 0 ? chunk.end() : std::min(chunk.end(), spec.window + ahead);
}

/// The tile of `tokens` tokens from token t of the chunk on, but for the pointers.
AttentionArgs tile_of(const LayerSpec& spec,
                      const Forward::Chunk& chunk,
                      std::int64_t t,
                      std::int64_t tokens) {
  const std::int64_t position = chunk.first + t;
  AttentionArgs out{.heads = spec.heads / spec.kv_heads,
                    .tokens = tokens,
                    .stride = std::int64_t{spec.heads} * spec.head_dim,
                    .end = position + 1,
                    .end_moves = true,
                    .end_max = chunk.end(),
                    .scale = spec.attention_scale};
  if (spec.window != 0) {
    out.first = position - spec.window + 1;
    out.first_moves = true;
  }
  if (!spec.causal && spec.window != 0) out.end = std::min(chunk.end(), position + spec.window);
  if (chunk.is_image || (!spec.causal && spec.window == 0)) {
    out.end = chunk.end();
    out.end_moves = false;
  }
  return out;
}

}  // namespace

void Forward::attend(std::size_t index, std::size_t cache_layer, Workspace& work) const {
  const LayerSpec& spec = config_.layers[index];
  const std::int64_t group = spec.heads / spec.kv_heads;
  const int threads = pool_.threads();
  const auto place = [&](AttentionArgs& args, const Chunk& of, std::int64_t t, std::int64_t head) {
    const std::int64_t at = ((of.row + t) * spec.heads + head * group) * spec.head_dim;
    args.q = work.q.data() + at;
    args.out = work.attn.data() + at;
    args.kv = of.cache->pages(cache_layer);
    args.kv_head = static_cast<int>(head);
  };
  // Small enough that every thread gets a few; at least one token.
  const std::int64_t share = work.tokens * spec.kv_heads / (2 * std::int64_t{threads});
  work.tiles.clear();
  for (const Chunk& chunk : work.chunks) {
    const std::int64_t keys = keys_max(spec, chunk);
    const bool is_alone = work.tokens < 2 * std::int64_t{threads} && chunk.tokens == 1;
    if (is_alone && threads > 1 && 2 * group * keys * spec.head_dim >= kSharedWork) {
      for (std::int64_t head = 0; head < spec.kv_heads; ++head) {
        AttentionArgs args = tile_of(spec, chunk, 0, 1);
        place(args, chunk, 0, head);
        attend_together(args, work);
      }
      continue;
    }
    const std::int64_t fitting = std::min(kTileRows, kTileScores / (keys + kTileRows)) / group;
    const std::int64_t each = std::max<std::int64_t>(1, std::min(share, fitting));
    for (std::int64_t t = 0; t < chunk.tokens; t += each) {
      work.tiles.push_back({&chunk, t, std::min(each, chunk.tokens - t)});
    }
  }
  pool_.run(std::ssize(work.tiles) * spec.kv_heads, [&](std::int64_t part, int worker) {
    const Workspace::Tile& tile = work.tiles[static_cast<std::size_t>(part / spec.kv_heads)];
    AttentionArgs args = tile_of(spec, *tile.chunk, tile.first, tile.tokens);
    place(args, *tile.chunk, tile.first, part % spec.kv_heads);
    std::vector<float>& scratch = work.scratch[static_cast<std::size_t>(worker)];
    grow(scratch, args.tokens * group * attention_keys(args));
    args.scratch = scratch.data();
    ops_.attention(args);
  });
}

void Forward::attend_together(AttentionArgs& args, Workspace& work) const {
  const std::int64_t first = attention_first(args, 0);
  const std::int64_t end = first + attention_keys(args);
  grow(work.scores, args.heads * (end - first));
  args.scratch = work.scores.data();
  const std::int64_t first_page = first / kPageTokens;
  pool_.run((end + kPageTokens - 1) / kPageTokens - first_page, [&](std::int64_t part, int) {
    const std::int64_t page = (first_page + part) * kPageTokens;
    ops_.attention_scores(args, std::max(first, page), std::min(end, page + kPageTokens));
  });
  pool_.run(args.heads,
            [&](std::int64_t head, int) { ops_.attention_probabilities(args, head, head + 1); });
  const std::int64_t dim = args.kv.head_dim;
  pool_.run((dim + kValueElements - 1) / kValueElements, [&](std::int64_t part, int) {
    const std::int64_t begin = part * kValueElements;
    ops_.attention_values(args, begin, std::min(dim, begin + kValueElements));
  });
}

}  // namespace facet::engine
