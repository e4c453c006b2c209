#include "retrieval/vector_index.h"

#include "base/check.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <omp.h>
#include <utility>

namespace facet::retrieval {
namespace {

constexpr std::size_t kDimensionMax = 65536;

Error faiss_error(const std::exception& exception, const char* doing) {
  return {Code::internal, std::string("FAISS failed ") + doing + ": " + exception.what()};
}

/// Lets FAISS use at most `threads_max` threads of OpenMP for as long as it lives; the setting
/// belongs to the calling thread.
class OmpThreads {
 public:
  explicit OmpThreads(int threads_max) : before_(omp_get_max_threads()) {
    omp_set_num_threads(std::max(1, threads_max));
  }
  OmpThreads(const OmpThreads&) = delete;
  OmpThreads& operator=(const OmpThreads&) = delete;
  ~OmpThreads() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// Reads FAISS's format from borrowed bytes.
class SpanReader final : public faiss::IOReader {
 public:
  explicit SpanReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t operator()(void* to, std::size_t size, std::size_t items) override {
    const std::size_t left = bytes_.size() - at_;
    const std::size_t count = size == 0 ? 0 : std::min(items, left / size);
    if (count > 0) std::memcpy(to, bytes_.data() + at_, count * size);
    at_ += count * size;
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace

struct VectorIndex::State {
  std::unique_ptr<faiss::IndexIDMap> index;
};

VectorIndex::VectorIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
VectorIndex::VectorIndex(VectorIndex&&) noexcept = default;
VectorIndex& VectorIndex::operator=(VectorIndex&&) noexcept = default;
VectorIndex::~VectorIndex() = default;

Result<VectorIndex> VectorIndex::create(std::size_t dimension) {
  FACET_CHECK(dimension > 0 && dimension <= kDimensionMax);
  try {
    auto flat = std::make_unique<faiss::IndexFlatIP>(static_cast<faiss::Index::idx_t>(dimension));
    auto state = std::make_unique<State>();
    state->index = std::make_unique<faiss::IndexIDMap>(flat.get());
    state->index->own_fields = true;
    static_cast<void>(flat.release());  // The id map owns it now.
    return VectorIndex(std::move(state));
  } catch (const std::exception& exception) {
    return faiss_error(exception, "creating an index");
  }
}

Result<VectorIndex> VectorIndex::deserialize(std::span<const std::byte> bytes) {
  try {
    SpanReader reader(bytes);
    std::unique_ptr<faiss::Index> any(faiss::read_index(&reader));
    auto* map = dynamic_cast<faiss::IndexIDMap*>(any.get());
    if (map == nullptr || dynamic_cast<faiss::IndexFlatIP*>(map->index) == nullptr) {
      return Error{Code::invalid_data, "the vector index is not a flat inner-product index"};
    }
    auto state = std::make_unique<State>();
    state->index.reset(map);
    static_cast<void>(any.release());
    return VectorIndex(std::move(state));
  } catch (const std::exception& exception) {
    return faiss_error(exception, "reading an index");
  }
}

Status VectorIndex::add(std::span<const std::int64_t> ids, std::span<const float> vectors) {
  FACET_CHECK(vectors.size() == ids.size() * dimension());
  if (ids.empty()) return ok();
  try {
    const OmpThreads threads(1);
    state_->index->add_with_ids(
        static_cast<faiss::Index::idx_t>(ids.size()), vectors.data(), ids.data());
    return ok();
  } catch (const std::exception& exception) {
    return faiss_error(exception, "adding vectors");
  }
}

Result<std::vector<VectorHit>> VectorIndex::search(std::span<const float> query,
                                                   std::size_t k,
                                                   int threads_max) const {
  if (query.size() != dimension()) {
    return Error{Code::invalid_argument,
                 "a query of " + std::to_string(query.size()) + " numbers for vectors of " +
                     std::to_string(dimension())};
  }
  k = std::min(k, size());
  std::vector<VectorHit> hits;
  if (k == 0) return hits;
  try {
    const OmpThreads threads(threads_max);
    std::vector<float> scores(k);
    std::vector<faiss::Index::idx_t> ids(k, -1);
    state_->index->search(
        1, query.data(), static_cast<faiss::Index::idx_t>(k), scores.data(), ids.data());
    for (std::size_t i = 0; i < k; ++i) {
      if (ids[i] >= 0) hits.push_back({ids[i], scores[i]});
    }
  } catch (const std::exception& exception) {
    return faiss_error(exception, "searching");
  }
  std::sort(hits.begin(), hits.end(), [](const VectorHit& a, const VectorHit& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
  return hits;
}

Result<std::string> VectorIndex::serialize() const {
  try {
    faiss::VectorIOWriter writer;
    faiss::write_index(state_->index.get(), &writer);
    return std::string(writer.data.begin(), writer.data.end());
  } catch (const std::exception& exception) {
    return faiss_error(exception, "writing an index");
  }
}

std::size_t VectorIndex::dimension() const {
  return static_cast<std::size_t>(state_->index->d);
}

std::size_t VectorIndex::size() const {
  return static_cast<std::size_t>(state_->index->ntotal);
}

}  // namespace facet::retrieval
