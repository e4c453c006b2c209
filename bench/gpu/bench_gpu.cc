// facet_bench_gpu: decode, prefill, the next turn of an agent and many streams of one shape on
// cuda:0, as one JSON object a line; arguments.h says how. Times are by the clock around whole
// steps, with what a sampler of the default options needs on the host: what a caller waits for.
#include "bench/gpu/arguments.h"
#include "bench/gpu/shapes.h"
#include "bench/gpu/work.h"
#include "engine/cuda/backend.h"
#include "engine/cuda/blas.h"
#include "engine/sampling/sampler.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using facet::Result;
using facet::Status;
using facet::bench::Arguments;
using facet::engine::Candidate;
using facet::engine::CandidateRow;
using facet::engine::KvCache;
using facet::engine::Sampler;
using facet::engine::StepItem;
using facet::engine::TokenId;
using facet::engine::cuda::CudaBackend;

constexpr std::int64_t kChunk = 2048;
constexpr int kDecodeWarmUps = 4;
constexpr int kDecodeTokens = 64;
constexpr std::int64_t kRepeatedTokensMax = 8192;  ///< Of prompts that are measured several times.
constexpr std::int64_t kTurnContextMax = 40000;
constexpr int kRounds = 3;
constexpr int kStreamSteps = 16;
constexpr int kStreamMeasurements = 4;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Setup {
  facet::bench::RandomModel model;
  std::unique_ptr<CudaBackend> backend;
  Arguments arguments;
  std::string products;              ///< Who multiplies prompts: "library", ...
  std::int64_t turn_tokens = 200;    ///< That an agent's next turn brings.
  std::int64_t stream_tokens = 512;  ///< Of the prompt of each of many streams,
  std::int64_t stream_out = 512;     ///< and of its answer.
  std::vector<float> logits;

  [[nodiscard]] KvCache cache() const {
    return KvCache(model.config.layers, arguments.kv, backend->page_memory());
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
  ~Decoding() = default;

  /// Its next step; `goes_on`: one more comes behind it. Points into the object.
  StepItem item(bool goes_on) {
    StepItem out{.cache = &cache_, .ids = std::span(&id_, 1), .candidates = std::span(&row_, 1)};
    if (goes_on) out.next = sampler_.next_choice();
    return out;
  }
  /// Lets go of a step that was begun: the next one is with other sequences.
  void let_go() { cache_.truncate(cache_.size()); }
  [[nodiscard]] KvCache& cache() { return cache_; }
  /// Takes the first token, behind a prompt.
  Status choose_first(std::span<const float> logits) {
    FACET_TRY(id_, sampler_.sample(logits, {}));
    return facet::ok();
  }
  /// Takes what the step brought.
  void choose() { id_ = sampler_.sample_from(row_).value_or(0); }

 private:
  KvCache& cache_;
  Sampler sampler_{facet::engine::SamplingOptions{}};
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

/// `values`: more fields of the object.
void print(const Setup& setup, const char* test, std::int64_t context, const std::string& values) {
  const Arguments& of = setup.arguments;
  std::cout << R"({"shape": ")" << of.shape << R"(", "weights": ")" << of.type << R"(", "head": ")"
            << of.head << R"(", "kv": ")" << facet::engine::kv_type_name(of.kv)
            << R"(", "products": ")" << setup.products << R"(", "test": ")" << test
            << R"(", "context": )" << context << values << "}" << std::endl;
}

std::string field(std::string_view name, double value) {
  return ", \"" + std::string(name) + "\": " + std::to_string(value);
}

std::string field(std::string_view name, std::int64_t value) {
  return ", \"" + std::string(name) + "\": " + std::to_string(value);
}

/// How `steps` steps went since `before`: whether each was one launch, and how many of them the
/// device had begun.
std::string how(const Setup& setup,
                const facet::engine::cuda::BackendStats& before,
                std::int64_t steps) {
  const facet::engine::cuda::BackendStats after = setup.backend->stats();
  return std::string(", \"recorded\": ") +
         (after.replayed - before.replayed >= steps ? "true" : "false") +
         field("begun_ahead", after.taken - before.taken);
}

