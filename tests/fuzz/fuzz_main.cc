// libFuzzer's entry for the target that FACET_FUZZ_TARGET names.
#include "tests/fuzz/targets.h"

#include <cstddef>
#include <cstdint>
#include <span>

// libFuzzer's own name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(facet::fuzz::FACET_FUZZ_TARGET(std::as_bytes(std::span(data, size))));
  return 0;
}
