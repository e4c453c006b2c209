// Sampling on the device against engine/sampling/sampler.h: the same tokens.
#include "engine/cuda/sampling.h"
#include "engine/sampling/sampler.h"
#include "tests/engine/cuda/check_support.h"

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using engine::SamplingOptions;
using engine::TokenId;

/// One row: what both samplers get.
struct Row {
  SamplingOptions options;
  std::vector<float> logits;
  std::vector<TokenId> recent;
  std::vector<std::uint64_t> mask;
};

class Batch {
 public:
  Batch(Comparison& log, std::int64_t vocabulary) : log_(log), vocabulary_(vocabulary) {}

  void add(Row row) { rows_.push_back(std::move(row)); }

  /// `steps` tokens of every row on the device, the state carried on.
  std::vector<std::int32_t> sample(int steps) {
    std::vector<float> logits;
    std::vector<cuda::SampleRow> options;
    for (const Row& row : rows_) {
      logits.insert(logits.end(), row.logits.begin(), row.logits.end());
      recent_.emplace_back(log_, std::vector<std::int32_t>(row.recent.begin(), row.recent.end()));
      masks_.emplace_back(log_, row.mask);
      options.push_back({.temperature = row.options.temperature,
                         .top_k = row.options.top_k,
                         .top_p = row.options.top_p,
                         .min_p = row.options.min_p,
                         .repetition_penalty = row.options.repetition_penalty,
                         .recent_count = static_cast<std::int32_t>(row.recent.size()),
                         .recent = recent_.back().get(),
                         .mask = row.mask.empty() ? nullptr : masks_.back().get(),
                         .state = row.options.seed});
    }
    const auto rows = static_cast<int>(rows_.size());
    const DeviceArray<float> device_logits(log_, logits);
    const DeviceArray<cuda::SampleRow> device_options(log_, options);
    const DeviceArray<std::int32_t> token(log_, std::vector<std::int32_t>(rows_.size(), -7));
    const auto words = static_cast<std::size_t>(cuda::sample_scratch_words(rows, vocabulary_));
    const DeviceArray<std::uint64_t> scratch(log_, std::vector<std::uint64_t>(words, ~0ULL));
    const DeviceArray<std::uint32_t> counters(log_, std::vector<std::uint32_t>(rows_.size()));
    std::vector<std::int32_t> out;
    for (int step = 0; step < steps; ++step) {
      log_.ok(cuda::sample_rows({.logits = device_logits.get(),
                                 .vocabulary = vocabulary_,
                                 .rows = rows,
                                 .options = device_options.get(),
                                 .token = token.get(),
                                 .scratch = scratch.get(),
                                 .counters = counters.get()},
                                {}));
      const auto tokens = token.read();
      out.insert(out.end(), tokens.begin(), tokens.end());
    }
    return out;
  }

  /// The same by the host's sampler.
  std::vector<std::int32_t> expected(int steps) {
    std::vector<engine::Sampler> samplers;
    for (const Row& row : rows_) samplers.emplace_back(row.options);
    std::vector<std::int32_t> out;
    for (int step = 0; step < steps; ++step) {
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        const Row& row = rows_[i];
        engine::TokenMaskSource mask;
        if (!row.mask.empty()) mask = [&row] { return row.mask; };
        const auto allowed = [&row](TokenId id) {
          return row.mask.empty() ||
                 (row.mask[static_cast<std::size_t>(id / 64)] >> (id % 64) & 1U) != 0;
        };
        const auto token = samplers[i].sample(row.logits, row.recent, allowed, mask);
        out.push_back(token ? *token : cuda::kNoToken);
      }
    }
    return out;
  }

 private:
  Comparison& log_;
  std::int64_t vocabulary_;
  std::vector<Row> rows_;
  std::vector<DeviceArray<std::int32_t>> recent_;
  std::vector<DeviceArray<std::uint64_t>> masks_;
};

