// facet_gpu_checks [NAME] [--skip N]: runs the checks of the CUDA kernels and of whole steps on a
// device, those whose name contains NAME without the first N of them, without a test framework. One
// JSON object a line; the name of each on stderr before it runs. Exit code 1 when one failed, 77
// where there is no device. 3 when a check broke the device for this process, 4 when one threw: the
// rest has to be run by another one.
#include "engine/cuda/device.h"
#include "tests/engine/cuda/checks.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cuda_runtime_api.h>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// What ctest takes for "not run".
constexpr int kNotRun = 77;
constexpr int kBroken = 3;
constexpr int kStopped = 4;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

/// JSON has no infinity.
double finite(double value) {
  return std::isfinite(value) ? value : 1e99;
}

struct Options {
  std::string_view wanted;
  int skipped = 0;
  bool is_valid = true;
};

Options parse(int count, char** arguments) {
  Options out;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument != "--skip") {
      out.wanted = argument;
      continue;
    }
    const std::string_view number = ++i < count ? arguments[i] : "";
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), out.skipped);
    out.is_valid = error == std::errc() && end == number.data() + number.size();
  }
  return out;
}

int run(const Options& options) {
  const auto devices = facet::engine::cuda::list_devices();
  if (!devices) {
    std::cerr << "nothing was run: " << devices.error().message << '\n';
    return kNotRun;
  }
  int failures = 0;
  int number = 0;
  std::vector<facet::test::KernelCheck> checks = facet::test::kernel_checks();
  for (const auto& check : facet::test::backend_checks()) checks.push_back(check);
  for (const auto& check : facet::test::batch_checks()) checks.push_back(check);
  for (const auto& check : facet::test::ahead_checks()) checks.push_back(check);
  for (const facet::test::KernelCheck& check : checks) {
    if (check.name.find(options.wanted) == std::string_view::npos) continue;
    if (++number <= options.skipped) continue;
    std::cerr << check.name << std::endl;
    const auto begin = std::chrono::steady_clock::now();
    const facet::test::CheckOutcome outcome = check.run();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (!outcome.failure.empty()) ++failures;
    std::cout << "{\"check\": " << quoted(check.name) << ", \"worst\": " << finite(outcome.worst)
              << ", \"seconds\": " << spent.count() << ", \"failure\": " << quoted(outcome.failure)
              << "}" << std::endl;
    if (!outcome.failure.empty() && cudaDeviceSynchronize() != cudaSuccess) return kBroken;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const Options options = parse(count, arguments);
    if (options.is_valid) return run(options);
    std::cerr << "facet_gpu_checks [NAME] [--skip N]\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return kStopped;
  }
}
