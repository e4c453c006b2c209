#include "tests/support/tiny_multimodal.h"

#include "tests/support/reference.h"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace facet::test {
namespace {

constexpr const char* kEndId = "60";  // An unused slot of tiny_vocabulary.

nlohmann::ordered_json read_json(const std::filesystem::path& path) {
  const auto text = read_text(path);
  if (!text) std::abort();
  return nlohmann::ordered_json::parse(*text);
}

}  // namespace

engine::VisionConfig tiny_vision_config(const TinyModel& model) {
  engine::VisionConfig out = formula_vision_config();
  out.text_hidden = model.hidden;
  return out;
}

void write_tiny_multimodal_folder(const std::filesystem::path& folder, const TinyModel& model) {
  write_tiny_folder(folder, model, 2, "language_model.model.");
  const engine::VisionConfig config = tiny_vision_config(model);
  const auto vision = nlohmann::ordered_json::parse("{" + vision_config_json(config) + "}");
  nlohmann::ordered_json outer = {{"model_type", "gemma3"}, {"eos_token_id", {1, 106}}};
  outer["text_config"] = read_json(folder / "config.json");
  outer.update(vision);
  write_bytes(folder / "config.json", outer.dump(1));

  const std::vector<FileTensor> tensors = hf_vision_tensors(config);
  nlohmann::ordered_json index = read_json(folder / "model.safetensors.index.json");
  for (const FileTensor& tensor : tensors) index["weight_map"][tensor.name] = "vision.safetensors";
  write_bytes(folder / "vision.safetensors", safetensors_bytes(tensors));
  write_bytes(folder / "model.safetensors.index.json", index.dump());

  const nlohmann::ordered_json added = {
      {"added_tokens_decoder", {{kEndId, {{"content", "<end_of_image>"}}}}}};
  write_bytes(folder / "tokenizer_config.json", added.dump());
}

engine::Image gradient(int width, int height) {
  engine::Image out{.width = width, .height = height};
  for (int i = 0; i < width * height * 3; ++i) {
    out.rgb.push_back(static_cast<std::uint8_t>(i * 5 % 256));
  }
  return out;
}

}  // namespace facet::test
