#include "engine/vision/model.h"

#include "base/mapped_file.h"
#include "engine/model/gguf.h"
#include "engine/model/hf_config.h"
#include "engine/model/safetensors.h"
#include "engine/vision/preprocessor_config.h"

#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace facet::engine {

struct VisionModel::Parts {
  std::vector<MappedFile> files;
  VisionConfig config;
  VisionWeights weights;

  Status read_gguf(const std::filesystem::path& path) {
    FACET_TRY(MappedFile file, MappedFile::open(path));
    FACET_TRY(const Gguf gguf, Gguf::parse(file.bytes()));
    FACET_TRY(config, read_gguf_vision_config(gguf));
    const VisionNaming naming = gguf_vision_naming(gguf.tensors(), config);
    FACET_TRY(weights, assemble_vision_weights(config, gguf.tensors(), naming));
    files.push_back(std::move(file));
    return ok();
  }

  /// False where the folder's model has no tower.
  Result<bool> read_folder(const std::filesystem::path& folder) {
    FACET_TRY(const MappedFile file, MappedFile::open(folder / "config.json"));
    const auto bytes = file.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    FACET_TRY(const ModelConfig model, read_hf_config(text));
    FACET_TRY(const std::optional<VisionConfig> stated, read_hf_vision_config(text, model.hidden));
    if (!stated) return false;
    config = *stated;
    FACET_TRY_STATUS(check_preprocessor_files(folder, config));
    TensorTable tensors;
    FACET_TRY_STATUS(read_safetensors_folder(folder, tensors, files));
    FACET_TRY(const VisionNaming naming, find_hf_vision_naming(tensors));
    FACET_TRY(weights, assemble_vision_weights(config, tensors, naming));
    return true;
  }
};

VisionModel::VisionModel(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
VisionModel::~VisionModel() = default;

Result<std::shared_ptr<const VisionModel>> VisionModel::find(const std::filesystem::path& folder) {
  auto parts = std::make_unique<Parts>();
  const Result<bool> found = parts->read_folder(folder);
  if (!found) return found.error().with_context(folder.string());
  if (!*found) return std::shared_ptr<const VisionModel>();
  return std::shared_ptr<const VisionModel>(new VisionModel(std::move(parts)));
}

Result<std::shared_ptr<const VisionModel>> VisionModel::load(const std::filesystem::path& path) {
  std::error_code no_error;  // What cannot be looked at is reported when it is opened.
  if (std::filesystem::is_directory(path, no_error)) {
    FACET_TRY(auto found, find(path));
    if (found != nullptr) return found;
    return Error{Code::unsupported,
                 path.string() + ": config.json has no vision_config: the model reads text only"};
  }
  auto parts = std::make_unique<Parts>();
  const Status read = parts->read_gguf(path);
  if (!read) return read.error().with_context(path.string());
  return std::shared_ptr<const VisionModel>(new VisionModel(std::move(parts)));
}

const VisionConfig& VisionModel::config() const {
  return parts_->config;
}

const VisionWeights& VisionModel::weights() const {
  return parts_->weights;
}

}  // namespace facet::engine
