// Checks of the whole backend without a test framework: forward pass against the CPU engine,
// recorded steps against single launches, company, cuts, forks. Small under the emulation; on a
// device also with matrices of real width.
#include "engine/cuda/wgmma.h"
#include "tests/engine/cuda/backend_pair.h"
#include "tests/support/reference_candidates.h"

#include <algorithm>
#include <optional>
#include <string>

namespace facet::test {
namespace {

using engine::DType;
using engine::KvCache;
using engine::KvType;
using engine::RuntimeModel;
using engine::StepItem;
using engine::TokenId;
using engine::cuda::BackendOptions;

/// Logits after each of `ids` in steps of `chunk`; empty with `failure` set when a step fails.
std::vector<float> run(engine::Backend& backend,
                       const RuntimeModel& model,
                       std::span<const TokenId> ids,
                       std::size_t chunk,
                       KvType type,
                       std::string& failure) {
  KvCache cache(model.config.layers, type, backend.page_memory());
  std::vector<float> out(ids.size() * kVocabulary);
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    const std::size_t count = std::min(chunk, ids.size() - at);
    const StepItem item{.cache = &cache,
                        .ids = ids.subspan(at, count),
                        .logits = std::span(out).subspan(at * kVocabulary, count * kVocabulary)};
    const Status status = backend.step(std::span(&item, 1));
    if (!status) {
      failure = status.error().message;
      return {};
    }
  }
  return out;
}

/// Forward pass against the CPU engine with f32 activations, by few rows and by many.
CheckOutcome against_cpu(const MemoryModelOptions& made,
                         std::size_t tokens,
                         double allowed,
                         engine::cuda::PromptUnits units = engine::cuda::PromptUnits::library) {
  Pair pair(made, {.prompt_units = units});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  std::mt19937 random(made.seed);
  const std::vector<TokenId> ids = random_ids(tokens, random);
  std::string failure;
  const auto expected = run(*pair.cpu, pair.model, ids, 64, KvType::f32, failure);
  CheckOutcome out;
  for (const std::size_t chunk : {5UL, 16UL, 100UL}) {
    const auto found = run(*pair.device, pair.model, ids, chunk, KvType::bf16, failure);
    if (!failure.empty()) return {.failure = failure};
    const std::string what =
        std::string(engine::dtype_name(made.type)) + " in chunks of " + std::to_string(chunk);
    out = worse(out, within(distance(found, expected), allowed, what));
  }
  return out;
}

CheckOutcome small_models() {
  CheckOutcome out;
#ifdef FACET_CUDA_ON_CPU
  constexpr DType kTypes[] = {DType::bf16, DType::q4_0};  // backend_test.cc has the others.
#else
  constexpr DType kTypes[] = {
      DType::bf16, DType::q8_0, DType::q4_0, DType::q2_k, DType::q3_k, DType::q4_k, DType::q6_k};
#endif
  for (const DType type : kTypes) {
    out = worse(out, against_cpu({.type = type, .layers = 3, .seed = 51}, 24, 0.03));
  }
  return out;
}

/// Prompts by Hopper's own units, where the device and the build have them.
CheckOutcome wgmma_models() {
  const auto is_there = engine::cuda::has_wgmma();
  if (!is_there) return {.failure = is_there.error().message};
  if (!*is_there) return {};
  CheckOutcome out;
  for (const DType type : {DType::bf16, DType::q4_0}) {
    out = worse(
        out,
        against_cpu(
            {.type = type, .layers = 3, .seed = 61}, 40, 0.03, engine::cuda::PromptUnits::wgmma));
  }
  return out;
}

CheckOutcome shaped_models() {
  const CheckOutcome one = against_cpu({.type = DType::bf16,
                                        .layers = 3,
                                        .seed = 52,
                                        .heads = 4,
                                        .kv_heads = 1,
                                        .head_dim = 256,
                                        .hidden = 128,
                                        .ffn = 192},
                                       40,
                                       0.03);
  return worse(one,
               against_cpu({.type = DType::q4_0,
                            .layers = 3,
                            .seed = 53,
                            .heads = 8,
                            .kv_heads = 4,
                            .head_dim = 128,
                            .hidden = 192,
                            .ffn = 320},
                           40,
                           0.03));
}

CheckOutcome recorded_against_single() {
  Pair recorded({.type = DType::q4_0, .layers = 3, .seed = 54});
  Pair single({.type = DType::q4_0, .layers = 3, .seed = 54}, {.with_graphs = false});
  std::string failure = recorded.failure + single.failure;
  if (!failure.empty()) return {.failure = failure};
  std::mt19937 random(54);
  const auto ids = random_ids(20, random);
  for (const std::size_t chunk : {1UL, 4UL}) {
    const auto a = run(*recorded.device, recorded.model, ids, chunk, KvType::bf16, failure);
    const auto b = run(*single.device, single.model, ids, chunk, KvType::bf16, failure);
    if (!failure.empty()) return {.failure = failure};
    if (a != b) return same_bits(false, "a recorded step gives other bits than its launches");
  }
  return {};
}

CheckOutcome company_and_forks() {
  Pair pair({.type = DType::bf16, .layers = 3, .seed = 55});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  std::mt19937 random(55);
  std::vector<KvCache> alone;
  std::vector<KvCache> together;
  Status status = ok();
  for (std::size_t i = 0; i < 6; ++i) {
    alone.emplace_back(pair.model.config.layers, KvType::bf16, pair.device->page_memory());
    const auto ids = random_ids(40 * i + 1, random);
    const StepItem item{.cache = &alone.back(), .ids = ids};
    if (status) status = pair.device->step(std::span(&item, 1));
    together.push_back(alone.back().fork());
  }
  for (int round = 0; status && round < 4; ++round) {
    const auto ids = random_ids(6, random);
    std::vector<float> expected(6 * kVocabulary);
    std::vector<float> found(6 * kVocabulary);
    std::vector<StepItem> items;
    for (std::size_t i = 0; i < 6; ++i) {
      const auto part = [&](std::vector<float>& of) {
        return std::span(of).subspan(i * kVocabulary, kVocabulary);
      };
      const StepItem item{
          .cache = &alone[i], .ids = std::span(ids).subspan(i, 1), .logits = part(expected)};
      if (status) status = pair.device->step(std::span(&item, 1));
      items.push_back(
          {.cache = &together[i], .ids = std::span(ids).subspan(i, 1), .logits = part(found)});
    }
    if (status) status = pair.device->step(items);
    if (found != expected) return same_bits(false, "a step in company gives other bits than alone");
  }
  return {.failure = status ? "" : status.error().message};
}

/// One item of a step, its logits, and what is wanted of them in another step of the same items.
struct MixedItem {
  KvCache with_logits;
  KvCache with_candidates;
  std::vector<TokenId> ids;
  std::vector<float> logits;
  std::vector<engine::CandidateRow> rows;
  std::vector<engine::Candidate> best;
  std::vector<std::uint64_t> mask;
  bool takes_logits = false;

