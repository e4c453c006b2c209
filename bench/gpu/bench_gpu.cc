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
  int streams = 100;     ///< That are decoded together, each behind
  std::int64_t stream_tokens = 512;
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

/// A sequence that is decoded with the default sampling options, as Engine::generate does it.
class Decoding {
 public:
  Decoding(const Setup& setup, KvCache& cache)
      : cache_(cache),
        best_(static_cast<std::size_t>(sampler_.candidates_wanted())),
        row_{.ids_end = setup.model.config.vocabulary, .best = best_} {}
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;

  /// Its next step; `goes_on`: one more comes behind it. Points into the object.
  StepItem item(bool goes_on) {
    StepItem out{.cache = &cache_, .ids = std::span(&id_, 1), .candidates = std::span(&row_, 1)};
    if (goes_on) out.next = sampler_.next_choice();
    return out;
  }
  /// Lets go of a step that was begun: the next one is with other sequences.
  void let_go() { cache_.truncate(cache_.size()); }
  /// Takes what the step brought.
  void choose() { id_ = sampler_.sample_from(row_).value_or(0); }

 private:
  KvCache& cache_;
  facet::engine::Sampler sampler_{facet::engine::SamplingOptions{}};
  std::vector<Candidate> best_;
  CandidateRow row_;
  TokenId id_ = 5;
};

Status decode(Setup& setup, Decoding& text, int tokens) {
  for (int i = 0; i < tokens; ++i) {
    const StepItem item = text.item(i + 1 < tokens);
    FACET_TRY_STATUS(setup.backend->step(std::span(&item, 1)));
    text.choose();
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
  Decoding text(setup, cache);
  FACET_TRY_STATUS(decode(setup, text, 4));
  const std::int64_t taken = setup.backend->stats().taken;
  begin = std::chrono::steady_clock::now();
  FACET_TRY_STATUS(decode(setup, text, kDecodeTokens));
  const double each = seconds_since(begin) / kDecodeTokens;
  const auto& plan = setup.backend->plan();
  print(setup,
        "decode",
        context,
        "\"ms\": " + std::to_string(1e3 * each) +
            ", \"tokens_per_s\": " + std::to_string(1 / each) + ", \"weight_gb_per_s\": " +
            std::to_string(static_cast<double>(plan.weight_bytes) / each / 1e9) +
            ", \"begun_ahead\": " + std::to_string(setup.backend->stats().taken - taken));
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
std::int64_t stream_bytes(const Setup& setup) {
  return facet::engine::cuda::plan_sequence_bytes(
      setup.model.config,
      {.rows_max = kChunk + 32},
      setup.stream_tokens + kStreamMeasurements * (kStreamSteps + 7));
}

/// A token for each of the first `count` of `texts`, again and again.
Status step_together(Setup& setup, std::deque<Decoding>& texts, std::size_t count) {
  std::vector<StepItem> items;
  for (std::size_t i = 0; i < count; ++i) items.push_back(texts[i].item(true));
  FACET_TRY_STATUS(setup.backend->step(items));
  for (std::size_t i = 0; i < count; ++i) texts[i].choose();
  return facet::ok();
}

/// Steps that are not measured come first: launch by launch, then recorded, each as a step that the
/// host begins and as one that the device begins.
Status measure_together(Setup& setup, std::deque<Decoding>& texts, std::size_t count) {
  for (int i = 0; i < 6; ++i) {
    if (i % 3 == 0) {
      for (Decoding& text : texts) text.let_go();
    }
    FACET_TRY_STATUS(step_together(setup, texts, count));
  }
  const facet::engine::cuda::BackendStats before = setup.backend->stats();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kStreamSteps; ++i) FACET_TRY_STATUS(step_together(setup, texts, count));
  const double each = seconds_since(begin) / kStreamSteps;
  const facet::engine::cuda::BackendStats after = setup.backend->stats();
  const bool is_recorded = after.replayed - before.replayed >= kStreamSteps;
  print(setup,
        "streams",
        static_cast<std::int64_t>(count),
        "\"ms\": " + std::to_string(1e3 * each) +
            ", \"tokens_per_s\": " + std::to_string(static_cast<double>(count) / each) +
            ", \"recorded\": " + (is_recorded ? "true" : "false") +
            ", \"begun_ahead\": " + std::to_string(after.taken - before.taken));
  return facet::ok();
}

/// Many sequences of one short prompt each, decoded together: a few of them, more, and all.
Status measure_streams(Setup& setup, int streams) {
  std::vector<KvCache> caches;
  for (int i = 0; i < streams; ++i) {
    caches.push_back(setup.cache());
    FACET_TRY_STATUS(prefill(setup, caches.back(), setup.stream_tokens));
  }
  std::deque<Decoding> texts;  // Rows point into their own.
  for (KvCache& cache : caches) texts.emplace_back(setup, cache);
  for (const std::size_t some : {16UL, 32UL, 64UL}) {
    if (some >= texts.size()) break;
    FACET_TRY_STATUS(measure_together(setup, texts, some));
  }
  return measure_together(setup, texts, texts.size());
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
  const char* const named = std::getenv("FACET_CUDA_PRODUCTS");
  const std::string products = named != nullptr ? named : "library";
  const auto units = facet::engine::cuda::prompt_units_from_name(products);
  if (!units) {
    return facet::Error{facet::Code::invalid_argument, "FACET_CUDA_PRODUCTS is '" + products + "'"};
  }
  Setup out{.model = facet::bench::random_model(*config, *type),
            .name = shape,
            .type = type_name,
            .products = products};
  if (shape == "tiny") {
    out.streams = 20;
    out.stream_tokens = 16;
  }
  out.logits.resize(static_cast<std::size_t>(config->vocabulary));
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
                                          .prefix_bytes_max = out.streams * stream_bytes(out),
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
  Decoding text(setup, cache);
  FACET_TRY_STATUS(decode(setup, text, 3));
  cache.clear();
  for (const std::int64_t context : contexts) FACET_TRY_STATUS(measure_context(setup, context));
  const auto fitting = setup.backend->free_page_bytes() / stream_bytes(setup);
  return fitting < 2 ? facet::ok()
                     : measure_streams(
                           setup, static_cast<int>(std::min<std::int64_t>(setup.streams, fitting)));
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
