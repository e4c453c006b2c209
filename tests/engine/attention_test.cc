// Attention over tiles of query rows: engine/ops.h says which keys each row sees.
#include "engine/cpu/instruction_sets.h"
#include "engine/ops.h"
#include "engine/reference/ops.h"
#include "tests/support/catch.h"
#include "tests/support/random_tensors.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace facet::engine {
namespace {

using test::random_floats;

constexpr int kKvHeads = 2;
constexpr std::int64_t kPages = 4;

/// Keys and values for positions [64, 320), and queries.
struct Cache {
  Cache(KvType type, std::int64_t dim, int heads, std::int64_t tokens, std::mt19937& random)
      : q(random_floats(tokens * kKvHeads * heads * dim, random)) {
    const std::int64_t row_bytes = kv_row_bytes(type, kKvHeads, dim);
    for (std::int64_t page = 0; page < kPages; ++page) {
      const std::vector<float> values = random_floats(2 * kPageTokens * kKvHeads * dim, random);
      memory.emplace_back(static_cast<std::size_t>(2 * kPageTokens * row_bytes) / sizeof(float));
      pages.push_back(reinterpret_cast<std::byte*>(memory.back().data()));
      for (std::int64_t row = 0; row < 2 * kPageTokens; ++row) {
        for (std::int64_t head = 0; head < kKvHeads; ++head) {
          const float* from = values.data() + (row * kKvHeads + head) * dim;
          kv_store_head(type, from, dim, head, pages.back() + row * row_bytes, kKvHeads);
        }
      }
    }
    args = {.q = q.data() + heads * dim,
            .heads = heads,
            .tokens = tokens,
            .stride = kKvHeads * heads * dim,
            .kv_head = 1,
            .scale = 3.0F};
    args.kv = {pages.data(), 1, kKvHeads, static_cast<int>(dim), type};
  }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  std::vector<std::vector<float>> memory;
  std::vector<std::byte*> pages;
  std::vector<float> q;
  AttentionArgs args;
};

std::vector<float> run(const Ops& ops, AttentionArgs args) {
  std::vector<float> out(static_cast<std::size_t>(args.tokens * args.stride));
  std::vector<float> scratch(
      static_cast<std::size_t>(args.tokens * args.heads * attention_keys(args)));
  args.out = out.data();
  args.scratch = scratch.data();
  ops.attention(args);
  return out;
}

/// Which keys the tokens see, as the layers of a model want it.
struct Reach {
  std::int64_t first;
  std::int64_t end;
  bool first_moves;
  bool end_moves;
};
constexpr Reach kReaches[] = {
    {64, 90, false, true},    // Causal, all positions.
    {100, 164, true, true},   // Causal, a window.
    {200, 230, true, false},  // An image in a window.
    {70, 318, true, true},    // A window cut off by the end.
};

}  // namespace

TEST_CASE("what a cache keeps is as close as its type allows", "[engine][kv][unit]") {
  constexpr std::int64_t kDim = 24;
  std::mt19937 random(50);
  for (const KvType type : kKvTypes) {
    INFO(kv_type_name(type));
    std::vector<std::byte> row(static_cast<std::size_t>(kv_row_bytes(type, kKvHeads, kDim)));
    for (int round = 0; round < 50; ++round) {
      for (std::int64_t head = 0; head < kKvHeads; ++head) {
        std::vector<float> values = random_floats(kDim, random);
        if (round == 0) values.assign(kDim, 0.0F);
        if (round == 1) values[3] = 1e-38F;
        kv_store_head(type, values.data(), kDim, head, row.data(), kKvHeads);
        float top = 0.0F;
        for (const float value : values) top = std::max(top, std::abs(value));
        for (std::int64_t i = 0; i < kDim; ++i) {
          const float value = values[static_cast<std::size_t>(i)];
          const float off = std::abs(kv_load(type, row.data(), kKvHeads, kDim, head, i) - value);
          // As kv_type.h states them, and a little for the scale's own rounding.
          const float fp8 = (std::abs(value) / 16.0F + top / 448.0F / 1024.0F) * 1.0001F;
          const float bound = type == KvType::f32    ? 0.0F
                              : type == KvType::bf16 ? std::abs(value) / 256.0F
                              : type == KvType::int8 ? top / 253.0F
                                                     : fp8;
          REQUIRE(off <= bound);
        }
      }
    }
    // What is not finite is not hidden.
    std::vector<float> values(kDim, 1.0F);
    values[7] = std::numeric_limits<float>::quiet_NaN();
    kv_store_head(type, values.data(), kDim, 1, row.data(), kKvHeads);
    CHECK(std::isnan(kv_load(type, row.data(), kKvHeads, kDim, 1, 7)));
    values[7] = std::numeric_limits<float>::infinity();
    kv_store_head(type, values.data(), kDim, 1, row.data(), kKvHeads);
    CHECK_FALSE(std::isfinite(kv_load(type, row.data(), kKvHeads, kDim, 1, 7)));
  }
}

