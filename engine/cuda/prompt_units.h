// Who multiplies in a step of many rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace facet::engine::cuda {

enum class PromptUnits : std::uint8_t {
  mma,      ///< mma.sync, our own: every architecture, every shape, one order of summation.
  library,  ///< cuBLASLt (blas.h) where the build has it and it has a kernel for the shape; else
            ///< mma.
  wgmma,    ///< Our own on Hopper (wgmma.h), GELU in the epilogue, one order of summation.
};

/// "mma", "library", "wgmma".
constexpr std::optional<PromptUnits> prompt_units_from_name(std::string_view name) {
  if (name == "mma") return PromptUnits::mma;
  if (name == "library") return PromptUnits::library;
  if (name == "wgmma") return PromptUnits::wgmma;
  return std::nullopt;
}

}  // namespace facet::engine::cuda
