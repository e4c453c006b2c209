// A small vision tower whose weights a formula gives (tests/oracle/image_text.py makes the
// same one), in memory and as the files of both formats.
#pragma once

#include "engine/vision/config.h"
#include "engine/vision/weights.h"
#include "tests/support/formula_weights.h"
#include "tests/support/model_files.h"

#include <string>
#include <string_view>
#include <vector>

namespace facet::test {

/// 84 x 84 pixels, 36 patches, 9 soft tokens of width 128.
engine::VisionConfig formula_vision_config();

/// The tower in memory; `memory` keeps its matrices.
engine::VisionWeights formula_vision(FormulaWeights& memory, const engine::VisionConfig& config);

/// The pixels of image `index`, as the oracle has them. (3, image_size, image_size)
std::vector<float> formula_pixels(const engine::VisionConfig& config, std::uint32_t index);

/// The tensors of a Hugging Face checkpoint; names begin with "vision_tower." + `behind`, and all
/// of them with `front`. Matrices are of `type`, vectors F32.
std::vector<FileTensor> hf_vision_tensors(const engine::VisionConfig& config,
                                          const std::string& front = "",
                                          const std::string& behind = "vision_model.",
                                          engine::DType type = engine::DType::f32);

/// "vision_config": {...}, "mm_tokens_per_image": n, as a part of a config.json.
std::string vision_config_json(const engine::VisionConfig& config);

/// An mmproj file; `swapped` gives the matrices of the feed-forward each other's name, as older
/// files do.
GgufWriter vision_gguf(const engine::VisionConfig& config,
                       engine::DType type = engine::DType::f32,
                       bool swapped = false);

}  // namespace facet::test
