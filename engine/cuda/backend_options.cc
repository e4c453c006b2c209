#include "engine/cuda/backend_options.h"

#include "engine/cuda/matrix.h"
#include "engine/cuda/wgmma.h"

namespace facet::engine::cuda {
namespace {

constexpr std::int64_t kRowsMax = 16384;

}  // namespace

Status check_options(const ModelConfig& config, const BackendOptions& options) {
  const PlanOptions& plan = options.plan;
  if (options.made_rows < 0 || options.made_rows % kPanelRows != 0) {
    return Error{
        Code::invalid_argument,
        "made_rows is " + std::to_string(options.made_rows) + ", expected a multiple of 16"};
  }
  if (plan.rows_max < 1 || plan.rows_max > kRowsMax) {
    return Error{Code::invalid_argument,
                 "rows_max is " + std::to_string(plan.rows_max) + ", expected 1 to " +
                     std::to_string(kRowsMax)};
  }
  for (const LayerSpec& spec : config.layers) {
    if (kv_has_scales(plan.kv_type) && spec.kv_heads * spec.head_dim % 4 != 0) {
      return Error{Code::unsupported,
                   "keys and values as " + std::string(kv_type_name(plan.kv_type)) +
                       " in rows of " + std::to_string(spec.kv_heads * spec.head_dim) +
                       " on a CUDA device; a multiple of 4 is needed"};
    }
    if (spec.head_dim <= 256 && spec.head_dim % 2 == 0) continue;
    return Error{Code::unsupported,
                 "head_dim " + std::to_string(spec.head_dim) + " on a CUDA device; at most 256"};
  }
  return ok();
}

Status choose_units(BackendOptions& options, const std::string& where) {
  // Bits must not depend on the shape then.
  if (options.is_deterministic) options.prompt_units = PromptUnits::mma;
  if (options.prompt_units != PromptUnits::wgmma) return ok();
  FACET_TRY(const bool is_there, has_wgmma());
  if (is_there) return ok();
  return Error{Code::unsupported,
               where +
                   ": products by wgmma need a device of compute capability 9.0 and a build for "
                   "sm_90a"};
}

}  // namespace facet::engine::cuda
