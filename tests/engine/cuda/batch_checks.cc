// Checks of steps of 17 to 128 rows of many sequences, without a test framework: against the CPU
// engine, recorded against single launches, in other company, what padding writes, and candidates
// against logits.
#include "tests/engine/cuda/backend_pair.h"
#include "tests/support/reference_candidates.h"

#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace facet::test {
namespace {

using engine::DType;
using engine::KvCache;
using engine::KvType;
using engine::StepItem;
using engine::TokenId;

/// Sequences that decode together, of different lengths: forks of a few.
class Fleet {
 public:
  Fleet(engine::Backend& backend, const Pair& pair, KvType type, std::size_t count)
      : backend_(backend) {
    std::mt19937 random(91);
    std::vector<KvCache> bases;
    for (const std::size_t tokens : {1UL, 3UL, 31UL, 64UL, 65UL, 130UL}) {
      bases.emplace_back(pair.model.config.layers, type, backend.page_memory());
      const auto ids = random_ids(tokens, random);
      const StepItem item{.cache = &bases.back(), .ids = ids};
      note(backend.step(std::span(&item, 1)));
    }
    for (std::size_t i = 0; i < count; ++i) caches.push_back(bases[i % bases.size()].fork());
  }

  /// One token for each, and the logits behind it.
  std::vector<float> step(std::span<const TokenId> ids) {
    std::vector<float> out(caches.size() * kVocabulary);
    std::vector<StepItem> items;
    for (std::size_t i = 0; i < caches.size(); ++i) {
      items.push_back({.cache = &caches[i],
                       .ids = ids.subspan(i, 1),
                       .logits = std::span(out).subspan(i * kVocabulary, kVocabulary)});
    }
    note(backend_.step(items));
    return out;
  }

  void note(const Status& status) {
    if (!status && failure.empty()) failure = status.error().message;
  }

  std::vector<KvCache> caches;
  std::string failure;

