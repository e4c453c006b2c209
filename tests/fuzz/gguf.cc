#include "engine/model/gguf.h"

#include "base/check.h"
#include "engine/model/gguf_config.h"
#include "engine/model/identity.h"
#include "engine/model/weights.h"
#include "engine/vision/config.h"
#include "tests/fuzz/targets.h"

namespace facet::fuzz {
namespace {

void check_inside(const engine::TensorTable& tensors, std::span<const std::byte> bytes) {
  for (const auto& [name, tensor] : tensors.all()) {
    FACET_CHECK(name == tensor.name);
    FACET_CHECK(tensor.bytes > 0);
    FACET_CHECK(tensor.data >= bytes.data());
    FACET_CHECK(tensor.bytes <= bytes.data() + bytes.size() - tensor.data);
  }
}

/// What Model::load does once the file is parsed.
bool read_model(const engine::Gguf& gguf) {
  auto config = engine::read_gguf_config(gguf, false);
  if (!config) {
    check_message(config.error());
    return false;
  }
  FACET_CHECK(engine::check_config(*config).has_value());
  const auto weights =
      engine::assemble_weights(*config, gguf.tensors(), engine::gguf_naming(), false);
  if (!weights) {
    check_message(weights.error());
    return false;
  }
  FACET_CHECK(weights->layers.size() == config->layers.size());
  FACET_CHECK(weights->embedding.cols == config->hidden);
  engine::ModelSource source;
  source.config = *std::move(config);
  source.tensors = gguf.tensors();
  FACET_CHECK(engine::model_identity(source).size() == 16);
  return true;
}

}  // namespace

bool gguf(std::span<const std::byte> bytes) {
  const auto parsed = engine::Gguf::parse(bytes);
  if (!parsed) {
    check_message(parsed.error());
    return false;
  }
  check_inside(parsed->tensors(), bytes);
  if (const auto vision = engine::read_gguf_vision_config(*parsed)) {
    FACET_CHECK(engine::check_vision_config(*vision).has_value());
    return true;
  }
  return read_model(*parsed);
}

}  // namespace facet::fuzz
