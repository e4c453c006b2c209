#include "engine/model/gguf_types.h"

#include <iterator>
#include <string_view>

namespace facet::engine {

std::optional<DType> gguf_tensor_type(std::uint32_t id) {
  switch (id) {
    case 0:
      return DType::f32;
    case 1:
      return DType::f16;
    case 2:
      return DType::q4_0;
    case 8:
      return DType::q8_0;
    case 30:
      return DType::bf16;
    default:
      return std::nullopt;
  }
}

std::string gguf_tensor_type_text(std::uint32_t id) {
  constexpr std::string_view kNames[] = {"F32",
                                         "F16",
                                         "Q4_0",
                                         "Q4_1",
                                         "",
                                         "",
                                         "Q5_0",
                                         "Q5_1",
                                         "Q8_0",
                                         "Q8_1",
                                         "Q2_K",
                                         "Q3_K",
                                         "Q4_K",
                                         "Q5_K",
                                         "Q6_K",
                                         "Q8_K"};
  const std::string number = std::to_string(id);
  if (id < std::size(kNames) && !kNames[id].empty()) {
    return std::string(kNames[id]) + " (" + number + ")";
  }
  return number;
}

}  // namespace facet::engine
