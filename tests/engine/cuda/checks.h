// Checks of the CUDA kernels against the scalar reference, without a test framework: they run under
// the emulation in ctest, and on a device from a bare program (scripts/gpu_check.sh).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace facet::test {

/// What a check found.
struct CheckOutcome {
  std::string failure;  ///< The first one in words; empty: none.
  double worst =
      0.0;  ///< The largest error as a share of what is allowed; 0 where bits are compared.
};

/// Seeded: the same inputs on every run.
struct KernelCheck {
  std::string_view name;
  CheckOutcome (*run)();
};

/// All of them, the quick ones first.
std::vector<KernelCheck> kernel_checks();

/// By what they check, in the files of these names.
std::vector<KernelCheck> product_checks();
std::vector<KernelCheck> elementwise_checks();
std::vector<KernelCheck> attend_checks();
std::vector<KernelCheck> prefill_checks();
std::vector<KernelCheck> sampling_checks();
std::vector<KernelCheck> vision_checks();

/// Of whole steps, in backend_checks.cc, with those of many sequences in batch_checks.cc and those
/// that a device begins by itself in ahead_checks.cc.
std::vector<KernelCheck> backend_checks();
std::vector<KernelCheck> ahead_checks();
std::vector<KernelCheck> batch_checks();

}  // namespace facet::test
