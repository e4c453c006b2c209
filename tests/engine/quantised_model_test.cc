// Whole models in each GGUF type against the same model with its weights expanded to float32.
#include "engine/cpu/forward.h"
#include "engine/cpu/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"
#include "tests/support/steps.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

namespace facet::engine {
namespace {

/// Largest difference of a logit, of the largest logit, that quantised weights may make: with
/// activations in float, and where they are rounded in front of the weights (ops.h). Measured:
/// docs/exactness.md.
double bound_of(DType type, bool float_activations) {
  if (float_activations) return 1e-3;
  if (type == DType::q8_0 || type == DType::q4_0) return 2e-2;
  return type == DType::bf16 ? 3e-3 : 1e-3;
}

/// `model` with every matrix in float32. `memory` holds them.
RuntimeModel expanded(const RuntimeModel& model, std::deque<std::vector<float>>& memory) {
  RuntimeModel out = model;
  const auto expand = [&](TensorView& view) {
    memory.emplace_back(static_cast<std::size_t>(view.rows * view.cols));
    dequantize(view.type, view.data, view.rows * view.cols, memory.back().data());
    view.type = DType::f32;
    view.data = reinterpret_cast<const std::byte*>(memory.back().data());
  };
  expand(out.weights.embedding);
  for (LayerWeights& layer : out.weights.layers) {
    for (TensorView* view :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      expand(*view);
    }
  }
  return out;
}

/// Logits of every position, the text in one chunk.
std::vector<float> logits_of(const RuntimeModel& model,
                             const Ops& ops,
                             const ForwardOptions& options,
                             std::span<const TokenId> ids) {
  ThreadPool pool(1);
  Forward forward(model.config, model.weights, ops, pool, options);
  KvCache cache(model.config.layers);
  std::vector<float> out(ids.size() * static_cast<std::size_t>(model.config.vocabulary));
  test::append(forward, ids, cache, out);
  return out;
}

}  // namespace

TEST_CASE("every type computes what its expanded weights compute", "[engine][quantised]") {
  const DType type = GENERATE(from_range(dtypes().begin(), dtypes().end()));
  const ForwardOptions options{.float_activations = GENERATE(true, false)};
  const RuntimeModel model =
      test::make_memory_model({.type = type, .layers = 7, .window = 9, .seed = 41});
  std::deque<std::vector<float>> memory;
  const RuntimeModel floats = expanded(model, memory);
  std::mt19937 random(42);
  const std::vector<TokenId> ids = test::random_ids(33, random);
  for (const Ops* ops : usable_ops()) {
    const std::vector<float> wanted = logits_of(floats, *ops, {}, ids);
    const std::vector<float> found = logits_of(model, *ops, options, ids);
    double worst = 0.0;
    double largest = 0.0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(found[i]) - wanted[i]));
      largest = std::max(largest, std::abs(static_cast<double>(wanted[i])));
    }
    INFO(ops->name << ' ' << dtype_name(type) << ": " << worst / largest << " of " << largest);
    CHECK(worst <= bound_of(type, options.float_activations) * largest);
  }
}

}  // namespace facet::engine
