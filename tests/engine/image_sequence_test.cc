// Sequences with images: however they are cut, forked, rewound, saved and restored, the bits are
// those of one append.

#include "engine/cpu/instruction_sets.h"
#include "engine/engine.h"
#include "engine/reference/forward.h"
#include "engine/sequence_state.h"
#include "tests/support/catch.h"
#include "tests/support/image_prompt.h"
#include "tests/support/memory_model.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace facet::engine {
namespace {

using test::make_prompt;
using test::Prompt;

constexpr int kHidden = test::kPromptHidden;

std::shared_ptr<const Runtime> make_runtime(const test::MemoryModelOptions& options = {},
                                            std::int64_t chunk = 32,
                                            int threads = 2) {
  const RuntimeOptions runtime{
      .threads = threads, .context_tokens_max = 1000, .prefill_chunk_tokens = chunk};
  return std::make_shared<const Runtime>(
      test::make_memory_model(options), *usable_ops().front(), runtime);
}

Sequence make_sequence(const std::shared_ptr<const Runtime>& runtime) {
  return Sequence(std::make_unique<SequenceState>(runtime));
}

void append(Sequence& sequence, const Prompt& prompt) {
  const Status status = sequence.append(prompt.ids, {.images = prompt.images});
  if (!status) FAIL(status.error().message);
}

std::vector<float> fresh_logits(const std::shared_ptr<const Runtime>& runtime,
                                const Prompt& prompt) {
  Sequence sequence = make_sequence(runtime);
  append(sequence, prompt);
  return {sequence.logits().value().begin(), sequence.logits().value().end()};
}

bool equal(std::span<const float> a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

TEST_CASE("a sequence with images follows the scalar reference", "[engine][vision][unit]") {
  for (const int window : {5, 16, 64}) {
    const test::MemoryModelOptions options{.window = window};
    const RuntimeModel model = test::make_memory_model(options);
    const Prompt prompt = make_prompt(static_cast<unsigned>(window));
    const auto spans = find_images(prompt.ids, prompt.images, kHidden);
    REQUIRE(spans.has_value());
    const std::vector<double> wanted =
        reference_logits(model.config, model.weights, prompt.ids, *spans);
    const std::vector<float> got = fresh_logits(make_runtime(options), prompt);
    const double* last = wanted.data() + wanted.size() - got.size();
    double largest = 0.0;
    for (std::size_t j = 0; j < got.size(); ++j) largest = std::max(largest, std::abs(last[j]));
    for (std::size_t j = 0; j < got.size(); ++j) {
      INFO("window " << window << " logit " << j);
      REQUIRE(std::abs(static_cast<double>(got[j]) - last[j]) < 1e-4 * largest);
    }
  }
}

TEST_CASE("images give the same bits for every chunk size, thread count and cut",
          "[engine][vision][unit]") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    const Prompt prompt = make_prompt(seed);
    const auto expected = fresh_logits(make_runtime(), prompt);
    for (const std::int64_t chunk : {1, 7, 200}) {
      CHECK(equal(fresh_logits(make_runtime({}, chunk, 1), prompt), expected));
    }
    std::mt19937 random(seed);
    Sequence pieces = make_sequence(make_runtime());
    std::size_t at = 0;
    while (at < prompt.ids.size()) {
      const std::size_t step = 1 + random() % 40;
      const auto cut = std::lower_bound(prompt.cuts.begin(), prompt.cuts.end(), at + step);
      const std::size_t end = cut == prompt.cuts.end() ? prompt.ids.size() : *cut;
      append(pieces, prompt.part(at, end));
      at = end;
    }
    CHECK(equal(pieces.logits().value(), expected));
    CHECK(pieces.computed_tokens() == static_cast<std::int64_t>(prompt.ids.size()));
  }
}

TEST_CASE("another image gives other ids and other logits", "[engine][vision][unit]") {
  std::mt19937 random(5);
  Prompt a;
  a.add_text(4, random);
  Prompt b = a;
  a.add_image(9, random);
  b.add_image(9, random);
  CHECK(a.ids != b.ids);
  const auto runtime = make_runtime();
  CHECK(fresh_logits(runtime, a) != fresh_logits(runtime, b));
}

