// What a model folder says about turning pictures into numbers. We do it in the one way that all
// Gemma 3 models use; a file that asks for another is refused, not ignored.
#pragma once

#include "base/result.h"
#include "engine/vision/config.h"

#include <filesystem>
#include <string_view>

namespace facet::engine {

/// Checks the text of a preprocessor_config.json against what preprocess.h does with a tower of
/// `config`: resized (bilinear) to its square, rescaled by 1/255, mean and standard deviation 0.5,
/// its number of soft tokens, no pan-and-scan unless asked for, and that with its usual values.
/// Absent and null keys mean these. unsupported naming the key and its value.
Status check_preprocessor_config(std::string_view json, const VisionConfig& config);

/// The same for the files of a model folder, preprocessor_config.json and the "image_processor" of
/// processor_config.json; either may be absent. Messages name the file.
Status check_preprocessor_files(const std::filesystem::path& folder, const VisionConfig& config);

}  // namespace facet::engine
