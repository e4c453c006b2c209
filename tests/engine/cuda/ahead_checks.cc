// Checks of steps that a device begins by itself, without a test framework: its choice against the
// sampler's, and everything that sequences may do meanwhile against a backend that waits to be
// asked.
#include "engine/cuda/feed.h"
#include "engine/sampling/sampler.h"
#include "tests/engine/cuda/backend_pair.h"
#include "tests/engine/cuda/check_support.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using engine::Candidate;
using engine::CandidateRow;
using engine::DType;
using engine::KvCache;
using engine::KvType;
using engine::NextChoice;
using engine::Sampler;
using engine::SamplingOptions;
using engine::StepItem;
using engine::TokenId;

SamplingOptions random_options(std::mt19937& random) {
  SamplingOptions out{.temperature = 0.3F + 0.1F * static_cast<float>(random() % 20U),
                      .top_k = 1 + static_cast<std::int32_t>(random() % 128U),
                      .seed = random()};
  if (random() % 4U == 0) out.temperature = 0.0F;
  if (random() % 2U == 0) out.top_p = 0.05F * static_cast<float>(1 + random() % 20U);
  if (random() % 3U == 0) out.min_p = 0.02F * static_cast<float>(random() % 20U);
  return out;
}

/// Candidates as find_candidates leaves them: best first.
cuda::RowFound random_found(int count, std::mt19937& random) {
  cuda::RowFound out{.count = count};
  std::normal_distribution<float> normal(0.0F, 2.0F);
  std::vector<float> logits;
  for (int i = 0; i < count; ++i) logits.push_back(normal(random));
  std::sort(logits.begin(), logits.end(), std::greater<>());
  for (int i = 0; i < count; ++i) {
    out.best[i] = {.logit = logits[static_cast<std::size_t>(i)], .id = 1000 + 7 * i};
  }
  return out;
}

/// Rows with candidates, with few, without any and broken ones, in calls of many sizes.
CheckOutcome choices_against_the_sampler() {
  Comparison log;
  std::mt19937 random(71);
  int rows_in_all = 0;
  int others = 0;
  for (const int rows : {1, 3, 16, 128}) {
    log.part(std::to_string(rows) + " rows");
    std::vector<cuda::RowFound> founds;
    std::vector<TokenId> expected;
    cuda::FeedArgs args{.rows = rows};
    for (int i = 0; i < rows; ++i) {
      const SamplingOptions options = random_options(random);
      const bool is_short = random() % 4U == 0;
      const int count = is_short ? static_cast<int>(random() % 12U) - 1 : cuda::kCandidatesMax;
      founds.push_back(random_found(std::max(count, 0), random));
      founds.back().count = count;
      Sampler sampler(options);
      args.choices[i] = sampler.next_choice();
      // Room for one more, so that few are taken for all there are.
      std::vector<Candidate> best(static_cast<std::size_t>(cuda::kCandidatesMax) + 1);
      std::copy(std::begin(founds.back().best), std::end(founds.back().best), best.begin());
      const CandidateRow row{.best = best, .found = count};
      expected.push_back(count > 0 ? sampler.sample_from(row).value_or(-2) : -1);
    }
    const DeviceArray<cuda::RowFound> found(log, founds);
    std::vector<std::int32_t> numbers(static_cast<std::size_t>(rows));
    for (std::int32_t& number : numbers) number = static_cast<std::int32_t>(random() % 1000U);
    const DeviceArray<std::int32_t> ids(log, numbers);
    const DeviceArray<std::int32_t> position(log, numbers);
    const DeviceArray<std::int32_t> end(log, numbers);
    args.found = found.get();
    args.ids = ids.get();
    args.position = position.get();
    args.end = end.get();
    log.ok(cuda::feed_rows(args, {}));
    const auto got = found.read();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ++rows_in_all;
      if (got[i].next != expected[i]) ++others;
      log.that(ids.read()[i] == std::max(got[i].next, 0), "the token is not the choice");
      log.that(position.read()[i] == numbers[i] + 1, "the position is not the next one");
      log.that(end.read()[i] == numbers[i] + 1, "the end is not the next one");
    }
  }
  // A device's expf may differ in the last bit, which decides where a number falls right between
  // two tokens; on the emulated one it is the sampler's.
#ifdef FACET_CUDA_ON_CPU
  constexpr int kAllowed = 0;
#else
  constexpr int kAllowed = 1;
#endif
  log.part("all rows");
  log.that(others <= kAllowed,
           std::to_string(others) + " of " + std::to_string(rows_in_all) +
               " choices are not the sampler's");
  return log.outcome();
}

CheckOutcome bad_calls() {
  Comparison log;
  for (const auto& [rows, top_k] : {std::pair(0, 1), {129, 1}, {1, 0}, {1, 129}}) {
    log.part(std::to_string(rows) + " rows, top_k " + std::to_string(top_k));
    cuda::FeedArgs args{.rows = rows};
    for (NextChoice& choice : args.choices) choice.top_k = top_k;
    log.that(!cuda::feed_rows(args, {}).has_value(), "not refused");
  }
  return log.outcome();
}