/// Short prompts: the median of several, behind one that is not measured.
Status measure_prefill(Setup& setup, KvCache& cache, std::int64_t context) {
  const bool is_repeated = context <= kRepeatedTokensMax && setup.arguments.shape != "tiny";
  std::vector<double> seconds;
  for (int i = is_repeated ? -1 : 0; i < (is_repeated ? kRounds : 1); ++i) {
    cache.clear();
    const auto begin = std::chrono::steady_clock::now();
    FACET_TRY_STATUS(prefill(setup, cache, context));
    if (i >= 0) seconds.push_back(seconds_since(begin));
  }
  const double each = median(seconds);
  const auto work = facet::bench::prompt_work(setup.model.config, context);
  print(setup,
        "prefill",
        context,
        field("ms", 1e3 * each) + field("tokens_per_s", static_cast<double>(context) / each) +
            field("rounds", std::ssize(seconds)) + field("product_gflop", work.products / 1e9) +
            field("attention_gflop", work.attention / 1e9));
  return facet::ok();
}

/// The next turn of an agent: new tokens behind what is there, until the first token of the answer
/// is chosen. The median of several, behind one that is not measured; `cache` stays as it is.
Status measure_turn(Setup& setup, const KvCache& cache) {
  const auto turn = some_ids(setup, setup.turn_tokens, cache.size());
  std::vector<double> seconds;
  for (int i = -1; i < kRounds; ++i) {
    KvCache fork = cache.fork();
    Decoding text(setup, fork);
    const auto begin = std::chrono::steady_clock::now();
    const StepItem item{.cache = &fork, .ids = turn, .logits = setup.logits};
    FACET_TRY_STATUS(setup.backend->step(std::span(&item, 1)));
    FACET_TRY_STATUS(text.choose_first(setup.logits));
    if (i >= 0) seconds.push_back(seconds_since(begin));
  }
  print(setup,
        "next_turn",
        cache.size(),
        field("tokens", setup.turn_tokens) + field("ms", 1e3 * median(seconds)) +
            field("worst_ms", 1e3 * *std::max_element(seconds.begin(), seconds.end())));
  return facet::ok();
}

Status measure_decode(Setup& setup, KvCache& cache) {
  const std::int64_t context = cache.size();
  Decoding text(setup, cache);
  FACET_TRY_STATUS(decode(setup, text, kDecodeWarmUps));
  const std::int64_t taken = setup.backend->stats().taken;
  const double kv_bytes = facet::bench::kv_bytes_read(
      setup.model.config, setup.arguments.kv, cache.size() + kDecodeTokens / 2);
  const auto begin = std::chrono::steady_clock::now();
  FACET_TRY_STATUS(decode(setup, text, kDecodeTokens));
  const double each = seconds_since(begin) / kDecodeTokens;
  const auto weight_bytes = static_cast<double>(setup.backend->plan().weight_bytes);
  print(setup,
        "decode",
        context,
        field("ms", 1e3 * each) + field("tokens_per_s", 1 / each) +
            field("weight_mb", weight_bytes / 1e6) + field("kv_mb", kv_bytes / 1e6) +
            field("gb_per_s", (weight_bytes + kv_bytes) / each / 1e9) +
            field("begun_ahead", setup.backend->stats().taken - taken));
  return facet::ok();
}

Status measure_context(Setup& setup, std::int64_t context) {
  KvCache cache = setup.cache();
  FACET_TRY_STATUS(measure_prefill(setup, cache, context));
  if (context <= kTurnContextMax) FACET_TRY_STATUS(measure_turn(setup, cache));
  return measure_decode(setup, cache);
}

facet::engine::cuda::PlanOptions plan_options(const Setup& setup) {
  return {.rows_max = kChunk + 32, .kv_type = setup.arguments.kv};
}

/// Bytes of the pages of one of many streams.
std::int64_t stream_bytes(const Setup& setup) {
  return facet::engine::cuda::plan_sequence_bytes(
      setup.model.config,
      plan_options(setup),
      setup.stream_tokens +
          std::max<std::int64_t>(setup.stream_out,
                                 std::int64_t{kStreamMeasurements} * (kStreamSteps + 7)));
}

/// The prompts of all from their beginning, as many in a step as its rows hold, and the first token
/// behind each.
Status prefill_all(Setup& setup, std::deque<Decoding>& texts) {
  const auto vocabulary = static_cast<std::size_t>(setup.model.config.vocabulary);
  const auto together = static_cast<std::size_t>(kChunk / setup.stream_tokens);
  std::vector<float> logits(std::min(together, texts.size()) * vocabulary);
  std::vector<std::vector<TokenId>> ids;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ids.push_back(some_ids(setup, setup.stream_tokens, static_cast<std::int64_t>(131 * i)));
    texts[i].cache().clear();
  }
  for (std::size_t at = 0; at < texts.size(); at += together) {
    const std::size_t count = std::min(together, texts.size() - at);
    std::vector<StepItem> items;
    for (std::size_t i = 0; i < count; ++i) {
      items.push_back({.cache = &texts[at + i].cache(),
                       .ids = ids[at + i],
                       .logits = std::span(logits).subspan(i * vocabulary, vocabulary)});
    }
    FACET_TRY_STATUS(setup.backend->step(items));
    for (std::size_t i = 0; i < count; ++i) {
      FACET_TRY_STATUS(texts[at + i].choose_first(items[i].logits));
    }
  }
  return facet::ok();
}

