// Weights in huge pages are the same weights.

#include "engine/model/resident_weights.h"

#include "engine/cpu/instruction_sets.h"
#include "engine/model/memory_limit.h"
#include "engine/sequence_state.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cstring>
#include <vector>

namespace facet::engine {
namespace {

std::vector<float> logits_of(const RuntimeModel& model) {
  const auto runtime = std::make_shared<const Runtime>(
      model, *usable_ops().front(), RuntimeOptions{.threads = 2, .context_tokens_max = 100});
  Sequence sequence(std::make_unique<SequenceState>(runtime));
  std::mt19937 random(3);
  REQUIRE(sequence.append(test::random_ids(40, random)).has_value());
  const auto logits = sequence.logits().value();
  return {logits.begin(), logits.end()};
}

}  // namespace

TEST_CASE("copied weights give the same bits, whoever frees the originals", "[engine][unit]") {
  const DType type = GENERATE(DType::f32, DType::q4_0, DType::q6_k);
  RuntimeModel model = test::make_memory_model({.type = type, .seed = 9});
  const std::vector<float> expected = logits_of(model);
  const std::int64_t bytes = matrix_bytes(model.weights);
  CHECK(bytes > model.weights.embedding.bytes());
  const std::byte* const before = model.weights.embedding.data;
  auto owner = make_resident(model.weights, 3, false);
  REQUIRE(owner.has_value());
  CHECK(model.weights.embedding.data != before);
  CHECK(reinterpret_cast<std::uintptr_t>(model.weights.layers[1].up.data) % 64 == 0);
  CHECK(matrix_bytes(model.weights) == bytes);
  model.owner = *std::move(owner);  // The only one left: what was copied from is gone.
  CHECK(logits_of(model) == expected);
}

TEST_CASE("a mapped file whose pages were given back reads as before", "[engine][unit]") {
  const test::TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  test::write_tiny_gguf(path, {.type = DType::q8_0});
  const auto model = Model::load(path);
  REQUIRE(model.has_value());
  ModelWeights weights{.embedding = (*model)->embedding()};
  const std::vector<std::byte> expected(weights.embedding.data,
                                        weights.embedding.data + weights.embedding.bytes());
  const auto owner = make_resident(weights, 2, true);
  REQUIRE(owner.has_value());
  CHECK(std::memcmp(weights.embedding.data, expected.data(), expected.size()) == 0);
  CHECK(std::memcmp((*model)->embedding().data, expected.data(), expected.size()) == 0);
}

TEST_CASE("the limits of all control groups count, of a container's or a service's own too",
          "[engine][unit]") {
  const test::TempDir root;
  const auto write = [&](const std::string& file, const std::string& text) {
    std::filesystem::create_directories((root.path() / file).parent_path());
    test::write_bytes(root.path() / file, text);
  };
  const auto left = [&](std::string_view membership) {
    return cgroup_bytes_left(membership, root.path());
  };
  CHECK(left("0::/\n") == kNoMemoryLimit);
  write("memory.max", "1000\n");
  write("memory.current", "100\n");
  CHECK(left("0::/\n") == 900);
  // A group below has a limit of its own; what it holds of idle files is not in the way.
  write("a/b/memory.max", "500\n");
  write("a/b/memory.current", "450\n");
  write("a/b/memory.stat", "anon 50\nfile 400\ninactive_file 300\n");
  CHECK(left("0::/a/b\n") == 350);
  CHECK(left("0::/a/b/c") == 350);
  CHECK(left("0::/a") == 900);
  write("a/b/memory.max", "max\n");
  CHECK(left("0::/a/b\n") == 900);
  write("a/b/memory.max", "100\n");
  CHECK(left("0::/a/b\n") == 0);
  // Version 1, beside an empty version 2.
  write("memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("memory/x/memory.limit_in_bytes", "300\n");
  write("memory/x/memory.usage_in_bytes", "200\n");
  write("memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 40\n");
  CHECK(left("5:cpu,memory:/x\n4:cpu:/a/b\n") == 140);
  CHECK(left("5:cpu,memory:/x\n0::/\n") == 140);
  CHECK(left("5:memory:/elsewhere\n") > 1'000'000'000);
  for (const char* odd : {"", "\n\n", "x", "0:", "::", "0::../..", "0:memory"}) {
    INFO(odd);
    CHECK(left(odd) >= 900);
  }
}

TEST_CASE("weights stay mapped where huge pages do not fit, and it is said why", "[engine][unit]") {
  constexpr std::int64_t kBytes = 8'000'000'000;
  CHECK(why_not_resident(kBytes, {.is_offered = true, .bytes_available = 10'000'000'000}).empty());
  CHECK(why_not_resident(kBytes, {.is_offered = true, .bytes_available = 9'999'999'999}) ==
        "weights of 8000 MB in huge pages, and a quarter to spare, are more than the 9999 MB of "
        "memory available");
  CHECK(why_not_resident(kBytes, {.is_offered = false, .bytes_available = kBytes * 2})
            .find("no huge pages") != std::string::npos);
  CHECK(huge_page_support().bytes_available > 0);
}

}  // namespace facet::engine
