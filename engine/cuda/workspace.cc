#include "engine/cuda/workspace.h"

#include <algorithm>
#include <utility>

namespace facet::engine::cuda {

Rope rope_of(const LayerSpec& spec) {
  return {.theta = spec.rope_theta, .divisor = spec.rope_divisor, .head_dim = spec.head_dim};
}

std::vector<Rope> ropes_of(const ModelConfig& config) {
  std::vector<Rope> out;
  for (const LayerSpec& spec : config.layers) {
    const Rope rope = rope_of(spec);
    if (std::find(out.begin(), out.end(), rope) == out.end()) out.push_back(rope);
  }
  return out;
}

WorkspaceLayout lay_out(const WorkspaceShape& s) {
  WorkspaceLayout out{.shape = s};
  const auto take = [&out](std::int64_t bytes) {
    const Place place{.offset = out.bytes, .bytes = bytes};
    out.bytes += aligned_bytes(bytes);
    return place;
  };
  const auto floats = [&](std::int64_t count) { return take(4 * count); };
  const std::int64_t decode = s.decode_rows;

  const std::int64_t batch = s.batch_rows;

  for (const auto& [inputs, rows] : {std::pair(&out.decode, decode),
                                     std::pair(&out.batch, batch),
                                     std::pair(&out.prompt, s.rows)}) {
    const std::int64_t begin = out.bytes;
    inputs->ids = take(4 * rows);
    inputs->position = take(4 * rows);
    inputs->end = take(4 * rows);
    inputs->sequence = take(4 * rows);
    if (inputs == &out.prompt) {
      inputs->tiles = take(static_cast<std::int64_t>(sizeof(AttentionTile)) * rows);
    }
    inputs->all = {.offset = begin, .bytes = out.bytes - begin};
  }
  out.sequences = take(static_cast<std::int64_t>(sizeof(SequencePages)) * s.layers * kSequencesMax);
  out.pointers = take(static_cast<std::int64_t>(sizeof(std::byte*)) * s.page_pointers);
  for (const Rope& rope : s.ropes) {
    const std::int64_t half = rope.head_dim / 2;
    RopePlaces places;
    places.frequencies = floats(half);
    places.cos = floats(s.rows * half);
    places.sin = floats(s.rows * half);
    out.ropes.push_back(places);
  }
  for (Place& x : out.x) x = floats(s.rows * s.hidden);
  out.h16 = take(2 * s.rows * padded_cols(Layout::bf16, s.hidden));
  const std::int64_t attend_scratch = s.heads * (s.head_dim + 2);
  // Behind the last layer nobody needs these two: logits and the search among them lie there.
  out.wide =
      floats(std::max(s.rows * std::max(2 * s.ffn, 3 * s.q_width + 2 * s.kv_width + attend_scratch),
                      batch * s.vocabulary));
  out.wide16 = take(std::max(
      2 * s.rows *
          std::max(2 * padded_cols(Layout::bf16, s.q_width), padded_cols(Layout::bf16, s.ffn)),
      8 * find_scratch_words(batch, s.vocabulary)));
  out.delta = floats(std::max(s.rows, kMultiplyPartsMax * decode) * s.hidden);
  out.q = floats(decode * s.q_width);
  out.attn = floats(decode * s.q_width);
  out.gated = floats(decode * s.ffn);
  out.scratch = floats(decode * std::max(s.q_width + 2 * s.kv_width, s.ffn));
  out.splits = floats(attend_scratch_floats(static_cast<int>(decode),
                                            static_cast<int>(s.heads),
                                            static_cast<int>(s.head_dim),
                                            kSplitsMax));
  out.counters = take(4 * (qkv_counters(s) + attend_counters(s) + batch));
  out.unpacked = take(s.unpacked_bytes);
  out.picked = floats(batch * s.hidden);
  out.logits = {.offset = out.wide.offset, .bytes = 4 * batch * s.vocabulary};
  CandidatePlaces& found = out.candidates;
  found.wishes = take(static_cast<std::int64_t>(sizeof(RowWish)) * batch);
  found.recent = take(4 * batch * kRecentMax);
  found.masks = take(8 * batch * mask_words(s.vocabulary));
  found.scratch = {.offset = out.wide16.offset,
                   .bytes = 8 * find_scratch_words(batch, s.vocabulary)};
  found.found = take(static_cast<std::int64_t>(sizeof(RowFound)) * batch);
  out.pooled = floats(s.dense > 0 ? 3 * std::max(s.hidden, s.dense) : 0);
  return out;
}

}  // namespace facet::engine::cuda
