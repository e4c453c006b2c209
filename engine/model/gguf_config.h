// What GGUF metadata says about a model and its tokenizer.
#pragma once

#include "base/result.h"
#include "engine/model/config.h"
#include "engine/model/gguf.h"
#include "engine/tokenizer/tokenizer.h"

namespace facet::engine {

/// The config of a `gemma3` or `gemma-embedding` file, checked by check_config. What llama.cpp does
/// not write has the family's values: local rope theta 1e4, every sixth layer global; the optional
/// keys <arch>.attention.sliding_window_pattern and <arch>.rope.local.freq_base (or freq_base_swa)
/// override them. The attention scale is <arch>.attention.scale, else head_dim^-0.5, but
/// (hidden / heads)^-0.5 for 62 layers (27B). The vocabulary is as large as the tokenizer's, or,
/// without it, as the embedding.
/// unsupported naming another architecture, rope scaling, pooling or a soft-cap.
Result<ModelConfig> read_gguf_config(const Gguf& gguf, bool with_tokenizer = true);

/// The vocabulary of a file with tokenizer.ggml.model "llama". invalid_data when tokens, scores and
/// types have different lengths; unsupported for other tokenizers and for add_space_prefix.
Result<Vocabulary> read_gguf_vocabulary(const Gguf& gguf);

}  // namespace facet::engine