  MixedItem(Pair& pair, std::size_t tokens, std::size_t wanted_rows, std::mt19937& random)
      : with_logits(pair.model.config.layers, KvType::bf16, pair.device->page_memory()),
        with_candidates(pair.model.config.layers, KvType::bf16, pair.device->page_memory()),
        ids(random_ids(tokens, random)),
        logits(wanted_rows * kVocabulary),
        best(wanted_rows * 5) {
    mask = {random() | std::uint64_t{random()} << 32U, random()};
    for (std::size_t i = 0; i < wanted_rows; ++i) {
      rows.push_back({.ids_end = 60,
                      .repetition_penalty = 1.3F,
                      .recent = std::span(ids).first(1 + i),
                      .best = std::span(best).subspan(i * 5, 1 + random() % 5)});
      if (random() % 2U == 0) rows.back().mask = mask;
    }
  }
};

/// A step of items that want candidates, logits or nothing, against sorting the logits of the same
/// step.
CheckOutcome candidates_of_mixed_rows(bool with_graphs) {
  Pair pair({.type = DType::q4_0, .layers = 2, .seed = 60}, {.with_graphs = with_graphs});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  std::mt19937 random(60);
  // Rows of each item, and rows that it wants to know about: few rows, then many.
  using Shape = std::vector<std::pair<std::size_t, std::size_t>>;
  for (const Shape& shape : {Shape{{1, 1}}, {{1, 1}, {4, 4}, {1, 0}, {1, 1}}, {{30, 30}, {9, 1}}}) {
    for (int time = 0; time < 2; ++time) {
      std::vector<MixedItem> items;
      items.reserve(shape.size());
      for (const auto& [tokens, wanted] : shape) items.emplace_back(pair, tokens, wanted, random);
      if (items.size() > 2) items.back().takes_logits = true;
      std::vector<StepItem> first;
      std::vector<StepItem> second;
      for (MixedItem& item : items) {
        first.push_back({.cache = &item.with_logits, .ids = item.ids, .logits = item.logits});
        second.push_back({.cache = &item.with_candidates, .ids = item.ids});
        if (!item.takes_logits) second.back().candidates = item.rows;
      }
      std::vector<float> again(kVocabulary, std::numeric_limits<float>::quiet_NaN());
      if (items.back().takes_logits) second.back().logits = again;
      for (const auto& step : {first, second}) {
        const Status status = pair.device->step(step);
        if (!status) return {.failure = status.error().message};
      }
      if (items.back().takes_logits && again != items.back().logits) {
        return same_bits(false, "logits beside candidates are others");
      }
      for (const MixedItem& item : items) {
        for (std::size_t i = 0; !item.takes_logits && i < item.rows.size(); ++i) {
          std::vector<engine::Candidate> best(item.rows[i].best.size());
          engine::CandidateRow expected = item.rows[i];
          expected.best = best;
          find_by_sorting(std::span(item.logits).subspan(i * kVocabulary, kVocabulary), expected);
          const bool is_same =
              expected.found == item.rows[i].found &&
              std::equal(best.begin(), best.begin() + expected.found, item.rows[i].best.begin());
          if (!is_same) return same_bits(false, "candidates are not those of the logits");
        }
      }
    }
  }
  return {};
}

CheckOutcome candidates_of_steps() {
  return worse(candidates_of_mixed_rows(true), candidates_of_mixed_rows(false));
}

CheckOutcome cuts_of_a_deterministic_backend() {
  Pair pair({.type = DType::q8_0, .layers = 3, .seed = 56}, {.is_deterministic = true});
  std::string failure = pair.failure;
  if (!failure.empty()) return {.failure = failure};
  std::mt19937 random(56);
  const auto ids = random_ids(50, random);
  const auto expected = run(*pair.device, pair.model, ids, 50, KvType::bf16, failure);
  for (const std::size_t chunk : {7UL, 33UL}) {
    const auto found = run(*pair.device, pair.model, ids, chunk, KvType::bf16, failure);
    if (!failure.empty()) return {.failure = failure};
    if (found != expected) return same_bits(false, "bits depend on how a text is cut");
  }
  return {};
}

CheckOutcome embedder() {
  Pair pair({.type = DType::bf16, .layers = 3, .is_embedder = true, .seed = 57});
  if (!pair.failure.empty()) return {.failure = pair.failure};
  std::mt19937 random(57);
  CheckOutcome out;
  for (const std::size_t count : {1UL, 40UL, 120UL}) {
    const auto ids = random_ids(count, random);
    const auto expected = pair.cpu->embed(ids);
    const auto found = pair.device->embed(ids);
    if (!found) return {.failure = found.error().message};
    out = worse(out, within(distance(*found, *expected), 0.03, "vector"));
  }
  return out;
}

#ifndef FACET_CUDA_ON_CPU
/// Matrices as wide as those of the 1B and the 12B model, few layers.
CheckOutcome wide_models() {
  CheckOutcome out;
  for (const DType type : {DType::bf16, DType::q8_0, DType::q4_0}) {
    out = worse(out,
                against_cpu({.type = type,
                             .layers = 3,
                             .window = 64,
                             .seed = 58,
                             .heads = 4,
                             .kv_heads = 1,
                             .head_dim = 256,
                             .hidden = 1152,
                             .ffn = 6912},
                            200,
                            0.03));
    out = worse(out,
                against_cpu({.type = type,
                             .layers = 3,
                             .window = 64,
                             .seed = 59,
                             .heads = 16,
                             .kv_heads = 8,
                             .head_dim = 256,
                             .hidden = 3840,
                             .ffn = 15360},
                            140,
                            0.03));
  }
  return out;
}
#endif

}  // namespace

std::vector<KernelCheck> backend_checks() {
  return {
      {"backend: forward pass against the CPU engine", small_models},
      {"backend: forward pass of shrunken 1B and 27B", shaped_models},
      {"backend: prompts by wgmma, where it is there", wgmma_models},
      {"backend: recorded steps against single launches", recorded_against_single},
      {"backend: company and forks against alone", company_and_forks},
      {"backend: candidates against logits, recorded and not", candidates_of_steps},
      {"backend: cuts of a deterministic backend", cuts_of_a_deterministic_backend},
      {"backend: an embedder", embedder},
#ifndef FACET_CUDA_ON_CPU
      {"backend: forward pass at real widths", wide_models},
#endif
  };
}

}  // namespace facet::test