Row random_row(std::int64_t vocabulary, std::mt19937& random) {
  Row row;
  row.logits = normal_floats(vocabulary, random);
  for (float& logit : row.logits) logit *= 3.0F;
  row.options.seed = random();
  return row;
}

CheckOutcome check_choices() {
  Comparison log;
  std::mt19937 random(51);
  for (const std::int64_t vocabulary : {1, 70, 2048, 5000}) {
    log.part("vocabulary of " + std::to_string(vocabulary));
    Batch batch(log, vocabulary);
    for (const int top_k : {1, 2, 40, 128}) {
      for (const float temperature : {0.0F, 0.7F, 1.0F, 5.0F}) {
        Row row = random_row(vocabulary, random);
        row.options.temperature = temperature;
        row.options.top_k = top_k;
        row.options.top_p = top_k == 40 ? 0.9F : 1.0F;
        row.options.min_p = top_k == 128 ? 0.02F : 0.0F;
        batch.add(std::move(row));
      }
    }
    log.same_bits(batch.sample(4), batch.expected(4), "tokens");
    if (log.has_failed()) break;
  }
  return log.outcome();
}

CheckOutcome check_penalty_and_mask() {
  Comparison log;
  std::mt19937 random(52);
  log.part("penalty and mask");
  constexpr std::int64_t kVocabulary = 4500;
  Batch batch(log, kVocabulary);
  for (int i = 0; i < 12; ++i) {
    Row row = random_row(kVocabulary, random);
    row.options.temperature = i % 3 == 0 ? 0.0F : 1.0F;
    row.options.repetition_penalty = i % 2 == 0 ? 1.3F : 0.8F;
    row.options.repetition_window = 100;
    for (int t = 0; t < 100; ++t)
      row.recent.push_back(static_cast<TokenId>(random() % kVocabulary));
    if (i % 4 != 0) {
      row.mask.assign((kVocabulary + 63) / 64, 0);
      // Few tokens, or all but few.
      for (int t = 0; t < 30; ++t) row.mask[random() % row.mask.size()] |= 1ULL << (random() % 64);
      if (i % 4 == 2) {
        for (std::uint64_t& word : row.mask) word = ~word;
      }
      row.mask.back() &= (1ULL << (kVocabulary % 64)) - 1;
    }
    batch.add(std::move(row));
  }
  log.same_bits(batch.sample(6), batch.expected(6), "tokens");
  return log.outcome();
}

/// Equal logits, nothing allowed, and logits that are no numbers.
CheckOutcome check_edges() {
  Comparison log;
  std::mt19937 random(53);
  log.part("edges");
  constexpr std::int64_t kVocabulary = 4200;
  Batch batch(log, kVocabulary);
  for (int i = 0; i < 8; ++i) {
    Row row = random_row(kVocabulary, random);
    row.options.temperature = i % 2 == 0 ? 0.0F : 1.0F;
    row.options.top_k = 7;
    auto& logits = row.logits;
    if (i < 2) {
      for (float& logit : logits) logit = 0.25F;
    } else if (i < 4) {
      for (float& logit : logits) logit = -std::numeric_limits<float>::infinity();
      logits[4100] = i == 2 ? -1e30F : -std::numeric_limits<float>::infinity();
    } else if (i < 6) {
      logits[4199] = i == 4 ? kPoison : std::numeric_limits<float>::infinity();
    } else {
      row.mask.assign((kVocabulary + 63) / 64, 0);
      if (i == 6) row.mask[65] = 1ULL << 3;
    }
    batch.add(std::move(row));
  }
  log.same_bits(batch.sample(2), batch.expected(2), "tokens");
  return log.outcome();
}

}  // namespace

std::vector<KernelCheck> sampling_checks() {
  return {{"sampling", check_choices},
          {"sampling with penalty and mask", check_penalty_and_mask},
          {"sampling of what has no answer", check_edges}};
}

}  // namespace facet::test
