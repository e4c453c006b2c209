#include "engine/model/gguf_types.h"

#include <string_view>
#include <utility>

namespace facet::engine {

std::string gguf_tensor_type_text(std::uint32_t id) {
  // Only the types that are not read: the names of the others are in tensor.cc.
  constexpr std::pair<std::uint32_t, std::string_view> kForeign[] = {{9, "Q8_1"},
                                                                     {15, "Q8_K"},
                                                                     {16, "IQ2_XXS"},
                                                                     {17, "IQ2_XS"},
                                                                     {18, "IQ3_XXS"},
                                                                     {19, "IQ1_S"},
                                                                     {21, "IQ3_S"},
                                                                     {22, "IQ2_S"},
                                                                     {23, "IQ4_XS"},
                                                                     {24, "I8"},
                                                                     {25, "I16"},
                                                                     {26, "I32"},
                                                                     {27, "I64"},
                                                                     {28, "F64"},
                                                                     {29, "IQ1_M"},
                                                                     {34, "TQ1_0"},
                                                                     {35, "TQ2_0"},
                                                                     {39, "MXFP4"}};
  std::string number = std::to_string(id);
  for (const auto& [number_of, name] : kForeign) {
    if (number_of == id) return std::string(name) + " (" + number + ")";
  }
  return number;
}

}  // namespace facet::engine
