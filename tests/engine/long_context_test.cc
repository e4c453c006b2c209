// 128K positions: what the cache of the 4B, 12B and 27B models holds there, and that the forward
// pass computes there what it computes at the beginning: the same bits for every chunk size.
#include "engine/cpu/forward.h"
#include "engine/cpu/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"
#include "tests/support/steps.h"

#include <algorithm>
#include <vector>

namespace facet::engine {
namespace {

constexpr std::int64_t kPositions = 131072;
constexpr std::int64_t kChunk = 128;

/// A published shape and what its cache takes with 2 bytes a value (the family's usual figure).
struct Shape {
  const char* name;
  int layers;
  int kv_heads;
  int head_dim;
  std::int64_t sliding_mib;
  std::int64_t global_bytes_per_token;
};
constexpr Shape kShapes[] = {{"4b", 34, 4, 256, 116, 20480},
                             {"12b", 48, 8, 256, 320, 65536},
                             {"27b", 62, 16, 128, 416, 81920}};

/// Every sixth layer is global. Rows are 1 / `shrink` as wide as the model's.
std::vector<LayerSpec> layers_of(const Shape& shape, int shrink) {
  std::vector<LayerSpec> out;
  for (int l = 0; l < shape.layers; ++l) {
    out.push_back({.heads = shape.kv_heads,
                   .kv_heads = shape.kv_heads,
                   .head_dim = shape.head_dim / shrink,
                   .window = (l + 1) % 6 == 0 ? 0 : 1024});
  }
  return out;
}

/// Fills the next `tokens` positions of every layer with random keys and values.
void fill(KvCache& cache, std::int64_t tokens, std::mt19937& random) {
  const std::int64_t first = cache.size();
  REQUIRE(cache.reserve(tokens).has_value());
  for (std::size_t l = 0; l < cache.layers(); ++l) {
    std::vector<float> rows(2 * static_cast<std::size_t>(cache.row_values(l)));
    for (std::int64_t p = first; p < first + tokens; ++p) {
      for (float& value : rows) value = static_cast<float>(random() >> 8U) * 0x1p-23F - 1.0F;
      cache.write(l, p, rows.data(), rows.data() + cache.row_values(l));
    }
  }
  cache.commit(tokens);
}

}  // namespace

TEST_CASE("at 128K positions sliding layers hold their window only", "[engine][long]") {
  constexpr int kShrink = 32;
  const KvType type = GENERATE(KvType::bf16, KvType::f32);
  const std::int64_t times =
      kv_row_bytes(type, 1, 16) / 32;  // The figures are those of 2 bytes a value.
  for (const Shape& shape : kShapes) {
    INFO(shape.name);
    KvCache cache(layers_of(shape, kShrink), type);
    for (std::int64_t at = 0; at < kPositions; at += kChunk) {
      REQUIRE(cache.reserve(kChunk).has_value());
      cache.commit(kChunk);
    }
    REQUIRE(cache.size() == kPositions);
    const std::int64_t global = times * shape.global_bytes_per_token * kPositions;
    const std::int64_t held = cache.bytes() * kShrink;
    REQUIRE(held > global);
    // The window of 1024 in whole pages, with what a rewind may want back and one chunk.
    const std::int64_t window = times * shape.sliding_mib * 1024 * 1024;
    CHECK(held - global >= window);
    CHECK(held - global <= window * 5 / 4);
    // What the engine states before it runs is what is held.
    std::int64_t ring_max = 0;
    std::int64_t per_token = 0;
    for (const LayerSpec& layer : layers_of(shape, 1)) {
      (layer.window == 0 ? per_token : ring_max) +=
          layer.window == 0 ? kv_token_bytes(layer, type) : kv_ring_bytes_max(layer, kChunk, type);
    }
    CHECK(per_token == times * shape.global_bytes_per_token);
    CHECK(held - global <= ring_max);
    CHECK(ring_max <= window * 5 / 4);
  }
}

TEST_CASE("behind 128K positions every chunk size gives the same bits", "[engine][long]") {
  const DType type = GENERATE(DType::f32, DType::q8_0);
  const RuntimeModel model =
      test::make_memory_model({.type = type, .layers = 3, .window = 1024, .seed = 51});
  constexpr std::int64_t kTail = 70;
  std::mt19937 random(52);
  const std::vector<TokenId> ids = test::random_ids(kTail, random);
  KvCache filled(model.config.layers);
  while (filled.size() < kPositions - kTail) {
    fill(filled, std::min<std::int64_t>(1000, kPositions - kTail - filled.size()), random);
  }
  const Ops& ops = *usable_ops().front();
  const auto vocabulary = static_cast<std::size_t>(model.config.vocabulary);
  const auto logits_of = [&](std::size_t chunk, int threads) {
    ThreadPool pool(threads);
    Forward forward(model.config, model.weights, ops, pool);
    KvCache cache = filled.fork();
    std::vector<float> out(ids.size() * vocabulary);
    for (std::size_t at = 0; at < ids.size(); at += chunk) {
      const std::size_t count = std::min(chunk, ids.size() - at);
      test::append(forward,
                   std::span(ids).subspan(at, count),
                   cache,
                   std::span(out).subspan(at * vocabulary, count * vocabulary));
    }
    CHECK(cache.size() == kPositions);
    return out;
  };
  const std::vector<float> expected = logits_of(ids.size(), 1);
  for (const std::size_t chunk : {1U, 64U}) {
    INFO(dtype_name(type) << " in chunks of " << chunk);
    CHECK(logits_of(chunk, 2) == expected);
  }
  // The far past counts: another value at the first position of the global layer shows.
  const std::vector<float> far(static_cast<std::size_t>(filled.row_values(2)), 1000.0F);
  filled.write(2, 0, far.data(), far.data());
  CHECK(logits_of(64, 1) != expected);
}

}  // namespace facet::engine