/// A token for each of the first `count` of `texts`; `goes_on`: one more comes behind it.
Status step_together(Setup& setup, std::deque<Decoding>& texts, std::size_t count, bool goes_on) {
  std::vector<StepItem> items;
  for (std::size_t i = 0; i < count; ++i) items.push_back(texts[i].item(goes_on));
  FACET_TRY_STATUS(setup.backend->step(items));
  for (std::size_t i = 0; i < count; ++i) texts[i].choose();
  return facet::ok();
}

/// A few steps of some of them. Those that are not measured come first: launch by launch, then
/// recorded, each as a step that the host begins and as one that the device begins.
Status measure_together(Setup& setup, std::deque<Decoding>& texts, std::size_t count) {
  for (int i = 0; i < 6; ++i) {
    if (i % 3 == 0) {
      for (Decoding& text : texts) text.let_go();
    }
    FACET_TRY_STATUS(step_together(setup, texts, count, true));
  }
  const facet::engine::cuda::BackendStats before = setup.backend->stats();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kStreamSteps; ++i) {
    FACET_TRY_STATUS(step_together(setup, texts, count, true));
  }
  const double each = seconds_since(begin) / kStreamSteps;
  print(setup,
        "streams",
        setup.stream_tokens,
        field("streams", static_cast<std::int64_t>(count)) + field("ms", 1e3 * each) +
            field("tokens_per_s", static_cast<double>(count) / each) +
            how(setup, before, kStreamSteps));
  return facet::ok();
}

/// All of them from the first token of the prompts to the last of the answers. Where a step that
/// was begun before is left unused, the device begins none in the first step.
Status measure_whole(Setup& setup, std::deque<Decoding>& texts) {
  const auto begin = std::chrono::steady_clock::now();
  FACET_TRY_STATUS(prefill_all(setup, texts));
  const double prompts = seconds_since(begin);
  const facet::engine::cuda::BackendStats before = setup.backend->stats();
  const std::int64_t steps = setup.stream_out - 1;  // The first token came with the prompt.
  std::vector<double> ends;
  for (std::int64_t i = 0; i < steps; ++i) {
    FACET_TRY_STATUS(step_together(setup, texts, texts.size(), i + 1 < steps));
    ends.push_back(seconds_since(begin));
  }
  const std::int64_t some = std::min<std::int64_t>(kStreamSteps, steps);
  const double tail = steps > some ? ends.at(static_cast<std::size_t>(steps - some - 1)) : prompts;
  const auto count = static_cast<double>(texts.size());
  print(setup,
        "streams_whole",
        setup.stream_tokens,
        field("streams", std::ssize(texts)) + field("out", setup.stream_out) +
            field("ms", 1e3 * ends.back()) +
            field("tokens_per_s", count * static_cast<double>(setup.stream_out) / ends.back()) +
            field("prompts_ms", 1e3 * prompts) +
            field("step_ms", 1e3 * (ends.back() - prompts) / static_cast<double>(steps)) +
            field("first_steps_ms",
                  1e3 * (ends.at(static_cast<std::size_t>(some - 1)) - prompts) /
                      static_cast<double>(some)) +
            field("last_steps_ms", 1e3 * (ends.back() - tail) / static_cast<double>(some)) +
            how(setup, before, steps));
  return facet::ok();
}

/// Many sequences of one short prompt each, decoded together: a few of them, more, all; and a whole
/// run of all.
Status measure_streams(Setup& setup) {
  const std::int64_t fitting = setup.backend->free_page_bytes() / stream_bytes(setup);
  const std::int64_t streams = std::min(setup.arguments.streams, fitting);
  if (streams < 1) {
    return facet::Error{facet::Code::unavailable, "too little memory for the pages of a stream"};
  }
  std::vector<KvCache> caches;
  for (std::int64_t i = 0; i < streams; ++i) caches.push_back(setup.cache());
  std::deque<Decoding> texts;  // Rows point into their own.
  for (KvCache& cache : caches) texts.emplace_back(setup, cache);
  FACET_TRY_STATUS(prefill_all(setup, texts));
  for (const std::size_t some : {16UL, 32UL, 64UL}) {
    if (some >= texts.size()) break;
    FACET_TRY_STATUS(measure_together(setup, texts, some));
  }
  FACET_TRY_STATUS(measure_together(setup, texts, texts.size()));
  return measure_whole(setup, texts);
}

