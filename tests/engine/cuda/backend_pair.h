// A small model on the device and on the CPU, and how far results of the two are from each other:
// for the checks of whole steps.
#pragma once

#include "engine/cpu/forward.h"
#include "engine/cpu/instruction_sets.h"
#include "engine/cuda/backend.h"
#include "tests/engine/cuda/checks.h"
#include "tests/support/memory_model.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace facet::test {

/// Of make_memory_model.
inline constexpr auto kVocabulary = std::size_t{70};

/// A model, the same on the device and on the CPU.
struct Pair {
  engine::RuntimeModel model;
  engine::ThreadPool pool{4};
  std::unique_ptr<engine::Forward> cpu;
  std::unique_ptr<engine::cuda::CudaBackend> device;
  std::string failure;

  explicit Pair(const MemoryModelOptions& made, engine::cuda::BackendOptions options = {})
      : model(make_memory_model(made)) {
    options.plan.context_tokens_max = 512;
    options.plan.rows_max = 128;
    // For many sequences, forks and all.
    if (options.plan.prefix_bytes_max == 0) options.plan.prefix_bytes_max = 64 << 20;
    cpu = std::make_unique<engine::Forward>(
        model.config, model.weights, *engine::usable_ops().front(), pool);
    auto backend = engine::cuda::CudaBackend::create(model.config, model.weights, options, pool);
    if (!backend) failure = backend.error().message;
    if (backend) device = *std::move(backend);
  }
};

/// Root of the squared differences over that of the squares; not below it for NaN.
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double wrong = 0.0;
  double all = 1e-30;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = double{a[i]} - double{b[i]};
    wrong += difference * difference;
    all += double{b[i]} * double{b[i]};
  }
  const double out = std::sqrt(wrong / all);
  return a.size() == b.size() && !a.empty() && out >= 0.0 ? out : 1e9;
}

inline CheckOutcome within(double found, double allowed, const std::string& what) {
  CheckOutcome out{.worst = found / allowed};
  if (!(found <= allowed)) {
    out.failure =
        what + ": distance " + std::to_string(found) + ", allowed " + std::to_string(allowed);
  }
  return out;
}

inline CheckOutcome worse(const CheckOutcome& a, const CheckOutcome& b) {
  CheckOutcome out = a.worst >= b.worst ? a : b;
  out.failure = a.failure.empty() ? b.failure : a.failure;
  return out;
}

/// Bits of a backend against those of another way to the same result.
inline CheckOutcome same_bits(bool is_same, const char* what) {
  return {.failure = is_same ? "" : what};
}

}  // namespace facet::test
