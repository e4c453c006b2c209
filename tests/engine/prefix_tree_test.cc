// The prefix tree against a list of all that was ever remembered, and what it gives up for room.

#include "engine/kv/prefix_tree.h"

#include "tests/support/catch.h"
#include "tests/support/image_prompt.h"

#include <algorithm>
#include <random>
#include <thread>

namespace facet::engine {
namespace {

constexpr std::int64_t kUnlimited = std::int64_t{1} << 40;
constexpr std::int64_t kWindow = 100;

/// One sliding and one global layer: a token takes 2 * 16 floats in each.
std::vector<LayerSpec> layers() {
  const LayerSpec sliding{.heads = 1, .kv_heads = 1, .head_dim = 16, .ffn = 1, .window = kWindow};
  LayerSpec global = sliding;
  global.window = 0;
  return {sliding, global};
}

PrefixPoint make_point(std::span<const LayerSpec> specs, std::size_t tokens) {
  KvCache cache(specs);
  for (std::size_t done = 0; done < tokens; done += 10) {
    const auto step = static_cast<std::int64_t>(std::min<std::size_t>(10, tokens - done));
    REQUIRE(cache.reserve(step).has_value());
    cache.commit(step);
  }
  return {.tokens = static_cast<std::int64_t>(tokens), .cache = std::move(cache)};
}

std::size_t common(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<std::size_t>(end - a.begin());
}

/// Text that often begins like an earlier one.
std::vector<TokenId> make_text(const std::vector<std::vector<TokenId>>& earlier,
                               std::mt19937& random) {
  std::vector<TokenId> out;
  if (!earlier.empty() && random() % 4 != 0) {
    out = earlier[random() % earlier.size()];
    out.resize(random() % (out.size() + 1));
  }
  const std::size_t more = 1 + random() % 150;
  for (std::size_t i = 0; i < more; ++i) out.push_back(static_cast<TokenId>(random() % 3));
  return out;
}

}  // namespace

TEST_CASE("a prefix tree finds what a search through everything finds", "[engine][kv][unit]") {
  const std::vector<LayerSpec> specs = layers();
  for (unsigned seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    PrefixTree tree(kUnlimited, kWindow);
    std::vector<std::vector<TokenId>> texts;
    for (int round = 0; round < 60; ++round) {
      const std::vector<TokenId> ids = make_text(texts, random);
      std::size_t longest = 0;
      std::size_t shared = 0;
      for (const auto& text : texts) {
        const std::size_t same = common(ids, text);
        shared = std::max(shared, same);
        const bool is_whole = same == text.size();
        const KvCache& cache = make_point(specs, text.size()).cache;
        const auto last = static_cast<std::int64_t>(same) - 1;
        if (is_whole || (last >= 0 && cache.can_truncate(last))) longest = std::max(longest, same);
      }
      const PrefixTree::Found found = tree.find(ids);
      REQUIRE(found.shared == static_cast<std::int64_t>(shared));
      REQUIRE(found.point.has_value() == (longest > 0));
      if (found.point) {
        REQUIRE(found.point->tokens == static_cast<std::int64_t>(longest));
        REQUIRE(found.point->cache.size() == found.point->tokens);
      }
      tree.insert(ids, make_point(specs, ids.size()));
      REQUIRE(tree.touch(ids));
      texts.push_back(ids);
    }
    const PrefixStats stats = tree.stats();
    CHECK(stats.lookups == 60);
    CHECK(stats.evictions == 0);
    tree.clear();
    CHECK(tree.stats().points == 0);
    CHECK(tree.stats().bytes == 0);
    CHECK(tree.find(texts.back()).shared == 0);
  }
}

TEST_CASE("without sliding layers any place can be resumed", "[engine][kv][unit]") {
  std::vector<LayerSpec> specs = layers();
  specs.erase(specs.begin());
  std::mt19937 random(5);
  const std::vector<TokenId> ids = test::random_ids(1000, random);
  PrefixTree tree(kUnlimited, 0);
  tree.insert(ids, make_point(specs, ids.size()));
  for (const std::size_t count : {1U, 64U, 65U, 999U, 1000U}) {
    std::vector<TokenId> other(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
    other.push_back(500);
    const auto found = tree.find(other);
    REQUIRE(found.point.has_value());
    CHECK(found.point->tokens == static_cast<std::int64_t>(count));
  }
  CHECK(tree.stats().tokens_reused == 1 + 64 + 65 + 999 + 1000);
}

TEST_CASE("points of one text share their pages", "[engine][kv][unit]") {
  const std::vector<LayerSpec> specs = layers();
  std::mt19937 random(6);
  const std::vector<TokenId> ids = test::random_ids(6400, random);
  PrefixTree tree(kUnlimited, kWindow);
  KvCache cache(specs);
  for (std::size_t done = 640; done <= ids.size(); done += 640) {
    for (int step = 0; step < 10; ++step) {
      REQUIRE(cache.reserve(64).has_value());
      cache.commit(64);
    }
    tree.insert(std::span(ids).first(done),
                {.tokens = static_cast<std::int64_t>(done), .cache = cache.fork()});
  }
  const std::int64_t page = kPageTokens * kv_token_bytes(specs[0], KvType::f32);
  // The global layer once, and of the sliding layer a window with its slack at each of ten places.
  CHECK(tree.stats().points == 10);
  CHECK(tree.stats().bytes <= (6400 / kPageTokens + 10 * 4) * page);
}

TEST_CASE("a full prefix tree gives up what costs least", "[engine][kv][unit]") {
  const std::vector<LayerSpec> specs = layers();
  std::mt19937 random(7);
  const std::vector<TokenId> ids = test::random_ids(2000, random);
  const std::int64_t alone = make_point(specs, ids.size()).cache.bytes();
  // Room for the text and the windows of some of the boundaries, 20 tokens apart.
  const std::int64_t room = alone * 4;
  PrefixTree tree(room, kWindow);
  KvCache cache(specs);
  std::vector<std::size_t> boundaries;
  for (std::size_t done = 20; done <= ids.size(); done += 20) {
    REQUIRE(cache.reserve(20).has_value());
    cache.commit(20);
    // Each as if another text had gone on from there: with a last page of its own.
    KvCache own = cache.fork();
    REQUIRE(own.reserve(1).has_value());
    tree.insert(std::span(ids).first(done),
                {.tokens = static_cast<std::int64_t>(done), .cache = std::move(own)});
    boundaries.push_back(done);
    REQUIRE(tree.stats().bytes <= room);
  }
  CHECK(tree.stats().evictions > 20);
  for (const std::size_t boundary : boundaries) {
    const auto found = tree.find(std::span(ids).first(boundary));
    const std::int64_t known = found.point ? found.point->tokens : 0;
    CAPTURE(boundary, known);
    CHECK(static_cast<std::int64_t>(boundary) - known <= kWindow);
  }
}

TEST_CASE("a prefix tree keeps to its room whatever is put in", "[engine][kv][unit]") {
  const std::vector<LayerSpec> specs = layers();
  std::mt19937 random(8);
  const std::int64_t room = std::int64_t{1} << 19;
  PrefixTree tree(room, kWindow);
  std::vector<std::vector<TokenId>> texts;
  for (int round = 0; round < 400; ++round) {
    texts.push_back(make_text(texts, random));
    if (texts.size() > 20) texts.erase(texts.begin());
    tree.insert(texts.back(), make_point(specs, texts.back().size()));
    REQUIRE(tree.stats().bytes <= room);
    const auto found = tree.find(texts.back());
    REQUIRE(found.point.has_value());
    REQUIRE(found.point->tokens == static_cast<std::int64_t>(texts.back().size()));
  }
  CHECK(tree.stats().evictions > 0);
  CHECK(tree.stats().points > 1);

  // What alone is more than the room is not taken, and nothing is given up for it.
  const PrefixStats before = tree.stats();
  const std::vector<TokenId> big = test::random_ids(100000, random);
  tree.insert(big, make_point(specs, big.size()));
  CHECK(tree.stats() == before);
  CHECK(!tree.touch(big));

  PrefixTree none(0, kWindow);
  none.insert(texts.back(), make_point(specs, texts.back().size()));
  CHECK(none.stats().points == 0);
}

TEST_CASE("the least recently used text goes first", "[engine][kv][unit]") {
  const std::vector<LayerSpec> specs = layers();
  std::mt19937 random(9);
  std::vector<std::vector<TokenId>> texts;
  for (TokenId first = 0; first < 4; ++first) {
    texts.push_back(test::random_ids(300, random));
    texts.back().front() = first;
  }
  PrefixTree tree(3 * make_point(specs, 300).cache.bytes(), kWindow);
  for (std::size_t i = 0; i < 3; ++i) tree.insert(texts[i], make_point(specs, 300));
  REQUIRE(tree.find(texts[0]).point.has_value());  // Now the second is the oldest.
  tree.insert(texts[3], make_point(specs, 300));
  CHECK(tree.touch(texts[0]));
  CHECK(!tree.touch(texts[1]));
  CHECK(tree.touch(texts[2]));
  CHECK(tree.touch(texts[3]));
}

TEST_CASE("a prefix tree is used from several threads", "[engine][kv][unit]") {
  const std::vector<LayerSpec> specs = layers();
  PrefixTree tree(std::int64_t{1} << 20, kWindow);
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 3; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed % 2);  // Two of them use the same texts.
      std::vector<std::vector<TokenId>> texts;
      for (int round = 0; round < 100; ++round) {
        texts.push_back(make_text(texts, random));
        const auto found = tree.find(texts.back());
        if (found.point && found.point->cache.size() != found.point->tokens) std::abort();
        tree.insert(texts.back(), make_point(specs, texts.back().size()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(tree.stats().lookups == 300);
  CHECK(tree.stats().bytes <= std::int64_t{1} << 20);
}

}  // namespace facet::engine
