#include "engine/cuda/plan.h"

#include "engine/cuda/vision_layout.h"
#include "engine/cuda/workspace.h"
#include "engine/kv/cache.h"
#include "engine/ops.h"

#include <algorithm>

namespace facet::engine::cuda {
namespace {

/// Most bytes of weights that are turned into bf16 at a time, for products of prompts.
constexpr std::int64_t kUnpackedBytesMax = std::int64_t{64} << 20;

/// Page pointers of a pass beyond those of one sequence that fills the context: in the 12B model
/// for 128 sequences of 8K tokens.
constexpr std::int64_t kPagePointersMore = std::int64_t{1} << 18;

/// Sequences at full context that the pool is made for where there is room.
constexpr std::int64_t kSequencesPlanned = 4;

constexpr std::int64_t kContextStep = 1024;

std::int64_t mib(std::int64_t bytes) {
  return (bytes + (1 << 20) - 1) >> 20;
}

template <class Each>
void for_each_matrix(const ModelConfig& config, const ModelWeights& weights, const Each& each) {
  each(embedding_of(config, weights));
  for (const LayerWeights& layer : weights.layers) {
    for (const TensorView* w :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      each(*w);
    }
  }
  for (const TensorView* w : {&weights.dense2, &weights.dense3}) {
    if (!w->empty()) each(*w);
  }
}

/// What the plan's parts are called in messages.
std::string parts_text(const MemoryPlan& plan, const PlanOptions& options) {
  return std::to_string(mib(plan.weight_bytes)) + " MiB of weights, " +
         std::to_string(mib(plan.sequence_bytes)) + " MiB of keys and values for " +
         std::to_string(options.context_tokens_max) + " tokens and " +
         std::to_string(mib(plan.workspace_bytes)) + " MiB of workspace";
}

}  // namespace

Layout layout_for(DType type, WeightForm form) {
  const bool is_plain = type == DType::f32 || type == DType::f16 || type == DType::bf16;
  return form == WeightForm::fp8 && is_plain ? Layout::fp8 : layout_of(type);
}

TensorView embedding_of(const ModelConfig& config, const ModelWeights& weights) {
  TensorView out = weights.embedding;
  out.rows = std::min<std::int64_t>(out.rows, config.vocabulary);
  return out;
}

std::int64_t plan_weight_bytes(const ModelConfig& config,
                               const ModelWeights& weights,
                               WeightForm form) {
  std::int64_t bytes = 0;
  for_each_matrix(config, weights, [&](const TensorView& w) {
    bytes += aligned_bytes(matrix_bytes(layout_for(w.type, form), w.rows, w.cols));
  });
  bytes += aligned_bytes(std::int64_t{4} * config.hidden);
  for (const LayerSpec& spec : config.layers) {
    bytes += 4 * aligned_bytes(std::int64_t{4} * config.hidden);
    bytes += 2 * aligned_bytes(std::int64_t{4} * spec.head_dim);
  }
  return bytes;
}

WorkspaceShape workspace_shape(const ModelConfig& config,
                               const ModelWeights& weights,
                               const PlanOptions& options) {
  WorkspaceShape s{.rows = options.rows_max,
                   .layers = std::ssize(config.layers),
                   .hidden = config.hidden,
                   .vocabulary = config.is_embedder ? 0 : config.vocabulary,
                   .ropes = ropes_of(config)};
  // An embedder's text is one pass: every token sees every other.
  if (config.is_embedder) s.rows = std::max(s.rows, options.context_tokens_max);
  s.decode_rows = std::min<std::int64_t>(kDecodeRowsMax, s.rows);
  s.batch_rows = std::min(kBatchRowsMax, s.rows);
  s.dense =
      config.is_embedder ? std::max({config.hidden, config.dense_hidden, config.embedding_dim}) : 0;
  for (const LayerSpec& spec : config.layers) {
    s.heads = std::max<std::int64_t>(s.heads, spec.heads);
    s.kv_heads = std::max<std::int64_t>(s.kv_heads, spec.kv_heads);
    s.head_dim = std::max<std::int64_t>(s.head_dim, spec.head_dim);
    s.q_width = std::max(s.q_width, std::int64_t{spec.heads} * spec.head_dim);
    s.kv_width = std::max(s.kv_width, std::int64_t{spec.kv_heads} * spec.head_dim);
    s.ffn = std::max<std::int64_t>(s.ffn, spec.ffn);
  }
  const std::int64_t pages = options.context_tokens_max / kPageTokens + 2;
  s.page_pointers = s.layers * pages + kPagePointersMore;
  for_each_matrix(config, weights, [&](const TensorView& w) {
    if (layout_for(w.type, options.weights) == Layout::bf16) return;
    const std::int64_t row = 2 * padded_cols(Layout::bf16, w.cols);
    const std::int64_t panels = (w.rows + kPanelRows - 1) / kPanelRows;
    const std::int64_t fitting = std::max<std::int64_t>(1, kUnpackedBytesMax / (row * kPanelRows));
    s.unpacked_bytes = std::max(s.unpacked_bytes, std::min(panels, fitting) * kPanelRows * row);
  });
  return s;
}

std::int64_t plan_sequence_bytes(const ModelConfig& config,
                                 const PlanOptions& options,
                                 std::int64_t tokens) {
  std::int64_t bytes = 0;
  for (const LayerSpec& spec : config.layers) {
    // One page more: a fork or a rewind copies the last one before the old one is given back.
    const std::int64_t all = ((tokens + kPageTokens - 1) / kPageTokens + 1) * kPageTokens *
                             kv_token_bytes(spec, options.kv_type);
    const bool slides = spec.causal && spec.window > 0;
    // An embedder's layers take turns with the same pages.
    if (config.is_embedder) bytes = std::max(bytes, all);
    if (config.is_embedder) continue;
    bytes += slides ? std::min(all,
                               kv_ring_bytes_max(spec, options.rows_max, options.kv_type) +
                                   kPageTokens * kv_token_bytes(spec, options.kv_type))
                    : all;
  }
  return bytes;
}

MemoryPlan plan_needs(const ModelConfig& config,
                      const ModelWeights& weights,
                      const PlanOptions& options) {
  MemoryPlan plan;
  plan.weight_bytes = plan_weight_bytes(config, weights, options.weights);
  plan.workspace_bytes = lay_out(workspace_shape(config, weights, options)).bytes;
  plan.sequence_bytes =
      aligned_bytes(plan_sequence_bytes(config, options, options.context_tokens_max));
  plan.page_bytes = plan.sequence_bytes;
  return plan;
}

std::int64_t plan_vision_bytes(const PlanOptions& options) {
  if (options.vision == nullptr || wide_head_dim(options.vision->head_dim()) == 0) return 0;
  return aligned_bytes(lay_out_vision(*options.vision).bytes);
}

Result<MemoryPlan> plan_memory(const ModelConfig& config,
                               const ModelWeights& weights,
                               const PlanOptions& options,
                               std::int64_t free_bytes) {
  MemoryPlan plan = plan_needs(config, weights, options);
  const std::int64_t room = free_bytes - kDriverBytes;
  if (plan.pool_bytes() > room) {
    PlanOptions smaller = options;
    const std::int64_t context = context_that_fits(config, weights, smaller, free_bytes);
    const std::string hint = context > 0
                                 ? "a context of " + std::to_string(context) + " tokens would fit"
                                 : "not even a short context would fit: use weights of fewer bits";
    return Error{Code::unavailable,
                 "the device has too little memory: the model needs " + parts_text(plan, options) +
                     ", of " + std::to_string(mib(std::max<std::int64_t>(0, room))) +
                     " MiB that are free; " + hint};
  }
  const std::int64_t vision = plan_vision_bytes(options);
  if (plan.pool_bytes() + vision <= room) plan.vision_bytes = vision;
  const std::int64_t wanted = kSequencesPlanned * plan.sequence_bytes + options.prefix_bytes_max;
  const std::int64_t left = room - plan.weight_bytes - plan.workspace_bytes - plan.vision_bytes;
  plan.page_bytes =
      std::max(plan.sequence_bytes, std::min(wanted, left)) / kPieceAlignment * kPieceAlignment;
  return plan;
}

std::int64_t context_that_fits(const ModelConfig& config,
                               const ModelWeights& weights,
                               const PlanOptions& options,
                               std::int64_t device_bytes) {
  PlanOptions at = options;
  at.context_tokens_max = config.context_tokens_max;
  if (plan_needs(config, weights, at).device_bytes_min() <= device_bytes) {
    return config.context_tokens_max;
  }
  std::int64_t low = 0;
  std::int64_t high = config.context_tokens_max / kContextStep;
  while (low < high) {
    const std::int64_t middle = (low + high + 1) / 2;
    at.context_tokens_max = middle * kContextStep;
    const bool fits = plan_needs(config, weights, at).device_bytes_min() <= device_bytes;
    if (fits) low = middle;
    if (!fits) high = middle - 1;
  }
  return low * kContextStep;
}

}  // namespace facet::engine::cuda
