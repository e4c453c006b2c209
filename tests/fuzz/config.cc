#include "engine/model/config.h"

#include "base/check.h"
#include "engine/model/hf_config.h"
#include "engine/vision/config.h"
#include "tests/fuzz/targets.h"
#include "tests/support/tiny_model.h"

#include <string_view>

namespace facet::fuzz {
namespace {

const engine::Vocabulary& tiny_vocabulary() {
  static const engine::Vocabulary vocabulary = test::tiny_vocabulary();
  return vocabulary;
}

bool accepted(const Status& status) {
  if (!status) check_message(status.error());
  return status.has_value();
}

bool read_relatives(std::string_view text) {
  engine::ModelConfig generation;
  generation.vocabulary = 500;
  const bool stops = accepted(engine::apply_generation_config(text, generation));
  for (const auto id : generation.stop_ids) FACET_CHECK(id >= 0 && id < 500);
  engine::Vocabulary vocabulary = tiny_vocabulary();
  const bool tokenizer = accepted(engine::apply_tokenizer_config(text, vocabulary));
  FACET_CHECK(vocabulary.pieces.size() == tiny_vocabulary().pieces.size());
  const bool pooling = accepted(engine::check_pooling_config(text));
  const bool dense = accepted(engine::check_dense_config(text));
  return stops || tokenizer || pooling || dense;
}

}  // namespace

bool config(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto vision = engine::read_hf_vision_config(text, 64);
  if (!vision) check_message(vision.error());
  if (vision && vision->has_value()) FACET_CHECK(engine::check_vision_config(**vision).has_value());
  const auto config = engine::read_hf_config(text);
  if (config) {
    FACET_CHECK(engine::check_config(*config).has_value());
    return true;
  }
  check_message(config.error());
  return read_relatives(text);
}

}  // namespace facet::fuzz