/// A sequence as a generation drives it, on one of two backends.
struct Text {
  KvCache cache;
  Sampler sampler;
  TokenId next = 0;
  std::vector<Candidate> best;
  CandidateRow row;
  std::vector<std::uint64_t> mask;

  Text(KvCache made, const SamplingOptions& options, TokenId first)
      : cache(std::move(made)), sampler(options), next(first), best(20) {}

  /// The next step of the text; `goes_on`: and the one after it.
  StepItem item(bool goes_on) {
    row = {.ids_end = 60, .mask = mask, .best = best};
    StepItem out{.cache = &cache, .ids = std::span(&next, 1), .candidates = std::span(&row, 1)};
    if (goes_on) out.next = sampler.next_choice();
    return out;
  }
};

/// The same random life of some sequences on a backend that runs ahead and on one that does not:
/// texts go on, or with another token than was chosen, are cut, forked, dropped, begun, masked, and
/// are now and then not in the step. As long as a step has at most 16 rows, bits do not depend on
/// company.
class TwoLives {
 public:
  TwoLives(Pair& ahead, Pair& waiting, unsigned seed)
      : pairs_{&ahead, &waiting}, random_(seed), script_(seed + 1) {}

  /// The first difference, or nothing.
  std::string live(int steps, std::size_t texts_max) {
    for (int i = 0; i < steps && failure_.empty(); ++i) {
      if (texts_[0].size() < texts_max && (texts_[0].empty() || chance(8))) begin();
      if (texts_[0].size() > 1 && chance(40)) drop();
      if (texts_[0].size() < texts_max && chance(25)) fork();
      if (chance(20)) truncate();
      step();
    }
    return failure_;
  }

 private:
  bool chance(unsigned of) { return script_() % of == 0; }
  std::size_t any() { return script_() % texts_[0].size(); }

  void note(const Status& status) {
    if (!status && failure_.empty()) failure_ = status.error().message;
  }

  void begin() {
    const auto ids = random_ids(1 + script_() % 90U, random_);
    const SamplingOptions options{.temperature = script_() % 2U == 0 ? 0.0F : 1.0F,
                                  .top_k = 1 + static_cast<std::int32_t>(script_() % 15U),
                                  .seed = script_()};
    for (int b = 0; b < 2; ++b) {
      KvCache cache(pairs_[b]->model.config.layers, KvType::bf16, pairs_[b]->device->page_memory());
      const StepItem prompt{.cache = &cache, .ids = ids};
      note(pairs_[b]->device->step(std::span(&prompt, 1)));
      texts_[b].push_back(std::make_unique<Text>(std::move(cache), options, ids.front()));
    }
  }

  void drop() {
    const auto at = static_cast<std::ptrdiff_t>(any());
    for (auto& texts : texts_) texts.erase(texts.begin() + at);
  }

  void fork() {
    const std::size_t from = any();
    for (auto& texts : texts_) {
      const Text& other = *texts[from];
      texts.push_back(std::make_unique<Text>(other.cache.fork(), SamplingOptions{}, other.next));
      texts.back()->sampler = other.sampler;
    }
  }

  void truncate() {
    const std::size_t at = any();
    const std::int64_t size = texts_[0][at]->cache.size();
    const std::int64_t to = std::max(texts_[0][at]->cache.truncatable_from(),
                                     size - 1 - static_cast<std::int64_t>(script_() % 5U));
    for (auto& texts : texts_) texts[at]->cache.truncate(std::min(to, size));
  }

  void step() {
    // Which texts take part, in which order, which say that they go on, and what they do then.
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < texts_[0].size(); ++i) {
      if (!chance(30)) order.push_back(i);
    }
    if (chance(6)) std::shuffle(order.begin(), order.end(), script_);
    if (order.empty()) return;
    const bool all_go_on = !chance(10);
    const bool is_masked = chance(3);
    for (const std::size_t i : order) {
      std::vector<std::uint64_t> mask;
      if (is_masked) mask = {random_() | std::uint64_t{random_()} << 32U};
      for (auto& texts : texts_) texts[i]->mask = mask;
    }
    std::vector<bool> goes_on;
    for (std::size_t i = 0; i < order.size(); ++i) goes_on.push_back(all_go_on || chance(2));
    for (int b = 0; b < 2; ++b) {
      std::vector<StepItem> items;
      for (std::size_t i = 0; i < order.size(); ++i) {
        items.push_back(texts_[b][order[i]]->item(goes_on[i]));
      }
      note(pairs_[b]->device->step(items));
    }
    for (const std::size_t i : order) choose(i);
  }

  /// Each text's next token, which must be the same one.
  void choose(std::size_t at) {
    std::optional<TokenId> chosen[2];
    for (int b = 0; b < 2; ++b) {
      Text& text = *texts_[b][at];
      if (failure_.empty()) chosen[b] = text.sampler.sample_from(text.row);
    }
    const Text& a = *texts_[0][at];
    const Text& b = *texts_[1][at];
    if (chosen[0] != chosen[1] || a.row.found != b.row.found || a.best != b.best) {
      if (failure_.empty()) failure_ = "a step that began by itself gives other candidates";
    }
    const bool goes_another_way = chance(15) || !chosen[0];
    const auto other = static_cast<TokenId>(script_() % 60U);
    for (auto& texts : texts_) texts[at]->next = goes_another_way ? other : *chosen[0];
    // The context has an end.
    const std::int64_t size = a.cache.size();
    if (size < 400) return;
    for (auto& texts : texts_) texts[at]->cache.truncate(size - 1);
  }

  Pair* pairs_[2];
  std::mt19937 random_;
  std::mt19937 script_;
  std::vector<std::unique_ptr<Text>> texts_[2];
  std::string failure_;
};

