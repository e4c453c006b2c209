// VisionModel: a vision tower and projector out of the files people have.
#pragma once

#include "base/result.h"
#include "engine/vision/config.h"
#include "engine/vision/weights.h"

#include <filesystem>
#include <memory>
#include <string>

namespace facet::engine {

/// Immutable after load and shared; thread-safe. Matrices stay memory-mapped.
class VisionModel {
 public:
  /// Reads `path`: an mmproj GGUF file, or a Hugging Face folder whose config.json has a
  /// vision_config. Every tensor's name and shape is checked. not_found for a missing file,
  /// unsupported for a model without a tower or with another one, invalid_data for anything broken.
  static Result<std::shared_ptr<const VisionModel>> load(const std::filesystem::path& path);

  /// The tower of a model folder; null where its config.json has no vision_config. Errors as above.
  static Result<std::shared_ptr<const VisionModel>> find(const std::filesystem::path& folder);

  VisionModel(const VisionModel&) = delete;
  VisionModel& operator=(const VisionModel&) = delete;
  ~VisionModel();

  [[nodiscard]] const VisionConfig& config() const;
  [[nodiscard]] const VisionWeights& weights() const;

 private:
  struct Parts;
  explicit VisionModel(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace facet::engine
