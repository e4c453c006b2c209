// Runs the checks of the CUDA kernels and of whole steps without a test framework: one JSON object
// a line, exit code 1 when one failed, 77 where there is no device. On a device: every check, or
// those whose name contains the argument.
#include "engine/cuda/device.h"
#include "tests/engine/cuda/checks.h"

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

/// What ctest takes for "not run".
constexpr int kNotRun = 77;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

int run(std::string_view wanted) {
  const auto devices = facet::engine::cuda::list_devices();
  if (!devices) {
    std::cerr << "nothing was run: " << devices.error().message << '\n';
    return kNotRun;
  }
  int failures = 0;
  std::vector<facet::test::KernelCheck> checks = facet::test::kernel_checks();
  for (const auto& check : facet::test::backend_checks()) checks.push_back(check);
  for (const facet::test::KernelCheck& check : checks) {
    if (check.name.find(wanted) == std::string_view::npos) continue;
    const facet::test::CheckOutcome outcome = check.run();
    if (!outcome.failure.empty()) ++failures;
    std::cout << "{\"check\": " << quoted(check.name) << ", \"worst\": " << outcome.worst
              << ", \"failure\": " << quoted(outcome.failure) << "}" << std::endl;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count > 1 ? arguments[1] : "");
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