CheckOutcome lives(const MemoryModelOptions& made, std::size_t texts_max, int steps) {
  Pair ahead(made);
  Pair waiting(made, {.runs_ahead = false});
  if (!ahead.failure.empty()) return {.failure = ahead.failure};
  const std::string failure = TwoLives(ahead, waiting, made.seed).live(steps, texts_max);
  if (!failure.empty()) return {.failure = failure};
  const engine::cuda::BackendStats stats = ahead.device->stats();
  if (waiting.device->stats().begun != 0) return same_bits(false, "a backend that waits ran ahead");
  // Or nothing was checked.
  if (stats.taken < steps / 4 || stats.taken >= stats.begun) {
    return {.failure = "of " + std::to_string(steps) + " steps " + std::to_string(stats.begun) +
                       " were begun and " + std::to_string(stats.taken) + " taken"};
  }
  return {};
}

#ifdef FACET_CUDA_ON_CPU
constexpr int kSteps = 80;
#else
constexpr int kSteps = 600;
#endif

CheckOutcome one_text() {
  return lives({.type = DType::bf16, .layers = 3, .window = 20, .seed = 81}, 1, 2 * kSteps);
}

CheckOutcome some_texts() {
  return lives({.type = DType::q4_0, .layers = 3, .window = 20, .seed = 82}, 6, kSteps);
}

/// Greedy texts of so many sequences that the launches are those of the batch kind; some leave.
CheckOutcome many_texts() {
  const MemoryModelOptions made{.type = DType::bf16, .layers = 2, .window = 20, .seed = 83};
  Pair pairs[2] = {Pair(made), Pair(made, {.runs_ahead = false})};
  std::vector<std::unique_ptr<Text>> texts[2];
  for (int b = 0; b < 2; ++b) {
    if (!pairs[b].failure.empty()) return {.failure = pairs[b].failure};
    std::mt19937 random(83);
    for (std::size_t i = 0; i < 30; ++i) {
      const auto ids = random_ids(1 + 2 * i, random);
      KvCache cache(pairs[b].model.config.layers, KvType::bf16, pairs[b].device->page_memory());
      const StepItem prompt{.cache = &cache, .ids = ids};
      const Status done = pairs[b].device->step(std::span(&prompt, 1));
      if (!done) return {.failure = done.error().message};
      const SamplingOptions greedy{.temperature = 0.0F};
      texts[b].push_back(std::make_unique<Text>(std::move(cache), greedy, ids.front()));
    }
  }
  for (std::size_t step = 0; step < 24; ++step) {
    const std::size_t count = step < 12 ? 30 : step < 18 ? 22 : 18;  // All padded to 32.
    for (int b = 0; b < 2; ++b) {
      std::vector<StepItem> items;
      for (std::size_t i = 0; i < count; ++i) items.push_back(texts[b][i]->item(true));
      const Status done = pairs[b].device->step(items);
      if (!done) return {.failure = done.error().message};
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (texts[0][i]->best != texts[1][i]->best) {
        return same_bits(false, "a step of many that began by itself gives other candidates");
      }
      for (auto& of : texts) of[i]->next = of[i]->best.front().id;
    }
  }
  const auto taken = pairs[0].device->stats().taken;
  return same_bits(taken >= 4, "steps of many were not begun by themselves");
}

}  // namespace

std::vector<KernelCheck> ahead_checks() {
  return {
      {"ahead: a device's choice against the sampler's", choices_against_the_sampler},
      {"ahead: calls out of range are refused", bad_calls},
      {"ahead: the life of one text against a backend that waits", one_text},
      {"ahead: the lives of some texts against a backend that waits", some_texts},
      {"ahead: many texts against a backend that waits", many_texts},
  };
}

}  // namespace facet::test