 private:
  engine::Backend& backend_;
};

using Counts = std::vector<std::size_t>;

CheckOutcome batch_against_cpu(const MemoryModelOptions& made,
                               KvType type,
                               const Counts& counts,
                               double allowed,
                               std::int64_t page_bytes = 64 << 20) {
  Pair pair(made, {.plan = {.prefix_bytes_max = page_bytes, .kv_type = type}});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  CheckOutcome out;
  for (const std::size_t count : counts) {
    Fleet device(*pair.device, pair, type, count);
    Fleet cpu(*pair.cpu, pair, KvType::f32, count);
    std::mt19937 random(92);
    for (int round = 0; round < 3; ++round) {  // Launch by launch, recorded, replayed.
      const auto ids = random_ids(count, random);
      const auto found = device.step(ids);
      const auto expected = cpu.step(ids);
      if (!device.failure.empty()) return {.failure = device.failure};
      const std::string what =
          std::string(engine::dtype_name(made.type)) + ", " + std::to_string(count) + " sequences";
      out = worse(out, within(distance(found, expected), allowed, what));
    }
  }
  return out;
}

/// One row more than decode takes, both ends of paddings, what the bar asks for, and the most.
CheckOutcome many_sequences() {
  const CheckOutcome bf16 = batch_against_cpu(
      {.type = DType::bf16, .layers = 3, .seed = 61}, KvType::bf16, {17, 32, 33, 100, 128}, 0.03);
  return worse(bf16,
               batch_against_cpu(
                   {.type = DType::q4_0, .layers = 2, .seed = 62}, KvType::int8, {17, 100}, 0.03));
}

/// Weights that stay packed for some rows and not for more; and a matrix of so many columns that
/// its product comes in parts.
CheckOutcome many_sequences_by_weights() {
  CheckOutcome out;
  for (const auto& [type, count] :
       {std::pair(DType::f16, 20UL), std::pair(DType::f32, 20UL), std::pair(DType::q8_0, 70UL)}) {
    out = worse(
        out,
        batch_against_cpu({.type = type, .layers = 1, .seed = 71}, KvType::bf16, {count}, 0.03));
  }
  return worse(
      out,
      batch_against_cpu(
          {.type = DType::q4_0, .layers = 1, .seed = 72, .ffn = 6400}, KvType::bf16, {20}, 0.03));
}

/// Heads as the 12B model has them, shrunken in everything else.
CheckOutcome many_sequences_of_wide_heads() {
#ifdef FACET_CUDA_ON_CPU
  const Counts counts = {20, 65};
#else
  const Counts counts = {17, 32, 33, 100, 128};
#endif
  return batch_against_cpu({.type = DType::bf16,
                            .layers = 3,
                            .seed = 63,
                            .heads = 4,
                            .kv_heads = 2,
                            .head_dim = 256,
                            .hidden = 128,
                            .ffn = 192},
                           KvType::bf16,
                           counts,
                           0.03);
}

#ifndef FACET_CUDA_ON_CPU
/// Matrices as wide as those of the 12B model.
CheckOutcome many_sequences_of_real_width() {
  CheckOutcome out;
  for (const DType type : {DType::bf16, DType::q4_0}) {
    out = worse(out,
                batch_against_cpu({.type = type,
                                   .layers = 3,
                                   .window = 64,
                                   .seed = 70,
                                   .heads = 16,
                                   .kv_heads = 8,
                                   .head_dim = 256,
                                   .hidden = 3840,
                                   .ffn = 15360},
                                  KvType::bf16,
                                  {33, 100},
                                  0.03,
                                  std::int64_t{1} << 30));
  }
  return out;
}
#endif

CheckOutcome recorded_batches() {
  Pair recorded({.type = DType::q4_0, .layers = 2, .seed = 64});
  Pair single({.type = DType::q4_0, .layers = 2, .seed = 64}, {.with_graphs = false});
  const std::string failure = recorded.failure + single.failure;
  if (!failure.empty()) return {.failure = failure};
  const Fleet prompts(*recorded.device, recorded, KvType::bf16, 1);  // They are recorded too.
  const auto before = recorded.device->stats();
  for (const std::size_t count : {17UL, 50UL, 128UL}) {
    Fleet a(*recorded.device, recorded, KvType::bf16, count);
    Fleet b(*single.device, single, KvType::bf16, count);
    std::mt19937 random(65);
    for (int round = 0; round < 3; ++round) {
      const auto ids = random_ids(count, random);
      const bool is_same = a.step(ids) == b.step(ids);
      if (!(a.failure + b.failure).empty()) return {.failure = a.failure + b.failure};
      if (!is_same) return same_bits(false, "a recorded step gives other bits than its launches");
    }
  }
  const auto after = recorded.device->stats();
  return same_bits(after.recorded - before.recorded == 3, "not one recording for each padded size");
}

/// A sequence's logits in one company, in another one of the same padded size, and in a larger one.
CheckOutcome company_of_batches() {
  Pair pair({.type = DType::bf16, .layers = 3, .seed = 66});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  std::mt19937 random(66);
  const auto ids = random_ids(128, random);
  const auto other_ids = random_ids(128, random);
  Fleet base(*pair.device, pair, KvType::bf16, 40);
  const std::vector<float> expected = base.step(std::span(ids).first(40));
  CheckOutcome out{.failure = base.failure};
  for (const std::size_t count : {64UL, 120UL}) {
    // The first eight are those of before, the others not.
    Fleet fleet(*pair.device, pair, KvType::bf16, count);
    std::vector<TokenId> mixed(other_ids.begin(), other_ids.begin() + static_cast<long>(count));
    std::copy_n(ids.begin(), 8, mixed.begin());
    std::reverse(fleet.caches.begin() + 8, fleet.caches.end());
    const std::vector<float> found = fleet.step(mixed);
    if (!fleet.failure.empty()) return {.failure = fleet.failure};
    const auto first_eight = [](const std::vector<float>& of) {
      return std::vector<float>(of.begin(), of.begin() + 8 * kVocabulary);
    };
    // bf16 activations that lie between two numbers may go the other way.
    const double allowed = count == 64 ? 1e-6 : 0.01;
    out = worse(out,
                within(distance(first_eight(found), first_eight(expected)),
                       allowed,
                       "company of " + std::to_string(count)));
  }
  return out;
}

/// The bytes of the pages of `cache`, layer by layer.
Result<std::vector<std::byte>> page_bytes(const Pair& pair, const KvCache& cache) {
  std::vector<std::byte> out;
  for (std::size_t l = 0; l < cache.layers(); ++l) {
    const engine::KvPages pages = cache.pages(l);
    const auto bytes = static_cast<std::size_t>(2 * engine::kPageTokens * cache.row_bytes(l));
    const std::int64_t end = (cache.size() + engine::kPageTokens - 1) / engine::kPageTokens;
    for (std::int64_t p = pages.first_page; p < end; ++p) {
      const std::size_t at = out.size();
      out.resize(at + bytes);
      FACET_TRY_STATUS(pair.device->page_memory().read(std::span(out).subspan(at),
                                                       pages.pages[p - pages.first_page]));
    }
  }
  return out;
}

/// Everything that no sequence has of the page memory, filled with a byte that must stay.
class FreePages {
 public:
  static constexpr std::size_t kPiece = 4096;

