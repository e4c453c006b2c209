// The numbers that GGUF files use for tensor types.
#pragma once

#include "engine/model/tensor.h"

#include <cstdint>
#include <optional>
#include <string>

namespace facet::engine {

/// ggml's number of a tensor type; nullopt for those the engine does not read.
std::optional<DType> gguf_tensor_type(std::uint32_t id);

/// "Q4_K (12)", or only the number: people have files of these types, so a refusal names them.
std::string gguf_tensor_type_text(std::uint32_t id);

}  // namespace facet::engine
