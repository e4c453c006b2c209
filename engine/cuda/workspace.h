// The arrays that a pass needs in device memory, as places in one piece of the pool: what the plan
// counts is what the forward pass uses.
#pragma once

#include "engine/cuda/prefill.h"
#include "engine/cuda/sampling.h"
#include "engine/cuda/step.h"
#include "engine/model/config.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace facet::engine::cuda {

/// Partial sums of multiply_rows are at most so many.
inline constexpr int kMultiplyPartsMax = 16;

/// Sequences of one pass.
inline constexpr int kSequencesMax = 1024;

/// Rows of a pass of the batch kind, and rows whose logits are computed by one product.
inline constexpr std::int64_t kBatchRowsMax = 128;
/// Passes of the batch kind are filled up to a multiple of this: each size is recorded once.
inline constexpr std::int64_t kBatchRowsStep = 32;

/// Which launches a pass takes.
enum class PassKind : std::uint8_t {
  decode,  ///< Those of decode.h: at most kDecodeRowsMax rows.
  batch,   ///< Many sequences, few rows each: products of prefill.h, attention of decode.h.
  prompt,  ///< Those of prefill.h: any number of rows.
};

/// Pieces of the pool begin at multiples of this.
inline constexpr std::int64_t kPieceAlignment = 256;
constexpr std::int64_t aligned_bytes(std::int64_t bytes) {
  return (bytes + kPieceAlignment - 1) / kPieceAlignment * kPieceAlignment;
}

/// What rotary positions depend on, beside the position.
struct Rope {
  double theta = 0.0;
  double divisor = 1.0;
  int head_dim = 0;
  bool operator==(const Rope&) const = default;
};
/// The different ones of a model, in the order of the layers.
std::vector<Rope> ropes_of(const ModelConfig& config);
Rope rope_of(const LayerSpec& spec);

/// An array: its first byte in the workspace.
struct Place {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

/// Sizes that the arrays follow from. Widths are the largest of all layers.
struct WorkspaceShape {
  std::int64_t rows = 0;         ///< Of a pass.
  std::int64_t decode_rows = 0;  ///< Of a pass of the decode kind, at most rows.
  std::int64_t batch_rows = 0;   ///< Of a pass of the batch kind, at most rows.
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t q_width = 0;
  std::int64_t kv_width = 0;
  std::int64_t ffn = 0;
  std::int64_t vocabulary = 0;
  std::int64_t dense = 0;           ///< Widest dense layer of an embedder.
  std::int64_t page_pointers = 0;   ///< Of all sequences of a pass, in all layers.
  std::int64_t unpacked_bytes = 0;  ///< For a stripe of weights as bf16; 0: all are bf16.
  std::vector<Rope> ropes;
};

struct RopePlaces {
  Place frequencies;  ///< (head_dim / 2)
  Place cos;          ///< (rows, head_dim / 2)
  Place sin;
};

/// What the host writes before a pass, in one copy of `all`, where the others lie.
struct InputPlaces {
  Place all;
  Place ids;       ///< (rows) int32
  Place position;  ///< (rows) int32
  Place end;       ///< (rows) int32
  Place sequence;  ///< (rows) int32
  Place tiles;     ///< (rows) AttentionTile; prompts only.
};

/// What find_candidates reads and writes, for up to batch_rows rows.
struct CandidatePlaces {
  Place wishes;   ///< (batch_rows) RowWish, and behind them
  Place recent;   ///< (batch_rows, kRecentMax) int32: one copy for both.
  Place masks;    ///< (batch_rows, mask_words) uint64
  Place scratch;  ///< find_scratch_words(); the bytes of wide16, which is free behind the layers.
  Place found;    ///< (batch_rows) RowFound
};
/// Words of a mask over the vocabulary.
constexpr std::int64_t mask_words(std::int64_t vocabulary) {
  return (vocabulary + 63) / 64;
}

struct WorkspaceLayout {
  WorkspaceShape shape;
  InputPlaces decode;
  InputPlaces batch;
  InputPlaces prompt;
  Place sequences;  ///< (layers, sequences that the pass has or may have) SequencePages
  Place pointers;   ///< (page_pointers)
  std::vector<RopePlaces> ropes;
  Place x[2];      ///< (rows, hidden): the residual stream, in turns
  Place h16;       ///< (rows, padded hidden) bf16
  Place wide;      ///< Of a layer: q, k, v before and after norms, or gate and up.
  Place wide16;    ///< q and attention, or gelu(gate) * up, as bf16
  Place delta;     ///< (rows, hidden), or (parts, decode_rows, hidden)
  Place q;         ///< (decode_rows, q_width), and the same of the next ones
  Place attn;      ///< (decode_rows, q_width)
  Place gated;     ///< (decode_rows, ffn)
  Place scratch;   ///< For project_qkv and gate_up.
  Place splits;    ///< For attend, and for cuBLASLt: never both.
  Place counters;  ///< Zero between launches.
  Place unpacked;
  Place picked;  ///< (batch_rows, hidden): rows whose logits are wanted
  Place logits;  ///< (batch_rows, vocabulary); the bytes of wide, which is free behind the layers.
  CandidatePlaces candidates;
  Place pooled;  ///< (3, max(hidden, dense)): an embedder's vector on its way
  std::int64_t bytes = 0;

  [[nodiscard]] const InputPlaces& inputs_of(PassKind kind) const {
    if (kind == PassKind::prompt) return prompt;
    return kind == PassKind::batch ? batch : decode;
  }
};

WorkspaceLayout lay_out(const WorkspaceShape& shape);

/// Zero-initialised counters come first for project_qkv, then for attend, then for find_candidates.
constexpr std::int64_t qkv_counters(const WorkspaceShape& s) {
  return s.heads + 2 * s.kv_heads;
}
constexpr std::int64_t attend_counters(const WorkspaceShape& s) {
  return s.rows * s.heads;
}

}  // namespace facet::engine::cuda