/// Of matrices of `config`: that their rows are whole blocks of both types.
Status check_rows(const facet::engine::ModelConfig& config,
                  facet::engine::DType type,
                  facet::engine::DType head) {
  const facet::engine::LayerSpec& layer = config.layers.front();
  bool fits = facet::engine::dtype_row_bytes(head, config.hidden).has_value();
  for (const int columns : {config.hidden, layer.heads * layer.head_dim, layer.ffn}) {
    fits = fits && facet::engine::dtype_row_bytes(type, columns).has_value();
  }
  return fits ? facet::ok()
              : facet::Error{facet::Code::invalid_argument,
                             "rows of " + config.name + " are not whole blocks of that type"};
}

Result<Setup> make_setup(const Arguments& arguments) {
  const auto config = facet::bench::shape_of(arguments.shape);
  const bool is_fp8 = arguments.type == "FP8";
  const auto type = facet::engine::dtype_from_name(is_fp8 ? "BF16" : arguments.type);
  const auto head =
      arguments.head == arguments.type ? type : facet::engine::dtype_from_name(arguments.head);
  if (!config || !type || !head) {
    return facet::Error{facet::Code::invalid_argument,
                        "unknown shape '" + arguments.shape + "' or type '" + arguments.type +
                            "', '" + arguments.head + "'"};
  }
  FACET_TRY_STATUS(check_rows(*config, *type, *head));
  const char* const named = std::getenv("FACET_CUDA_PRODUCTS");
  const std::string products = named != nullptr ? named : "library";
  const auto units = facet::engine::cuda::prompt_units_from_name(products);
  if (!units) {
    return facet::Error{facet::Code::invalid_argument, "FACET_CUDA_PRODUCTS is '" + products + "'"};
  }
  Setup out{.model = facet::bench::random_model(*config, *type, *head),
            .arguments = arguments,
            .products = products};
  if (arguments.shape == "tiny") {
    out.turn_tokens = 8;
    out.stream_tokens = 16;
    out.stream_out = 8;
  }
  out.logits.resize(static_cast<std::size_t>(config->vocabulary));
  facet::engine::cuda::PlanOptions plan = plan_options(out);
  for (const std::int64_t context : arguments.contexts) {
    plan.context_tokens_max = std::max(plan.context_tokens_max, context);
  }
  plan.context_tokens_max += kChunk;
  plan.prefix_bytes_max = arguments.streams * stream_bytes(out);
  plan.weights =
      is_fp8 ? facet::engine::cuda::WeightForm::fp8 : facet::engine::cuda::WeightForm::stored;
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  facet::engine::ThreadPool pool(std::clamp(cores, 1, 64));
  const auto begin = std::chrono::steady_clock::now();
  FACET_TRY(out.backend,
            CudaBackend::create(
                out.model.config,
                out.model.weights,
                {.plan = plan, .prompt_units = *units, .made_rows = facet::bench::kMadeRows},
                pool));
  print(out,
        "load",
        0,
        field("s", seconds_since(begin)) +
            ", \"cublaslt\": " + (facet::engine::cuda::has_blas() ? "true" : "false"));
  return out;
}

Status measure(const Arguments& arguments) {
  FACET_TRY(Setup setup, make_setup(arguments));
  if (!arguments.contexts.empty()) {
    // Launches of every kind once, so that what is measured is warm.
    KvCache cache = setup.cache();
    const std::int64_t longest =
        *std::max_element(arguments.contexts.begin(), arguments.contexts.end());
    FACET_TRY_STATUS(prefill(setup, cache, std::min(longest, kChunk)));
    Decoding text(setup, cache);
    FACET_TRY_STATUS(decode(setup, text, 3));
  }
  for (const std::int64_t context : arguments.contexts) {
    FACET_TRY_STATUS(measure_context(setup, context));
  }
  return arguments.streams > 0 ? measure_streams(setup) : facet::ok();
}

int run(std::span<char* const> words) {
  if (words.size() == 1 && words[0] == std::string_view("--help")) {
    std::cout << facet::bench::kUsage;
    return 0;
  }
  const auto arguments = facet::bench::parse(words);
  if (!arguments) {
    std::cerr << facet::bench::kUsage;
    return 2;
  }
  const Status status = measure(*arguments);
  if (status) return 0;
  std::cerr << status.error().message << '\n';
  return status.error().code == facet::Code::unavailable ? 5 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(std::span(arguments, static_cast<std::size_t>(count)).subspan(1));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
