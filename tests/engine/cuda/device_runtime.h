// Small models on the emulated device and on the CPU, with all that their sequences share.
#pragma once

#include "engine/cpu/instruction_sets.h"
#include "engine/cuda/backend.h"
#include "engine/engine.h"
#include "engine/runtime.h"
#include "engine/sequence_state.h"
#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"
#include "tests/support/memory_model.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace facet::test {

/// 64 letters and two control tokens; the models have a vocabulary of 70.
inline FakeTokenizer letters() {
  std::vector<std::string> pieces;
  for (int i = 0; i < 64; ++i) pieces.emplace_back(1, static_cast<char>(' ' + i));
  pieces.emplace_back("<go>");
  pieces.emplace_back("<end>");
  return FakeTokenizer(std::move(pieces));
}

struct DeviceOptions {
  bool is_deterministic = true;
  std::int64_t prefix_bytes_max = 0;
  engine::KvType kv_type = engine::KvType::bf16;
  bool float_activations = false;
};

inline engine::RuntimeOptions runtime_options(const DeviceOptions& options) {
  return {.threads = 1,
          .context_tokens_max = 400,
          .prefill_chunk_tokens = 48,
          .prefix_bytes_max = options.prefix_bytes_max,
          .kv_type = options.kv_type,
          .float_activations = options.float_activations};
}

inline std::shared_ptr<const engine::Runtime> on_device(const MemoryModelOptions& model,
                                                        const DeviceOptions& options = {}) {
  engine::RuntimeModel made = make_memory_model(model);
  engine::ThreadPool pool(1);
  const engine::cuda::PlanOptions plan{.context_tokens_max = 400,
                                       .rows_max = 96,
                                       .prefix_bytes_max = options.prefix_bytes_max,
                                       .kv_type = options.kv_type};
  auto backend = engine::cuda::CudaBackend::create(
      made.config,
      made.weights,
      {.plan = plan, .is_deterministic = options.is_deterministic},
      pool);
  INFO((backend ? "" : backend.error().message));
  REQUIRE(backend.has_value());
  return std::make_shared<const engine::Runtime>(std::move(made),
                                                 *engine::usable_ops().front(),
                                                 runtime_options(options),
                                                 *std::move(backend));
}

inline std::shared_ptr<const engine::Runtime> on_cpu(const MemoryModelOptions& model,
                                                     const DeviceOptions& options = {}) {
  return std::make_shared<const engine::Runtime>(
      make_memory_model(model), *engine::usable_ops().front(), runtime_options(options));
}

inline engine::Sequence make_sequence(const std::shared_ptr<const engine::Runtime>& runtime) {
  return engine::Sequence(std::make_unique<engine::SequenceState>(runtime));
}

inline std::vector<float> logits_of(const engine::Sequence& sequence) {
  const auto logits = sequence.logits();
  REQUIRE(logits.has_value());
  return {logits->begin(), logits->end()};
}

inline std::vector<float> fresh_logits(const std::shared_ptr<const engine::Runtime>& runtime,
                                       std::span<const engine::TokenId> ids) {
  engine::Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(ids).has_value());
  return logits_of(sequence);
}

}  // namespace facet::test