  explicit FreePages(engine::PageMemory& memory) : memory_(memory) {
    const std::vector<std::byte> poison(kPiece, std::byte{0xA5});
    while (auto piece = memory.allocate(kPiece)) {
      if (!memory.write(piece.get(), poison)) return;
      pieces_.push_back(std::move(piece));
    }
  }
  [[nodiscard]] bool are_untouched() const {
    std::vector<std::byte> bytes(kPiece);
    for (const auto& piece : pieces_) {
      if (!memory_.read(bytes, piece.get())) return false;
      for (const std::byte byte : bytes) {
        if (byte != std::byte{0xA5}) return false;
      }
    }
    return !pieces_.empty();
  }

 private:
  engine::PageMemory& memory_;
  std::vector<std::shared_ptr<std::byte[]>> pieces_;
};

/// Steps whose last rows are padding: pages that are not theirs, and what their own held before,
/// stay as they are.
CheckOutcome padding_writes_nothing() {
  Pair pair({.type = DType::bf16, .layers = 2, .window = 300, .seed = 67},
            {.plan = {.prefix_bytes_max = 2 << 20}});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  Fleet stepping(*pair.device, pair, KvType::bf16, 18);
  Fleet watching(*pair.device, pair, KvType::bf16, 6);
  std::mt19937 random(67);
  // Each has written to a page of its own before the rest is poisoned: no step needs a new one.
  stepping.step(random_ids(18, random));
  watching.step(random_ids(6, random));
  const FreePages free(pair.device->page_memory());
  const auto contents = [&](const Fleet& fleet) {
    std::vector<std::vector<std::byte>> out;
    for (const KvCache& cache : fleet.caches) {
      auto bytes = page_bytes(pair, cache);
      out.push_back(bytes ? *std::move(bytes) : std::vector<std::byte>());
    }
    return out;
  };
  const auto before = contents(watching);
  const auto own = contents(stepping);
  for (int round = 0; round < 3; ++round) stepping.step(random_ids(18, random));
  if (!stepping.failure.empty()) return {.failure = stepping.failure};
  if (!free.are_untouched()) return same_bits(false, "free pages were written to");
  if (contents(watching) != before) return same_bits(false, "pages of others were written to");
  const auto now = contents(stepping);
  for (std::size_t i = 0; i < own.size(); ++i) {
    const KvCache& cache = stepping.caches[i];
    const auto row_bytes = static_cast<std::size_t>(cache.row_bytes(0));
    if (now[i].size() != own[i].size()) return same_bits(false, "a step took a new page");
    for (std::size_t at = 0; at < own[i].size(); at += row_bytes) {
      // Pages hold 64 rows of keys, then of values; a layer has the pages of all positions.
      const std::size_t row = at / row_bytes;
      const std::size_t pages = own[i].size() / row_bytes / 128 / cache.layers();
      const auto position = static_cast<std::int64_t>(row / 128 % pages * 64 + row % 64);
      const bool is_new = position >= cache.size() - 3 && position < cache.size();
      const bool is_same = std::memcmp(&own[i][at], &now[i][at], row_bytes) == 0;
      if (is_same == is_new) {
        return same_bits(false, is_new ? "a key was not stored" : "an earlier key was overwritten");
      }
    }
  }
  return {};
}

/// What one sequence of a step asks for.
struct Asking {
  std::vector<TokenId> ids;  ///< A token, and guesses of what follows.
  std::vector<float> logits;
  std::vector<engine::CandidateRow> rows;
  std::vector<engine::Candidate> best;
  std::vector<std::uint64_t> mask;

  Asking(std::size_t tokens, std::mt19937& random)
      : ids(random_ids(tokens, random)), logits(tokens * kVocabulary), best(tokens * 7) {
    mask = {random() | std::uint64_t{random()} << 32U, random()};
    for (std::size_t i = 0; i < tokens; ++i) {
      rows.push_back({.ids_end = 66,
                      .repetition_penalty = 1.2F,
                      .recent = std::span(ids).first(1 + i),
                      .best = std::span(best).subspan(i * 7, 1 + random() % 7)});
      if (random() % 2U == 0) rows.back().mask = mask;
    }
  }

