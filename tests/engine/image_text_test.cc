// Text with images against transformers' Gemma3ForConditionalGeneration (oracle/image_text.py).

#include "engine/cpu/forward.h"
#include "engine/cpu/instruction_sets.h"
#include "engine/reference/forward.h"
#include "engine/vision/encoder.h"
#include "engine/vision/soft_tokens.h"
#include "tests/support/catch.h"
#include "tests/support/formula_text.h"
#include "tests/support/formula_vision.h"
#include "tests/support/random_tensors.h"
#include "tests/support/steps.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace facet::engine {
namespace {

using test::FormulaModel;

constexpr TokenId kImageToken = 95;

nlohmann::json golden() {
  const std::string root = FACET_SOURCE_DIR;
  std::ifstream file(root + "/tests/oracle/image_text_golden.json");
  REQUIRE(file.good());
  return nlohmann::json::parse(file);
}

FormulaModel text_model() {
  return test::make_formula_model({false, false, false, false, false, true, false}, 8, false);
}

/// The two images of the oracle, through our own tower.
std::vector<std::shared_ptr<const SoftTokens>> encoded_images(const Ops& ops) {
  const VisionConfig config = test::formula_vision_config();
  test::FormulaWeights memory;
  const VisionWeights weights = test::formula_vision(memory, config);
  ThreadPool pool(1);
  const VisionEncoder encoder(config, weights, ops, pool);
  std::vector<std::shared_ptr<const SoftTokens>> out;
  for (std::uint32_t i = 0; i < 2; ++i) {
    out.push_back(make_soft_tokens(encoder.encode(test::formula_pixels(config, i)), 128));
  }
  return out;
}

/// The oracle's ids with each run of its image token replaced by the ids of an image.
std::vector<TokenId> with_images(std::vector<TokenId> ids,
                                 const std::vector<std::shared_ptr<const SoftTokens>>& images) {
  std::size_t image = 0;
  for (std::size_t at = 0; at < ids.size(); ++at) {
    if (ids[at] != kImageToken) continue;
    const auto& from = images[image++]->ids;
    std::copy(from.begin(), from.end(), ids.begin() + static_cast<std::ptrdiff_t>(at));
    at += from.size() - 1;
  }
  REQUIRE(image == images.size());
  return ids;
}

void check_logits(const float* logits, const nlohmann::json& wanted) {
  const auto values = wanted.get<std::vector<float>>();
  const auto largest = std::max_element(values.begin(), values.end());
  for (std::size_t j = 0; j < values.size(); ++j) {
    INFO("logit " << j);
    REQUIRE(std::abs(logits[j] - values[j]) < 1e-4F);
  }
  CHECK(std::max_element(logits, logits + values.size()) - logits == largest - values.begin());
}

}  // namespace

TEST_CASE("text with images has the logits of transformers", "[engine][vision][unit]") {
  const FormulaModel model = text_model();
  const nlohmann::json expected = golden();
  for (const Ops* ops : usable_ops()) {
    const auto images = encoded_images(*ops);
    const auto ids = with_images(expected.at("ids").get<std::vector<TokenId>>(), images);
    const auto spans = find_images(ids, images, 128);
    REQUIRE(spans.has_value());
    ThreadPool pool(1);
    Forward forward(model.config, model.weights, *ops, pool);
    KvCache cache(model.config.layers);
    std::vector<float> logits;
    const auto positions = expected.at("positions").get<std::vector<std::int64_t>>();
    std::int64_t done = 0;
    const auto size = static_cast<std::int64_t>(ids.size());
    std::size_t compared = 0;
    while (done < size) {
      const auto at_image = std::find_if(
          spans->begin(), spans->end(), [&](const ImageSpan& span) { return span.first == done; });
      const bool is_image = at_image != spans->end();
      const std::int64_t count = is_image ? at_image->image->count : 1;
      logits.resize(static_cast<std::size_t>(count) * 96);
      if (is_image) {
        test::append_image(forward, at_image->image->values, cache, logits);
      } else {
        test::append(
            forward, std::span(ids).subspan(static_cast<std::size_t>(done), 1), cache, logits);
      }
      for (std::size_t i = 0; i < positions.size(); ++i) {
        if (positions[i] < done || positions[i] >= done + count) continue;
        INFO(ops->name << " position " << positions[i]);
        check_logits(logits.data() + (positions[i] - done) * 96, expected.at("logits").at(i));
        ++compared;
      }
      done += count;
    }
    CHECK(compared == 11);
  }
}

TEST_CASE("the scalar reference has the logits of transformers inside images too",
          "[engine][vision][unit]") {
  const FormulaModel model = text_model();
  const nlohmann::json expected = golden();
  const auto images = encoded_images(*usable_ops().front());
  const auto ids = with_images(expected.at("ids").get<std::vector<TokenId>>(), images);
  const auto spans = find_images(ids, images, 128);
  REQUIRE(spans.has_value());
  const std::vector<double> all = reference_logits(model.config, model.weights, ids, *spans);
  const std::vector<float> logits(all.begin(), all.end());
  const auto positions = expected.at("positions").get<std::vector<std::size_t>>();
  REQUIRE(positions.size() == 11);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    INFO("position " << positions[i]);
    check_logits(logits.data() + positions[i] * 96, expected.at("logits").at(i));
  }
}

TEST_CASE("images are found by their ids, whole and in order", "[engine][vision][unit]") {
  std::mt19937 random(3);
  const auto make = [&](std::int64_t count) {
    return make_soft_tokens(test::random_floats(count * 4, random), 4);
  };
  const auto a = make(3);
  const auto b = make(1);
  CHECK(a->count == 3);
  CHECK(std::all_of(a->ids.begin(), a->ids.end(), [](TokenId id) { return id < 0; }));
  CHECK(make_soft_tokens(a->values, 4)->ids == a->ids);
  std::vector<float> other = a->values;
  other[11] = std::nextafter(other[11], 2.0F);
  for (std::size_t i = 0; i < 3; ++i) CHECK(make_soft_tokens(other, 4)->ids[i] != a->ids[i]);

  std::vector<TokenId> ids{7};
  ids.insert(ids.end(), a->ids.begin(), a->ids.end());
  ids.insert(ids.end(), b->ids.begin(), b->ids.end());
  ids.push_back(8);
  using Images = std::vector<std::shared_ptr<const SoftTokens>>;
  const auto spans = find_images(ids, Images{a, b}, 4);
  REQUIRE(spans.has_value());
  CHECK((*spans)[0].first == 1);
  CHECK((*spans)[1].first == 4);
  CHECK((*spans)[1].end() == 5);
  struct Row {
    std::vector<TokenId> ids;
    Images images;
    std::int64_t width;
    const char* part;
  };
  const std::vector<TokenId> cut(ids.begin(), ids.begin() + 3);
  for (const Row& row : {Row{ids, {b, a}, 4, "image 1 at token 1 is not the whole image"},
                         Row{ids, {a}, 4, "image 2 at token 4 is one more than were given"},
                         Row{cut, {a}, 4, "image 1 at token 1 is not the whole image"},
                         Row{{1, 2}, {a}, 4, "1 images were given, the tokens hold 0"},
                         Row{ids, {a, b}, 5, "is 4 wide, the model is 5"},
                         Row{{-1}, {}, 4, "image 1 at token 0 is one more"}}) {
    const auto refused = find_images(row.ids, row.images, row.width);
    REQUIRE(!refused);
    CHECK(refused.error().code == Code::invalid_argument);
    INFO(refused.error().message);
    CHECK(refused.error().message.find(row.part) != std::string::npos);
  }
}

}  // namespace facet::engine
