// Sequences whose keys and values lie on a device: forks, rewinds, images, remembered beginnings
// and saved files work as they do on the CPU, and files go from one to the other.
#include "engine/cuda/sampling.h"
#include "engine/reference/forward.h"
#include "tests/engine/cuda/device_runtime.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/image_prompt.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <cmath>

namespace facet::engine {
namespace {

using test::fresh_logits;
using test::logits_of;
using test::make_sequence;
using test::on_cpu;
using test::on_device;
using test::random_ids;

double distance(const std::vector<float>& a, std::span<const double> b) {
  double wrong = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    wrong += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    all += b[i] * b[i];
  }
  return std::sqrt(wrong / all);
}

}  // namespace

TEST_CASE("forks and rewinds on a device give the bits of a fresh sequence", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 3, .window = 20, .seed = 41});
  std::mt19937 random(41);
  const std::vector<TokenId> ids = random_ids(140, random);
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(std::span(ids).first(70)).has_value());
  Sequence fork = sequence.fork();
  REQUIRE(sequence.append(std::span(ids).subspan(70)).has_value());
  CHECK(logits_of(sequence) == fresh_logits(runtime, ids));

  std::vector<TokenId> other(ids.begin(), ids.begin() + 70);
  for (const TokenId id : {TokenId{3}, TokenId{4}}) {
    other.push_back(id);
    REQUIRE(fork.append(std::span(&id, 1)).has_value());
  }
  CHECK(logits_of(fork) == fresh_logits(runtime, other));

  // Within what the windows still hold, and further back than that.
  for (const std::size_t size : {120U, 66U, 30U}) {
    REQUIRE(sequence.rewind(size).has_value());
    CHECK(logits_of(sequence) == fresh_logits(runtime, std::span(ids).first(size)));
  }
}

TEST_CASE("a saved sequence goes from the device to the CPU and back", "[cuda]") {
  cuda_on_cpu::reset();
  const KvType type = GENERATE(KvType::bf16, KvType::int8, KvType::fp8);
  const test::MemoryModelOptions model{.layers = 3, .window = 20, .seed = 42};
  const auto device = on_device(model, {.kv_type = type});
  const auto cpu = on_cpu(model, {.kv_type = type});
  const test::TempDir folder;
  std::mt19937 random(42);
  const std::vector<TokenId> ids = random_ids(130, random);
  const TokenId next[] = {7};
  const auto expected = reference_logits(device->config(), device->weights(), [&] {
    std::vector<TokenId> all = ids;
    all.push_back(7);
    return all;
  }());
  const std::span last = std::span(expected).last(70);
  for (const auto& [from, to] : {std::pair(device, cpu), {cpu, device}, {device, device}}) {
    Sequence sequence = make_sequence(from);
    REQUIRE(sequence.append(ids).has_value());
    const auto path = folder.path() / "sequence";
    REQUIRE(sequence.save(path, "test").has_value());
    auto state = SequenceState::restore(to, path, "test");
    INFO((state ? "" : state.error().message));
    REQUIRE(state.has_value());
    Sequence restored(*std::move(state));
    CHECK(logits_of(restored) == logits_of(sequence));
    REQUIRE(restored.append(next).has_value());
    INFO(kv_type_name(type));
    CHECK(distance(logits_of(restored), last) < (type == KvType::fp8 ? 0.05 : 0.02));
    if (from == to) {
      REQUIRE(sequence.append(next).has_value());
      CHECK(logits_of(restored) == logits_of(sequence));
    }
  }
}

