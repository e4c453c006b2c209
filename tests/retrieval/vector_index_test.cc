#include "retrieval/vector_index.h"

#include "retrieval/vector_cache.h"
#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <random>

namespace facet::retrieval {
namespace {

/// The obvious twin: every inner product, sorted.
std::vector<VectorHit> flat_search_ref(const std::vector<std::int64_t>& ids,
                                       const std::vector<float>& vectors,
                                       const std::vector<float>& query,
                                       std::size_t k) {
  std::vector<VectorHit> hits;
  for (std::size_t row = 0; row < ids.size(); ++row) {
    double sum = 0.0;
    for (std::size_t i = 0; i < query.size(); ++i) {
      sum += static_cast<double>(query[i]) * static_cast<double>(vectors[row * query.size() + i]);
    }
    hits.push_back({ids[row], static_cast<float>(sum)});
  }
  std::sort(hits.begin(), hits.end(), [](const VectorHit& a, const VectorHit& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
  hits.resize(std::min(k, hits.size()));
  return hits;
}

std::vector<float> random_numbers(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> out(count);
  for (float& x : out) x = normal(random);
  return out;
}

VectorIndex make_index(std::size_t dimension) {
  auto index = VectorIndex::create(dimension);
  REQUIRE(index.has_value());
  return *std::move(index);
}

TEST_CASE("FAISS and the flat twin agree on random vectors", "[retrieval][unit]") {
  std::mt19937 random(11);
  for (const std::size_t dimension : {1U, 3U, 8U, 65U}) {
    for (const std::size_t count : {0U, 1U, 7U, 200U}) {
      std::vector<std::int64_t> ids(count);
      for (std::size_t i = 0; i < count; ++i) ids[i] = static_cast<std::int64_t>(i * 3 + 5);
      const auto vectors = random_numbers(random, count * dimension);
      const auto query = random_numbers(random, dimension);
      VectorIndex index = make_index(dimension);
      REQUIRE(index.add(ids, vectors).has_value());
      CHECK(index.size() == count);
      for (const std::size_t k : {1U, 5U, 300U}) {
        const auto hits = index.search(query, k, 1);
        REQUIRE(hits.has_value());
        const auto expected = flat_search_ref(ids, vectors, query, k);
        REQUIRE(hits->size() == expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
          CHECK((*hits)[i].id == expected[i].id);
          CHECK((*hits)[i].score == Approx(expected[i].score).margin(1e-4));
        }
      }
    }
  }
}

TEST_CASE("a query of another dimension is refused", "[retrieval][unit]") {
  CHECK(make_index(4).search(std::vector<float>(3), 1, 1).error().code == Code::invalid_argument);
}

TEST_CASE("a cache file gives the index back, and only for its own stamp", "[retrieval][unit]") {
  const test::TempDir temp;
  const auto path = temp.path() / "vectors.faiss";
  std::mt19937 random(3);
  VectorIndex index = make_index(6);
  REQUIRE(index.add(std::vector<std::int64_t>{4, 9}, random_numbers(random, 12)).has_value());
  CHECK(read_vector_cache(path, {}).error().code == Code::not_found);
  const auto stamp = write_vector_cache(path, index, 42);
  REQUIRE(stamp.has_value());
  const auto read = read_vector_cache(path, *stamp);
  REQUIRE(read.has_value());
  const auto query = random_numbers(random, 6);
  CHECK(*read->search(query, 2, 1) == *index.search(query, 2, 1));

  VectorCacheStamp other = *stamp;
  other.generation = 43;
  CHECK(read_vector_cache(path, other).error().code == Code::invalid_data);
  other = *stamp;
  other.payload_sha256[0] ^= 1U;
  CHECK(read_vector_cache(path, other).error().code == Code::invalid_data);
}

TEST_CASE("no damage to a cache file reaches FAISS", "[retrieval][unit]") {
  const test::TempDir temp;
  const auto path = temp.path() / "vectors.faiss";
  VectorIndex index = make_index(2);
  REQUIRE(index.add(std::vector<std::int64_t>{1}, std::vector<float>{0.5F, 0.5F}).has_value());
  const auto stamp = write_vector_cache(path, index, 1);
  REQUIRE(stamp.has_value());
  const std::string good = test::read_file(path);
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    test::write_file(path, bad);
    CHECK(read_vector_cache(path, *stamp).error().code == Code::invalid_data);
    test::write_file(path, good.substr(0, at));
    CHECK(read_vector_cache(path, *stamp).error().code == Code::invalid_data);
  }
}

}  // namespace
}  // namespace facet::retrieval
