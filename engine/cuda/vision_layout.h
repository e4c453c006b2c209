// What a vision tower needs of a device's memory: its weights, all as bfloat16, and the arrays of
// one image, as places in one piece of the pool. Plain C++.
#pragma once

#include "engine/cuda/workspace.h"
#include "engine/vision/config.h"

#include <cstdint>

namespace facet::engine::cuda {

/// The dimension of the heads as flash_attend takes them: 64, 128 or 256; 0: head_dim is too large.
constexpr int wide_head_dim(int head_dim) {
  return head_dim <= 64 ? 64 : head_dim <= 128 ? 128 : head_dim <= 256 ? 256 : 0;
}

struct VisionLayout {
  std::int64_t weight_bytes = 0;  ///< At the beginning.
  // Constants of the attention, written at load.
  Place end;       ///< (patches) int32: every patch sees all of them.
  Place tiles;     ///< (at most patches) AttentionTile
  Place pointers;  ///< A pointer for each page.
  Place sequence;  ///< One SequencePages.
  // One image on its way.
  Place pixels;  ///< (patches, patch_floats)
  Place x;       ///< (patches, hidden): the residual stream
  Place h16;     ///< (patches, padded) bf16: what the next product multiplies; padded is the widest
                 ///< of hidden and patch_floats
  Place wide;    ///< (patches, max(3 hidden, ffn)): products
  Place wide16;  ///< (patches, max(heads * wide_dim, padded ffn)) bf16
  Place heads;   ///< (patches, heads * wide_dim) bf16: what attention gives
  Place pages;   ///< Keys and values
  Place pooled;  ///< (image_tokens, hidden)
  Place tokens;  ///< (image_tokens, text_hidden)
  std::int64_t bytes = 0;  ///< With the weights.
};

/// REQUIRES: check_vision_config passed.
VisionLayout lay_out_vision(const VisionConfig& config);

}  // namespace facet::engine::cuda