TEST_CASE("attention over a tile agrees with the reference", "[engine][unit]") {
  const KvType type = GENERATE(KvType::f32, KvType::bf16, KvType::int8, KvType::fp8);
  std::mt19937 random(51);
  for (const std::int64_t dim : {8, 24, 64, 256}) {
    for (const int heads : {1, 2, 3, 4}) {
      for (const std::int64_t tokens : {1, 2, 5, 16}) {
        Cache cache(type, dim, heads, tokens, random);
        for (const Reach& reach : kReaches) {
          cache.args.first = reach.first;
          cache.args.end = reach.end;
          cache.args.first_moves = reach.first_moves;
          cache.args.end_moves = reach.end_moves;
          cache.args.end_max = 320;
          const std::vector<float> expected = run(reference_ops(), cache.args);
          for (const Ops* ops : usable_ops()) {
            const std::vector<float> out = run(*ops, cache.args);
            INFO(ops->name << " dim " << dim << " heads " << heads << " tokens " << tokens
                           << " first " << reach.first);
            for (std::size_t i = 0; i < out.size(); ++i) {
              REQUIRE(std::abs(out[i] - expected[i]) <= 1e-5F);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("attention gives the same bits in tiles, alone and in steps", "[engine][unit]") {
  const KvType type = GENERATE(KvType::f32, KvType::bf16, KvType::int8, KvType::fp8);
  std::mt19937 random(52);
  constexpr std::int64_t kTokens = 11;
  for (const std::int64_t dim : {24, 128}) {
    Cache cache(type, dim, 4, kTokens, random);
    for (const Reach& reach : kReaches) {
      cache.args.first = reach.first;
      cache.args.end = reach.end;
      cache.args.first_moves = reach.first_moves;
      cache.args.end_moves = reach.end_moves;
      cache.args.end_max = 320;
      for (const Ops* ops : usable_ops()) {
        INFO(ops->name << " dim " << dim << " first " << reach.first);
        const std::vector<float> expected = run(*ops, cache.args);
        std::vector<float> alone(expected.size());
        std::vector<float> steps(expected.size());
        for (std::int64_t t = 0; t < kTokens; ++t) {
          AttentionArgs one = cache.args;
          one.tokens = 1;
          one.q += t * one.stride;
          one.first = attention_first(cache.args, t);
          one.end = attention_end(cache.args, t);
          one.first_moves = one.end_moves = false;
          one.out = alone.data() + t * one.stride;
          std::vector<float> scratch(static_cast<std::size_t>(4 * attention_keys(one)));
          one.scratch = scratch.data();
          ops->attention(one);
          one.out = steps.data() + t * one.stride;
          const std::int64_t cut = (one.first + one.end) / 2;
          ops->attention_scores(one, cut, one.end);
          ops->attention_scores(one, one.first, cut);
          for (const std::int64_t head : {3, 1, 0, 2}) {
            ops->attention_probabilities(one, head, head + 1);
          }
          for (std::int64_t i = 0; i < dim; i += 64) {
            ops->attention_values(one, i, std::min(dim, i + 64));
          }
        }
        REQUIRE(alone == expected);
        REQUIRE(steps == expected);
      }
    }
  }
}

}  // namespace facet::engine
