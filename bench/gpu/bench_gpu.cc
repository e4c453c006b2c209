// facet_bench_gpu SHAPE TYPE [CONTEXT...]: decode, prefill, the next turn of an agent and many
// streams of one shape on cuda:0, as one JSON object a line. Times are by the clock around whole
// steps, with what a sampler of the default options needs on the host: what a caller waits for.
// FACET_CUDA_PRODUCTS (library, wgmma, mma) says who multiplies prompts.
#include "bench/gpu/shapes.h"
#include "engine/cuda/backend.h"
#include "engine/cuda/blas.h"
#include "engine/sampling/sampler.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <string>
#include <thread>

namespace {

using facet::Result;
using facet::Status;
using facet::engine::Candidate;
using facet::engine::CandidateRow;
using facet::engine::KvCache;
using facet::engine::StepItem;
using facet::engine::TokenId;
using facet::engine::cuda::CudaBackend;

constexpr std::int64_t kChunk = 2048;
constexpr int kDecodeTokens = 64;
constexpr int kStreams = 100;
constexpr int kStreamTokens = 512;
constexpr int kStreamSteps = 16;
constexpr int kStreamMeasurements = 4;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Setup {
  facet::bench::RandomModel model;
  std::unique_ptr<CudaBackend> backend;
  std::string name;      ///< "12b", ...
  std::string type;      ///< "BF16", ...
  std::string products;  ///< Who multiplies prompts: "library", ...
  std::vector<float> logits;

  [[nodiscard]] KvCache cache() const {
    return KvCache(model.config.layers, facet::engine::KvType::bf16, backend->page_memory());
  }
};

std::vector<TokenId> some_ids(const Setup& setup, std::int64_t count, std::int64_t from) {
  std::vector<TokenId> out;
  for (std::int64_t i = 0; i < count; ++i) {
    out.push_back(static_cast<TokenId>((from + i) * 7919 % setup.model.config.vocabulary));
  }
  return out;
}

/// Appends `tokens` in chunks; the last one with logits.
Status prefill(Setup& setup, KvCache& cache, std::int64_t tokens) {
  for (std::int64_t at = 0; at < tokens; at += kChunk) {
    const auto ids = some_ids(setup, std::min(kChunk, tokens - at), at);
    const bool is_last = at + kChunk >= tokens;
    const StepItem item{.cache = &cache,
                        .ids = ids,
                        .logits = is_last ? std::span<float>(setup.logits) : std::span<float>()};
    FACET_TRY_STATUS(setup.backend->step(std::span(&item, 1)));
  }
  return facet::ok();
}

/// What one row of a decoding sequence asks for: the candidates of the default sampling options.
struct Choice {
  std::vector<Candidate> best;
  CandidateRow row;

  explicit Choice(const Setup& setup)
      : best(static_cast<std::size_t>(facet::engine::SamplingOptions{}.top_k)),
        row{.ids_end = setup.model.config.vocabulary, .best = best} {}
};

Status decode(Setup& setup, KvCache& cache, int tokens) {
  Choice choice(setup);
  for (int i = 0; i < tokens; ++i) {
    const TokenId id = i % 100;
    const StepItem item{
        .cache = &cache, .ids = std::span(&id, 1), .candidates = std::span(&choice.row, 1)};
    FACET_TRY_STATUS(setup.backend->step(std::span(&item, 1)));
  }
  return facet::ok();
}

void print(const Setup& setup, const char* test, std::int64_t context, const std::string& values) {
  std::cout << "{\"shape\": \"" << setup.name << "\", \"weights\": \"" << setup.type
            << "\", \"products\": \"" << setup.products << "\", \"test\": \"" << test
            << "\", \"context\": " << context << ", " << values << "}" << std::endl;
}

Status measure_context(Setup& setup, std::int64_t context) {
  KvCache cache = setup.cache();
  auto begin = std::chrono::steady_clock::now();
  FACET_TRY_STATUS(prefill(setup, cache, context));
  const double prompt = seconds_since(begin);
  print(setup,
        "prefill",
        context,
        "\"ms\": " + std::to_string(1e3 * prompt) +
            ", \"tokens_per_s\": " + std::to_string(static_cast<double>(context) / prompt));
  FACET_TRY_STATUS(decode(setup, cache, 4));
  begin = std::chrono::steady_clock::now();
  FACET_TRY_STATUS(decode(setup, cache, kDecodeTokens));
  const double each = seconds_since(begin) / kDecodeTokens;
  const auto& plan = setup.backend->plan();
  print(setup,
        "decode",
        context,
        "\"ms\": " + std::to_string(1e3 * each) +
            ", \"tokens_per_s\": " + std::to_string(1 / each) + ", \"weight_gb_per_s\": " +
            std::to_string(static_cast<double>(plan.weight_bytes) / each / 1e9));
  if (context < 16384 || context > 40000) return facet::ok();
  // The next turn of an agent: 200 new tokens behind what is there.
  const auto turn = some_ids(setup, 200, context);
  begin = std::chrono::steady_clock::now();
  const StepItem item{.cache = &cache, .ids = turn, .logits = setup.logits};
  FACET_TRY_STATUS(setup.backend->step(std::span(&item, 1)));
  print(setup, "next_turn_200", context, "\"ms\": " + std::to_string(1e3 * seconds_since(begin)));
  return facet::ok();
}

/// Bytes of the pages of one of many streams.
std::int64_t stream_bytes(const facet::engine::ModelConfig& config) {
  return facet::engine::cuda::plan_sequence_bytes(
      config, {.rows_max = kChunk + 32}, kStreamTokens + kStreamMeasurements * (kStreamSteps + 2));
}

/// A token for each of `items`, again and again. Two steps before that are not measured: one launch
/// by launch, one that is recorded.
Status measure_together(Setup& setup, std::span<const StepItem> items) {
  for (int i = 0; i < 2; ++i) FACET_TRY_STATUS(setup.backend->step(items));
  const std::int64_t replayed = setup.backend->stats().replayed;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kStreamSteps; ++i) FACET_TRY_STATUS(setup.backend->step(items));
  const double each = seconds_since(begin) / kStreamSteps;
  const bool is_recorded = setup.backend->stats().replayed - replayed == kStreamSteps;
  print(setup,
        "streams",
        std::ssize(items),
        "\"ms\": " + std::to_string(1e3 * each) +
            ", \"tokens_per_s\": " + std::to_string(static_cast<double>(items.size()) / each) +
            ", \"recorded\": " + (is_recorded ? "true" : "false"));
  return facet::ok();
}

