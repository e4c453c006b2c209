// A tiny model folder that reads pictures: the text model of tiny_model.h with the tower of
// formula_vision.h, and the token that closes a picture in place of an unused one.
#pragma once

#include "engine/vision/image.h"
#include "tests/support/formula_vision.h"
#include "tests/support/tiny_model.h"

#include <filesystem>

namespace facet::test {

/// The tower of formula_vision_config, as wide as `model`.
engine::VisionConfig tiny_vision_config(const TinyModel& model);

/// config.json, tokenizer.model, tokenizer_config.json (names <end_of_image>)
/// and the weights in three files with an index.
void write_tiny_multimodal_folder(const std::filesystem::path& folder, const TinyModel& model);

/// A picture whose bytes rise.
engine::Image gradient(int width, int height);

}  // namespace facet::test