  [[nodiscard]] bool found_all() const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<engine::Candidate> sorted(rows[i].best.size());
      engine::CandidateRow expected = rows[i];
      expected.best = sorted;
      find_by_sorting(std::span(logits).subspan(i * kVocabulary, kVocabulary), expected);
      if (expected.found != rows[i].found) return false;
      if (!std::equal(sorted.begin(), sorted.begin() + expected.found, rows[i].best.begin())) {
        return false;
      }
    }
    return true;
  }
};

/// `count` sequences, some with guesses behind their token, some that want logits or nothing,
/// against sorting the logits of the same step.
CheckOutcome candidates_of_batch(Pair& pair, std::size_t count, std::mt19937& random) {
  Fleet with_logits(*pair.device, pair, KvType::bf16, count);
  Fleet with_candidates(*pair.device, pair, KvType::bf16, count);
  std::vector<Asking> asking;
  asking.reserve(count);
  for (std::size_t i = 0; i < count; ++i) asking.emplace_back(i % 9 == 4 ? 3 : 1, random);
  std::vector<StepItem> first;
  std::vector<StepItem> second;
  std::vector<float> again(kVocabulary, std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 0; i < count; ++i) {
    first.push_back(
        {.cache = &with_logits.caches[i], .ids = asking[i].ids, .logits = asking[i].logits});
    second.push_back({.cache = &with_candidates.caches[i], .ids = asking[i].ids});
    if (i == 1) second.back().logits = again;
    if (i > 1) second.back().candidates = asking[i].rows;
  }
  with_logits.note(pair.device->step(first));
  with_logits.note(pair.device->step(second));
  if (!with_logits.failure.empty()) return {.failure = with_logits.failure};
  if (again != asking[1].logits) return same_bits(false, "logits beside candidates are others");
  for (std::size_t i = 2; i < count; ++i) {
    if (!asking[i].found_all()) return same_bits(false, "candidates are not those of the logits");
  }
  return {};
}

CheckOutcome candidates_of_batches() {
  Pair pair({.type = DType::bf16, .layers = 2, .seed = 68});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  std::mt19937 random(68);
  CheckOutcome out;
  for (const std::size_t count : {17UL, 100UL}) {
    for (int time = 0; time < 2; ++time) {
      out = worse(out, candidates_of_batch(pair, count, random));
    }
  }
  return out;
}

/// A prompt beside many sequences that decode: more logits are wanted than decode's launches take.
CheckOutcome prompts_beside_batches() {
  Pair pair({.type = DType::bf16, .layers = 3, .seed = 69});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  constexpr std::size_t kCount = 60;
  std::mt19937 random(69);
  const auto prompt = random_ids(50, random);
  const auto ids = random_ids(kCount, random);
  std::vector<float> logits[2];
  std::string failure;
  for (int side = 0; side < 2; ++side) {
    engine::Backend* const backends[] = {pair.cpu.get(), pair.device.get()};
    engine::Backend& backend = *backends[side];
    const KvType type = side == 0 ? KvType::f32 : KvType::bf16;
    Fleet fleet(backend, pair, type, kCount);
    KvCache cache(pair.model.config.layers, type, backend.page_memory());
    logits[side].resize((kCount + 1) * kVocabulary);
    const auto part = [&](std::size_t i) {
      return std::span(logits[side]).subspan(i * kVocabulary, kVocabulary);
    };
    std::vector<StepItem> items;
    for (std::size_t i = 0; i < kCount; ++i) {
      if (i == 20) items.push_back({.cache = &cache, .ids = prompt, .logits = part(kCount)});
      items.push_back(
          {.cache = &fleet.caches[i], .ids = std::span(ids).subspan(i, 1), .logits = part(i)});
    }
    fleet.note(backend.step(items));
    failure += fleet.failure;
  }
  if (!failure.empty()) return {.failure = failure};
  return within(distance(logits[1], logits[0]), 0.03, "a prompt beside 60 sequences");
}

}  // namespace

std::vector<KernelCheck> batch_checks() {
  return {
      {"backend: many sequences against the CPU engine", many_sequences},
      {"backend: many sequences, heads of 256", many_sequences_of_wide_heads},
      {"backend: many sequences, kinds of weights", many_sequences_by_weights},
      {"backend: recorded steps of many sequences against single launches", recorded_batches},
      {"backend: many sequences in other company", company_of_batches},
      {"backend: rows that pad a step write nothing", padding_writes_nothing},
      {"backend: candidates of many sequences against logits", candidates_of_batches},
      {"backend: a prompt beside many sequences", prompts_beside_batches},
#ifndef FACET_CUDA_ON_CPU
      {"backend: many sequences at real widths", many_sequences_of_real_width},
#endif
  };
}

}  // namespace facet::test