TEST_CASE("rewinding to any cut of a sequence with images is exact", "[engine][vision][unit]") {
  const auto runtime = make_runtime();
  const Prompt prompt = make_prompt(11);
  std::mt19937 random(11);
  Prompt tail;
  tail.add_text(5, random);
  tail.add_image(12, random);
  const auto spans = find_images(prompt.ids, prompt.images, kHidden);
  REQUIRE(spans.has_value());
  for (std::size_t i = 1; i < prompt.cuts.size(); i += 3) {
    const std::size_t cut = prompt.cuts[i];
    INFO("cut at " << cut << " of " << prompt.ids.size());
    Sequence sequence = make_sequence(runtime);
    append(sequence, prompt);
    REQUIRE(sequence.rewind(cut).has_value());
    REQUIRE(sequence.tokens().size() == cut);
    const Prompt kept = prompt.part(0, cut);
    CHECK(equal(sequence.logits().value(), fresh_logits(runtime, kept)));
    append(sequence, tail);
    Prompt whole = kept;
    whole.ids.insert(whole.ids.end(), tail.ids.begin(), tail.ids.end());
    whole.images.insert(whole.images.end(), tail.images.begin(), tail.images.end());
    CHECK(equal(sequence.logits().value(), fresh_logits(runtime, whole)));
  }
  // The ends of the images are among the cuts that matter most.
  for (const ImageSpan& span : *spans) {
    Sequence sequence = make_sequence(runtime);
    append(sequence, prompt);
    const auto end = static_cast<std::size_t>(span.end());
    REQUIRE(sequence.rewind(end).has_value());
    CHECK(equal(sequence.logits().value(), fresh_logits(runtime, prompt.part(0, end))));
  }
}

TEST_CASE("rewinding into an image is refused and changes nothing", "[engine][vision][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(6);
  Prompt prompt;
  prompt.add_text(3, random);
  prompt.add_image(10, random);
  Sequence sequence = make_sequence(runtime);
  append(sequence, prompt);
  const auto status = sequence.rewind(5);
  REQUIRE(!status);
  CHECK(status.error().code == Code::invalid_argument);
  CHECK(status.error().message == "cannot rewind to token 5, inside the image at 3 to 13");
  CHECK(sequence.tokens().size() == 13);
  CHECK(equal(sequence.logits().value(), fresh_logits(runtime, prompt)));
}

TEST_CASE("forks of a sequence with images go their own ways", "[engine][vision][unit]") {
  const auto runtime = make_runtime();
  const Prompt prompt = make_prompt(21);
  Sequence original = make_sequence(runtime);
  append(original, prompt);
  Sequence fork = original.fork();
  CHECK(equal(fork.logits().value(), fresh_logits(runtime, prompt)));
  std::mt19937 random(2);
  Prompt more;
  more.add_image(30, random);
  more.add_text(2, random);
  append(fork, more);
  Prompt whole = prompt;
  whole.ids.insert(whole.ids.end(), more.ids.begin(), more.ids.end());
  whole.images.insert(whole.images.end(), more.images.begin(), more.images.end());
  CHECK(equal(fork.logits().value(), fresh_logits(runtime, whole)));
  CHECK(equal(original.logits().value(), fresh_logits(runtime, prompt)));
  // The fork knows its images: it can go back across them by itself.
  REQUIRE(fork.rewind(1).has_value());
  CHECK(equal(fork.logits().value(), fresh_logits(runtime, prompt.part(0, 1))));
}

TEST_CASE("a saved sequence with images comes back with every bit", "[engine][vision][unit]") {
  const test::TempDir folder;
  const auto runtime = make_runtime();
  const auto path = folder.path() / "images.kv";
  for (const unsigned seed : {31U, 32U}) {
    const Prompt prompt = make_prompt(seed);
    Sequence saved = make_sequence(runtime);
    append(saved, prompt);
    REQUIRE(saved.save(path).has_value());
    auto state = SequenceState::restore(runtime, path, {});
    if (!state) FAIL(state.error().message);
    Sequence restored(*std::move(state));
    CHECK(std::equal(
        prompt.ids.begin(), prompt.ids.end(), restored.tokens().begin(), restored.tokens().end()));
    CHECK(equal(restored.logits().value(), fresh_logits(runtime, prompt)));
    // Far back, where all is run again: the images themselves came back too.
    const std::size_t cut = prompt.cuts[prompt.cuts.size() / 2];
    REQUIRE(restored.rewind(cut).has_value());
    CHECK(equal(restored.logits().value(), fresh_logits(runtime, prompt.part(0, cut))));
  }
}

TEST_CASE("a prompt whose images do not match is refused before anything is run",
          "[engine][vision][unit]") {
  const auto runtime = make_runtime();
  Prompt prompt = make_prompt(41);
  Sequence sequence = make_sequence(runtime);
  const auto without = sequence.append(prompt.ids);
  REQUIRE(!without);
  CHECK(without.error().code == Code::invalid_argument);
  std::swap(prompt.images[0], prompt.images[1]);
  CHECK(!sequence.append(prompt.ids, {.images = prompt.images}).has_value());
  CHECK(sequence.tokens().empty());
  CHECK(sequence.computed_tokens() == 0);
}

TEST_CASE("a prompt with images can be taken up again after a stop", "[engine][vision][unit]") {
  const auto runtime = make_runtime();
  const Prompt prompt = make_prompt(51);
  std::stop_source stop;
  stop.request_stop();
  Sequence sequence = make_sequence(runtime);
  const auto status =
      sequence.append(prompt.ids, {.images = prompt.images, .stop = stop.get_token()});
  REQUIRE(!status);
  CHECK(status.error().code == Code::cancelled);
  append(sequence, prompt);
  CHECK(equal(sequence.logits().value(), fresh_logits(runtime, prompt)));
}

}  // namespace facet::engine
