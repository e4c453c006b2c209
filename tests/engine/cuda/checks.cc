#include "tests/engine/cuda/checks.h"

namespace facet::test {

std::vector<KernelCheck> kernel_checks() {
  std::vector<KernelCheck> out;
  for (const auto& checks : {elementwise_checks(),
                             sampling_checks(),
                             product_checks(),
                             attend_checks(),
                             prefill_checks(),
                             vision_checks()}) {
    out.insert(out.end(), checks.begin(), checks.end());
  }
  return out;
}

}  // namespace facet::test
