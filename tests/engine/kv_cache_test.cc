// KV caches that share pages against plain copies, also where memory runs out.

#include "engine/kv/cache.h"
#include "tests/support/catch.h"

#include <map>
#include <random>

namespace facet::engine {
namespace {

constexpr std::int64_t kWindow = 70;
constexpr std::int64_t kRow = 8;  // kv_heads * head_dim

/// Memory for `pages_max` pages at a time, poisoned.
class BoundedMemory final : public PageMemory {
 public:
  explicit BoundedMemory(int pages_max) : pages_max_(pages_max) {}
  std::shared_ptr<std::byte[]> allocate(std::int64_t bytes) override {
    if (*held_ >= pages_max_) return nullptr;
    ++*held_;
    auto* memory = new std::byte[static_cast<std::size_t>(bytes)];
    std::fill_n(memory, bytes, std::byte{0xFF});
    return {memory, [held = held_](const std::byte* page) {
              delete[] page;
              --*held;
            }};
  }
  void copy(std::byte* to, const std::byte* from, std::int64_t bytes) override {
    host_page_memory().copy(to, from, bytes);
  }
  Status read(std::span<std::byte> to, const std::byte* from) override {
    return host_page_memory().read(to, from);
  }
  Status write(std::byte* to, std::span<const std::byte> from) override {
    return host_page_memory().write(to, from);
  }
  void limit(int pages_max) { pages_max_ = pages_max; }
  [[nodiscard]] int held() const { return *held_; }

 private:
  int pages_max_;
  std::shared_ptr<int> held_ = std::make_shared<int>(0);
};

/// A cache and what it must hold: one number for each position, which all its rows are made of.
struct Twin {
  KvCache cache;
  std::vector<float> values;
};

/// Appends up to `count` positions; false, and nothing else, when there is no memory.
bool append(Twin& twin, std::int64_t count, std::mt19937& random) {
  const std::int64_t first = twin.cache.size();
  if (!twin.cache.reserve(count)) return false;
  // A device that begins the next token has room for one more, which then comes or does not.
  if (random() % 4U == 0) static_cast<void>(twin.cache.reserve(count + 1));
  for (std::int64_t p = first; p < first + count; ++p) {
    const auto value = static_cast<float>(random() % 100000);
    twin.values.push_back(value);
    for (std::size_t l = 0; l < twin.cache.layers(); ++l) {
      const std::vector<float> key(kRow, value + static_cast<float>(l));
      const std::vector<float> other(kRow, -value);
      twin.cache.write(l, p, key.data(), other.data());
    }
  }
  twin.cache.commit(count);
  return true;
}

/// The positions whose rows are not what was written.
std::int64_t wrong(const Twin& twin) {
  std::int64_t out = 0;
  for (std::size_t l = 0; l < twin.cache.layers(); ++l) {
    for (std::int64_t p = twin.cache.first_held(l); p < twin.cache.size(); ++p) {
      const float value = twin.values[static_cast<std::size_t>(p)];
      const auto* key = reinterpret_cast<const float*>(twin.cache.key(l, p));
      const auto* other = reinterpret_cast<const float*>(twin.cache.value(l, p));
      const bool is_right = key[0] == value + static_cast<float>(l) && key[kRow - 1] == key[0] &&
                            other[0] == -value && other[kRow - 1] == -value;
      if (!is_right) ++out;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("forks that share pages are as independent as copies", "[engine][kv][unit]") {
  const LayerSpec sliding{.heads = 1, .kv_heads = 2, .head_dim = 4, .ffn = 1, .window = kWindow};
  LayerSpec global = sliding;
  global.window = 0;
  const std::vector<LayerSpec> layers{sliding, global};
  int refused = 0;
  for (unsigned seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    BoundedMemory memory(seed % 3 == 0 ? 40 : 100000);
    {
      std::vector<Twin> twins;
      twins.push_back({KvCache(layers, KvType::f32, memory), {}});
      for (int step = 0; step < 300; ++step) {
        Twin& twin = twins[random() % twins.size()];
        const auto kind = random() % 10;
        if (kind < 5) {
          const auto size = twin.cache.size();
          if (!append(twin, 1 + static_cast<std::int64_t>(random() % 90), random)) {
            ++refused;
            REQUIRE(twin.cache.size() == size);
          }
        } else if (kind < 8) {
          const std::int64_t from = twin.cache.truncatable_from();
          const auto range = static_cast<std::uint32_t>(twin.cache.size() - from + 1);
          const std::int64_t keep = from + static_cast<std::int64_t>(random() % range);
          twin.cache.truncate(keep);
          twin.values.resize(static_cast<std::size_t>(keep));
        } else if (twins.size() < 6) {
          twins.push_back({twin.cache.fork(), twin.values});
        } else {
          twins.erase(twins.begin() + static_cast<std::ptrdiff_t>(random() % twins.size()));
        }
        for (const Twin& each : twins) REQUIRE(wrong(each) == 0);
      }
    }
    CHECK(memory.held() == 0);
  }
  CHECK(refused > 10);
}

TEST_CASE("what a backend has begun is forgotten with every change", "[engine][kv][unit]") {
  const LayerSpec layer{.heads = 1, .kv_heads = 1, .head_dim = 8};
  KvCache cache(std::span(&layer, 1));
  CHECK(cache.ahead() == 0);
  REQUIRE(cache.reserve(9).has_value());
  cache.set_ahead(7);
  REQUIRE(cache.reserve(10).has_value());
  CHECK(cache.ahead() == 7);  // Room is no change,
  CHECK(cache.fork().ahead() == 0);
  CHECK(cache.ahead() == 7);  // nor is a fork.
  cache.commit(9);
  CHECK(cache.ahead() == 0);
  cache.set_ahead(8);
  cache.truncate(9);
  CHECK(cache.ahead() == 0);
  cache.set_ahead(9);
  KvCache moved(std::move(cache));
  CHECK(moved.ahead() == 9);  // It is where the pages are.
  moved.clear();
  CHECK(moved.ahead() == 0);
}

TEST_CASE("a fork takes memory only when it grows", "[engine][kv][unit]") {
  const std::vector<LayerSpec> layers{
      {.heads = 1, .kv_heads = 2, .head_dim = 4, .ffn = 1, .window = 0}};
  BoundedMemory memory(3);
  std::mt19937 random(1);
  Twin twin{KvCache(layers, KvType::f32, memory), {}};
  REQUIRE(append(twin, 100, random));
  CHECK(memory.held() == 2);
  Twin fork{twin.cache.fork(), twin.values};
  CHECK(memory.held() == 2);
  REQUIRE(append(twin, 10, random));  // Into the page that both see, behind what the fork has.
  CHECK(memory.held() == 2);
  REQUIRE(append(fork, 10, random));
  CHECK(memory.held() == 3);
  twin.cache.truncate(90);  // The fork's rows 90 to 99 lie there.
  twin.values.resize(90);
  const Status full = twin.cache.reserve(1);
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().code == Code::limit_exceeded);
  CHECK(wrong(twin) == 0);
  CHECK(wrong(fork) == 0);
  memory.limit(4);
  REQUIRE(append(twin, 1, random));
  CHECK(wrong(twin) == 0);
  CHECK(wrong(fork) == 0);
}

}  // namespace facet::engine