/// Many sequences of one short prompt each, decoded together: a few of them, more, and all.
Status measure_streams(Setup& setup, int streams) {
  std::vector<KvCache> caches;
  for (int i = 0; i < streams; ++i) {
    caches.push_back(setup.cache());
    FACET_TRY_STATUS(prefill(setup, caches.back(), kStreamTokens));
  }
  std::deque<Choice> choices;  // Rows point into their own.
  const TokenId id = 5;
  std::vector<StepItem> items;
  for (KvCache& cache : caches) {
    CandidateRow& row = choices.emplace_back(setup).row;
    items.push_back({.cache = &cache, .ids = std::span(&id, 1), .candidates = std::span(&row, 1)});
  }
  for (const std::size_t some : {16UL, 32UL, 64UL}) {
    if (some >= items.size()) break;
    FACET_TRY_STATUS(measure_together(setup, std::span(items).first(some)));
  }
  return measure_together(setup, items);
}

Result<Setup> make_setup(const std::string& shape,
                         const std::string& type_name,
                         std::int64_t context) {
  const auto config = facet::bench::shape_of(shape);
  const auto type = facet::engine::dtype_from_name(type_name == "FP8" ? "BF16" : type_name);
  if (!config || !type) {
    return facet::Error{facet::Code::invalid_argument,
                        "unknown shape '" + shape + "' or type '" + type_name + "'"};
  }
  Setup out{.model = facet::bench::random_model(*config, *type),
            .name = shape,
            .type = type_name,
            .products = named ? named : "library"};
  out.logits.resize(static_cast<std::size_t>(config->vocabulary));
  const char* named = std::getenv("FACET_CUDA_PRODUCTS");
  const auto units = facet::engine::cuda::prompt_units_from_name(named ? named : "library");
  if (!units) {
    return facet::Error{facet::Code::invalid_argument,
                        "FACET_CUDA_PRODUCTS is '" + std::string(named) + "'"};
  }
  const auto form = type_name == "FP8" ? facet::engine::cuda::WeightForm::fp8
                                       : facet::engine::cuda::WeightForm::stored;
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  facet::engine::ThreadPool pool(std::clamp(cores, 1, 64));
  const auto begin = std::chrono::steady_clock::now();
  FACET_TRY(out.backend,
            CudaBackend::create(out.model.config,
                                out.model.weights,
                                {.plan = {.context_tokens_max = context + kChunk,
                                          .rows_max = kChunk + 32,
                                          .prefix_bytes_max = kStreams * stream_bytes(*config),
                                          .weights = form},
                                 .prompt_units = *units,
                                 .made_rows = facet::bench::kMadeRows},
                                pool));
  print(out,
        "load",
        0,
        "\"s\": " + std::to_string(seconds_since(begin)) +
            ", \"cublaslt\": " + (facet::engine::cuda::has_blas() ? "true" : "false"));
  return out;
}

Status measure(const std::string& shape,
               const std::string& type,
               std::vector<std::int64_t> contexts) {
  const std::int64_t longest = *std::max_element(contexts.begin(), contexts.end());
  FACET_TRY(Setup setup, make_setup(shape, type, longest));
  // Launches of every kind once, so that what is measured is warm.
  KvCache cache = setup.cache();
  FACET_TRY_STATUS(prefill(setup, cache, std::min<std::int64_t>(longest, kChunk)));
  FACET_TRY_STATUS(decode(setup, cache, 2));
  cache.clear();
  for (const std::int64_t context : contexts) FACET_TRY_STATUS(measure_context(setup, context));
  const auto fitting = setup.backend->free_page_bytes() / stream_bytes(setup.model.config);
  return fitting < 2
             ? facet::ok()
             : measure_streams(setup, static_cast<int>(std::min<std::int64_t>(kStreams, fitting)));
}

int run(int count, char** arguments) {
  if (count < 3) {
    std::cerr << "facet_bench_gpu SHAPE TYPE [CONTEXT...]\n";
    return 2;
  }
  std::vector<std::int64_t> contexts;
  for (int i = 3; i < count; ++i) {
    const std::string_view text = arguments[i];
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1) {
      std::cerr << "not a context: " << text << '\n';
      return 2;
    }
    contexts.push_back(value);
  }
  if (contexts.empty()) contexts = {1024, 8192, 32768, 131072};
  const Status status = measure(arguments[1], arguments[2], contexts);
  if (status) return 0;
  std::cerr << status.error().message << '\n';
  return status.error().code == facet::Code::unavailable ? 5 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count, arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
