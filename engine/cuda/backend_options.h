// What a CudaBackend is made with.
#pragma once

#include "base/result.h"
#include "engine/cuda/plan.h"
#include "engine/cuda/prompt_units.h"
#include "engine/model/config.h"
#include "engine/vision/weights.h"

#include <cstdint>
#include <string>

namespace facet::engine::cuda {

struct BackendOptions {
  int device = 0;
  PlanOptions plan;
  /// True: a sequence's bits depend on its tokens only, not on chunks and company; prompts are
  /// computed 16 tokens at a time.
  bool is_deterministic = false;
  /// Of prompts, pictures and embeddings; a deterministic backend takes mma.
  PromptUnits prompt_units = PromptUnits::library;
  /// Of plan.vision, borrowed for the call.
  const VisionWeights* vision_weights = nullptr;
  /// Above 0, for benchmarks: the device repeats so many rows of each matrix to its end, and no
  /// others are read (Uploader). A multiple of 16.
  std::int64_t made_rows = 0;
  /// False: every launch of every step is made one by one. For tests.
  bool with_graphs = true;
  /// False: no step is begun before it is asked for. For tests.
  bool runs_ahead = true;
};

/// That the options are in range and that a model of this shape can run with them:
/// invalid_argument, or unsupported.
Status check_options(const ModelConfig& config, const BackendOptions& options);

/// Puts the units that serve in place of those that are asked for; unsupported where the opened
/// device or the build has not got them. `where` names the device.
Status choose_units(BackendOptions& options, const std::string& where);

}  // namespace facet::engine::cuda
