// Names for the numbers that GGUF files use for tensor types, those that are not read included.
#pragma once

#include <cstdint>
#include <string>

namespace facet::engine {

/// "IQ4_XS (23)", or only the number: people have files of these types, so a refusal names them.
std::string gguf_tensor_type_text(std::uint32_t id);

}  // namespace facet::engine
