// The SentencePiece model file: a protobuf message, read and written here by its wire format, so
// that nothing of it is trusted before it is checked. ModelProto: 1 pieces (1 text, 2 score,
// 3 type), 2 trainer_spec (3 model_type, 35 byte_fallback, 40-43 unk, bos, eos, pad ids),
// 3 normalizer_spec (2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces,
// 5 escape_whitespaces).
#pragma once

#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstddef>
#include <span>
#include <string>

namespace facet::engine {

inline constexpr std::size_t kPiecesMax = std::size_t{1} << 20U;
inline constexpr std::size_t kPieceBytesMax = 1024;

/// The vocabulary in the bytes of a `.model` file. invalid_data for a broken file, limit_exceeded
/// beyond the limits above, unsupported for a model that is not BPE or that normalises text
/// (character map, dummy prefix, removal of spaces): the Gemma family does none of it.
Result<Vocabulary> parse_model_proto(std::span<const std::byte> bytes);

/// The bytes of a `.model` file for `vocabulary`, with byte fallback and no normalisation.
std::string write_model_proto(const Vocabulary& vocabulary);

}  // namespace facet::engine