TEST_CASE("images on a device attend in both directions", "[cuda]") {
  cuda_on_cpu::reset();
  const bool is_deterministic = GENERATE(true, false);
  for (const int window : {5, 64}) {
    const test::MemoryModelOptions options{.layers = 3, .window = window};
    const auto runtime = on_device(options, {.is_deterministic = is_deterministic});
    test::Prompt prompt;
    std::mt19937 random(static_cast<unsigned>(window));
    prompt.add_text(9, random);
    prompt.add_image(20, random);
    prompt.add_text(30, random);
    prompt.add_image(6, random);
    prompt.add_text(3, random);
    Sequence sequence = make_sequence(runtime);
    REQUIRE(sequence.append(prompt.ids, {.images = prompt.images}).has_value());
    const auto spans = find_images(prompt.ids, prompt.images, test::kPromptHidden);
    REQUIRE(spans.has_value());
    const auto expected =
        reference_logits(runtime->config(), runtime->weights(), prompt.ids, *spans);
    INFO("window " << window << (is_deterministic ? ", deterministic" : ""));
    CHECK(distance(logits_of(sequence), std::span(expected).last(70)) < 0.02);

    // In pieces: text and image apart.
    if (!is_deterministic) continue;
    Sequence pieces = make_sequence(runtime);
    const std::size_t cuts[] = {0, 4, 9, 29, 41, prompt.ids.size()};
    for (std::size_t c = 1; c < std::size(cuts); ++c) {
      const test::Prompt part = prompt.part(cuts[c - 1], cuts[c]);
      REQUIRE(pieces.append(part.ids, {.images = part.images}).has_value());
    }
    CHECK(logits_of(pieces) == logits_of(sequence));
  }
}

TEST_CASE("an image longer than a pass of the device is an error", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2});
  test::Prompt prompt;
  std::mt19937 random(1);
  prompt.add_image(97, random);
  Sequence sequence = make_sequence(runtime);
  const Status status = sequence.append(prompt.ids, {.images = prompt.images});
  REQUIRE(!status.has_value());
  CHECK(status.error().message.find("97 tokens") != std::string::npos);
}

TEST_CASE("what a device remembers of one sequence begins another, bit for bit", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime =
      on_device({.layers = 3, .window = 20, .seed = 43}, {.prefix_bytes_max = 1 << 20});
  std::mt19937 random(43);
  const std::vector<TokenId> ids = random_ids(110, random);
  const std::size_t boundaries[] = {90};
  Sequence first = make_sequence(runtime);
  REQUIRE(first.append(ids, {.boundaries = boundaries}).has_value());
  std::vector<TokenId> other(ids.begin(), ids.begin() + 90);
  other.push_back(5);
  const auto expected = fresh_logits(runtime, other);
  Sequence second = make_sequence(runtime);
  CHECK(second.recall(other) == 90);
  REQUIRE(second.append(std::span(other).subspan(90)).has_value());
  CHECK(logits_of(second) == expected);
  CHECK(second.computed_tokens() == 1);
}

TEST_CASE("a token appended greedily brings its best successor from the device, not all logits",
          "[cuda]") {
  cuda_on_cpu::reset();
  const test::MemoryModelOptions model{.layers = 3, .window = 20, .seed = 45};
  const auto runtime = on_device(model);
  std::mt19937 random(45);
  std::vector<TokenId> ids = random_ids(20, random);
  Sequence sequence = make_sequence(runtime);
  REQUIRE(sequence.append(ids).has_value());
  const auto before = cuda_on_cpu::counts();
  for (const TokenId id : {3, 4}) {
    REQUIRE(sequence.append_greedily(id).has_value());
    ids.push_back(id);
  }
  const auto bytes = cuda_on_cpu::counts().bytes_to_host - before.bytes_to_host;
  CHECK(bytes == 2 * sizeof(cuda::RowFound));
  CHECK(sequence.computed_tokens() == 22);
  CHECK(logits_of(sequence) == fresh_logits(runtime, ids));
  CHECK(sequence.computed_tokens() == 23);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = sequence.append_greedily(5, stop.get_token());
  REQUIRE(!stopped.has_value());
  CHECK(stopped.error().code == Code::cancelled);
  CHECK(sequence.tokens().size() == 22);
  // Where nobody finds candidates it is append().
  const auto cpu = on_cpu(model);
  Sequence there = make_sequence(cpu);
  for (const TokenId id : ids) REQUIRE(there.append_greedily(id).has_value());
  CHECK(logits_of(there) == fresh_logits(cpu, ids));
  CHECK(there.computed_tokens() == 22);
}

TEST_CASE("a sequence may outlive what loaded its model", "[cuda]") {
  cuda_on_cpu::reset();
  std::optional<Sequence> sequence;
  {
    const auto runtime = on_device({.layers = 2});
    sequence.emplace(make_sequence(runtime));
  }
  std::mt19937 random(44);
  REQUIRE(sequence->append(random_ids(20, random)).has_value());
  CHECK(logits_of(*sequence).size() == 70);
  sequence.reset();
  CHECK(cuda_on_cpu::counts().allocated_bytes == 0);
}

}  // namespace facet::engine
