// What a Hugging Face folder says about a model: config.json and its relatives.
#pragma once

#include "base/result.h"
#include "engine/model/config.h"
#include "engine/tokenizer/tokenizer.h"

#include <string_view>

namespace facet::engine {

/// The config in the text of a config.json of model_type gemma3, gemma3_text or shieldgemma2, or
/// with a nested text_config, checked by check_config. Keys that are absent have the defaults of
/// the transformers library (the published 4B file leaves most of them out). Accepted spellings of
/// the layer pattern: layer_types, sliding_window_pattern, _sliding_window_pattern; of RoPE:
/// rope_theta with rope_local_base_freq and rope_scaling, rope_parameters by layer type, or both
/// (read as the library reads them). `vocabulary` is vocab_size as written; embedders
/// (use_bidirectional_attention) get embedding_dim = hidden. unsupported naming another model type,
/// activation, rope type, bias, untied head or soft-cap.
Result<ModelConfig> read_hf_config(std::string_view json);

/// Applies the added_tokens_decoder of a tokenizer_config.json to `vocabulary`: slots that carry a
/// new name there (FunctionGemma's tool tokens on unused slots) are renamed, and add_bos and
/// add_eos are taken over where they are stated. Ids behind the vocabulary are ignored.
Status apply_tokenizer_config(std::string_view json, Vocabulary& vocabulary);

/// Adds the eos_token_id of a generation_config.json, a number or a list, to `config.stop_ids`.
Status apply_generation_config(std::string_view json, ModelConfig& config);

/// The head of a sentence-transformers folder: 1_Pooling/config.json must ask for the mean over
/// tokens, N_Dense/config.json for no activation. unsupported naming what else they ask for.
Status check_pooling_config(std::string_view json);
Status check_dense_config(std::string_view json);

}  // namespace facet::engine
