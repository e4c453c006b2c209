// What the kernels know of a step: which rows there are, where they stand in their sequences, and
// where the pages of these lie. All pointers are device memory, filled by the host before the step,
// so that a recorded graph serves every step of its shape.
#pragma once

#include "engine/kv/kv_type.h"

#include <cstddef>
#include <cstdint>

namespace facet::engine::cuda {

using Stream = void*;  ///< A cudaStream_t; null: the default stream.

/// How a launch stands to the one before it. `overlaps`: programmatic dependent launch; the kernel
/// may start while the previous one ends (it reads only weights until that one is done).
struct LaunchOrder {
  Stream stream = nullptr;
  bool overlaps = false;
};

/// One token each, of any sequences in any order; the tokens of a sequence in ascending positions.
struct StepRows {
  int rows = 0;
  const std::int32_t* position = nullptr;  ///< (rows)
  /// (rows) One past the last position that the row may attend to, as far as sequence and image go:
  /// position + 1 for text of a generator, the end of the image for its rows, the end of the text
  /// for embedders. 0: a row that pads the step; it sees nothing, and its key is not stored. Not
  /// for project_qkv.
  const std::int32_t* end = nullptr;
  const std::int32_t* sequence = nullptr;  ///< (rows) Index into the SequencePages of a layer.
};

/// The pages of one sequence in one layer; layout as in engine/ops.h (KvPages).
struct SequencePages {
  std::byte* const* pages = nullptr;  ///< Device pointers, in device memory.
  std::int64_t first_page = 0;  ///< pages[0] holds positions from first_page * kPageTokens on.
};

/// The KV cache of one layer.
struct LayerPages {
  const SequencePages* sequences = nullptr;  ///< In device memory.
  KvType type = KvType::bf16;
  int kv_heads = 0;
  int head_dim = 0;
};

/// Which keys a row at `position` with `end` admits: [max(0, position - window + 1), last) where
/// window > 0, else [0, last); last is end, or min(end, position + window) for layers that are not
/// causal and have a window (ModelConfig::LayerSpec).
struct AttentionSpan {
  int window = 0;
  bool causal = true;
};

}  // namespace facet::engine::cuda
