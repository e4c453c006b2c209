// Finding candidates on the device against sorting all logits: the same bits.
#include "engine/cuda/sampling.h"
#include "tests/engine/cuda/check_support.h"
#include "tests/support/reference_candidates.h"

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using engine::Candidate;
using engine::CandidateRow;
using engine::TokenId;

/// One row: what the device and the reference get.
struct Row {
  std::vector<float> logits;
  std::int64_t ids_end = 0;
  std::vector<std::uint64_t> mask;
  float penalty = 1.0F;
  std::vector<TokenId> recent;
  int wanted = 1;
};

class Batch {
 public:
  Batch(Comparison& log, std::int64_t vocabulary) : log_(log), vocabulary_(vocabulary) {}

  void add(Row row) {
    if (row.ids_end == 0) row.ids_end = vocabulary_;
    rows_.push_back(std::move(row));
  }

  /// Twice, so that the counters must be as they were.
  void compare() {
    std::vector<float> logits;
    std::vector<cuda::RowWish> wishes;
    for (const Row& row : rows_) {
      logits.insert(logits.end(), row.logits.begin(), row.logits.end());
      recent_.emplace_back(log_, std::vector<std::int32_t>(row.recent.begin(), row.recent.end()));
      masks_.emplace_back(log_, row.mask);
      wishes.push_back({.wanted = row.wanted,
                        .ids_end = static_cast<std::int32_t>(row.ids_end),
                        .repetition_penalty = row.penalty,
                        .recent_count = static_cast<std::int32_t>(row.recent.size()),
                        .recent = recent_.back().get(),
                        .mask = row.mask.empty() ? nullptr : masks_.back().get()});
    }
    const auto rows = static_cast<int>(rows_.size());
    const DeviceArray<float> device_logits(log_, logits);
    const DeviceArray<cuda::RowWish> device_wishes(log_, wishes);
    const DeviceArray<cuda::RowFound> found(log_, nothing_found());
    const auto words = static_cast<std::size_t>(cuda::find_scratch_words(rows, vocabulary_));
    const DeviceArray<std::uint64_t> scratch(log_, std::vector<std::uint64_t>(words, ~0ULL));
    const DeviceArray<std::uint32_t> counters(log_, std::vector<std::uint32_t>(rows_.size()));
    for (int time = 0; time < 2; ++time) {
      log_.ok(cuda::find_candidates({.logits = device_logits.get(),
                                     .vocabulary = vocabulary_,
                                     .rows = rows,
                                     .wishes = device_wishes.get(),
                                     .found = found.get(),
                                     .scratch = scratch.get(),
                                     .counters = counters.get()},
                                    {}));
      const auto got = found.read();
      for (std::size_t i = 0; i < rows_.size(); ++i) compare_row(i, got[i]);
    }
  }

 private:
  [[nodiscard]] std::vector<cuda::RowFound> nothing_found() const {
    std::vector<cuda::RowFound> out(rows_.size());
    for (cuda::RowFound& row : out) row.count = -7;
    return out;
  }

  void compare_row(std::size_t index, const cuda::RowFound& got) {
    const Row& row = rows_[index];
    const std::string name = "row " + std::to_string(index);
    if (row.wanted == 0) return log_.that(got.count == -7, name + " was written unasked");
    std::vector<Candidate> best(static_cast<std::size_t>(row.wanted));
    CandidateRow expected{.ids_end = row.ids_end,
                          .mask = row.mask,
                          .repetition_penalty = row.penalty,
                          .recent = row.recent,
                          .best = best};
    find_by_sorting(row.logits, expected);
    if (got.count != expected.found) {
      return log_.fail(name + ": found " + std::to_string(got.count) + ", expected " +
                       std::to_string(expected.found));
    }
    for (int i = 0; i < got.count; ++i) {
      if (got.best[i] == best[static_cast<std::size_t>(i)]) continue;
      return log_.fail(name + ": candidate " + std::to_string(i) + " is token " +
                       std::to_string(got.best[i].id) + ", expected " +
                       std::to_string(best[static_cast<std::size_t>(i)].id));
    }
  }

  Comparison& log_;
  std::int64_t vocabulary_;
  std::vector<Row> rows_;
  std::vector<DeviceArray<std::int32_t>> recent_;
  std::vector<DeviceArray<std::uint64_t>> masks_;
};

Row random_row(std::int64_t vocabulary, std::mt19937& random) {
  Row row;
  row.logits = normal_floats(vocabulary, random);
  // Rounded now and then, so that many are equal.
  const bool is_rounded = random() % 2U == 0;
  for (float& logit : row.logits) logit = is_rounded ? std::round(4.0F * logit) : 3.0F * logit;
  return row;
}

CheckOutcome check_choices() {
  Comparison log;
  std::mt19937 random(51);
  for (const std::int64_t vocabulary : {1, 70, 2048, 5000}) {
    log.part("vocabulary of " + std::to_string(vocabulary));
    Batch batch(log, vocabulary);
    for (const int wanted : {0, 1, 2, 40, 127, 128}) {
      Row row = random_row(vocabulary, random);
      row.wanted = wanted;
      batch.add(row);
      row.ids_end = std::max<std::int64_t>(1, vocabulary - 100);
      batch.add(std::move(row));
    }
    batch.compare();
    if (log.has_failed()) break;
  }
  return log.outcome();
}

/// As many parts as the vocabulary of the real models makes.
CheckOutcome check_many_parts() {
  Comparison log;
  std::mt19937 random(54);
  constexpr std::int64_t kVocabulary = 262144;
  log.part("vocabulary of " + std::to_string(kVocabulary));
  Batch batch(log, kVocabulary);
  for (const int wanted : {1, 64, 128}) {
    Row row = random_row(kVocabulary, random);
    row.wanted = wanted;
    batch.add(std::move(row));
  }
  batch.compare();
  return log.outcome();
}

CheckOutcome check_penalty_and_mask() {
  Comparison log;
  std::mt19937 random(52);
  log.part("penalty and mask");
  constexpr std::int64_t kVocabulary = 4500;
  Batch batch(log, kVocabulary);
  for (int i = 0; i < 16; ++i) {
    Row row = random_row(kVocabulary, random);
    row.wanted = i % 3 == 0 ? 1 : 64;
    row.penalty = i % 2 == 0 ? 1.3F : 0.8F;
    for (int t = 0; t < 100; ++t) {
      row.recent.push_back(static_cast<TokenId>(random() % kVocabulary) - 3);
    }
    if (i % 4 != 0) {
      row.mask.assign((kVocabulary + 63) / 64, 0);
      // Few tokens, or all but few.
      for (int t = 0; t < 30; ++t) row.mask[random() % row.mask.size()] |= 1ULL << (random() % 64);
      if (i % 4 == 2) {
        for (std::uint64_t& word : row.mask) word = ~word;
      }
    }
    batch.add(std::move(row));
  }
  batch.compare();
  return log.outcome();
}

/// Equal logits, both zeros, nothing allowed, and logits that are no numbers.
CheckOutcome check_edges() {
  Comparison log;
  std::mt19937 random(53);
  log.part("edges");
  constexpr std::int64_t kVocabulary = 4200;
  Batch batch(log, kVocabulary);
  for (int i = 0; i < 12; ++i) {
    Row row = random_row(kVocabulary, random);
    row.wanted = i % 2 == 0 ? 1 : 7;
    auto& logits = row.logits;
    if (i < 2) {
      for (float& logit : logits) logit = 0.25F;
    } else if (i < 4) {
      for (float& logit : logits) logit = -std::numeric_limits<float>::infinity();
      logits[4100] = i == 2 ? -1e30F : -std::numeric_limits<float>::infinity();
    } else if (i < 6) {
      logits[4199] = i == 4 ? kPoison : std::numeric_limits<float>::infinity();
    } else if (i < 8) {
      row.mask.assign((kVocabulary + 63) / 64, 0);
      if (i == 6) row.mask[65] = 1ULL << 3;
    } else if (i < 10) {
      for (float& logit : logits) logit = -0.0F;
      for (std::size_t at = 3; at < logits.size(); at += 5) logits[at] = 0.0F;
    } else {
      // What no tokenizer has a piece for does not count, whatever it holds.
      logits[4199] = kPoison;
      row.ids_end = 4199;
      row.penalty = 1e38F;
      row.recent = {5, 6, 4198};
    }
    batch.add(std::move(row));
  }
  batch.compare();
  return log.outcome();
}

/// Where the best lie decides how many keys a block sorts: in order, the other way round, all in
/// few threads' keys, and more broken logits than a block sorts.
CheckOutcome check_places() {
  Comparison log;
  log.part("places");
  constexpr std::int64_t kVocabulary = 4200;
  Batch batch(log, kVocabulary);
  for (int i = 0; i < 10; ++i) {
    Row row;
    row.wanted = i % 2 == 0 ? 128 : 20;
    for (std::int64_t id = 0; id < kVocabulary; ++id) {
      const auto place = static_cast<float>(id);
      const auto of_thread = static_cast<float>(id % 256);
      row.logits.push_back(i < 2   ? place
                           : i < 4 ? -place
                           : i < 6 ? 10000.0F * of_thread + place
                           : i < 8 ? 10000.0F * (of_thread < 12.0F ? of_thread : -1.0F) - place
                                   : std::numeric_limits<float>::infinity());
    }
    batch.add(std::move(row));
  }
  batch.compare();
  return log.outcome();
}

}  // namespace

std::vector<KernelCheck> sampling_checks() {
  return {{"candidates", check_choices},
          {"candidates of a large vocabulary", check_many_parts},
          {"candidates with penalty and mask", check_penalty_and_mask},
          {"candidates of what has no answer", check_edges},
          {"candidates wherever they lie", check_places}};
}

}  // namespace facet::test
