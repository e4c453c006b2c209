// facet bench: how fast a model reads a prompt and writes tokens, beside what the machine allows.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "agent/cli/workbench.h"
#include "engine/device.h"
#include "engine/engine.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace facet::agent::cli {

using engine::TokenId;
using nlohmann::ordered_json;

namespace {

double median(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2.0;
}

/// Seconds of each repeat, sorted: by the clock, and of all threads' processor time.
struct Times {
  std::vector<double> wall;
  std::vector<double> cpu;
};

/// Processor time of this process so far, in seconds.
double cpu_seconds() {
  std::timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// What the place where the model runs does at most.
struct Ceilings {
  engine::MachineLimits machine;      ///< Of the CPU.
  engine::cuda::DeviceLimits device;  ///< Of a CUDA device; 0: the model runs on the CPU.
  [[nodiscard]] bool is_device() const { return device.copy_gb_per_s > 0.0; }
};

/// One line of the result.
struct Measured {
  std::string name;
  int sequences = 1;      ///< That run at the same time.
  double tokens = 0.0;    ///< Of one repeat.
  Times times;            ///< Of each repeat.
  engine::PassCost cost;  ///< Of one repeat.

  [[nodiscard]] double rate(double of_seconds) const { return tokens / of_seconds; }
  [[nodiscard]] double bytes() const { return cost.weight_bytes + cost.kv_bytes; }
};

/// New ids each time: nothing computed before can be used again.
class RandomIds {
 public:
  explicit RandomIds(int vocabulary) : vocabulary_(static_cast<std::uint32_t>(vocabulary)) {}
  std::vector<TokenId> next(std::int64_t count) {
    std::vector<TokenId> out(static_cast<std::size_t>(count));
    for (TokenId& id : out) id = static_cast<TokenId>(random_() % vocabulary_);
    return out;
  }

 private:
  std::mt19937 random_{1};
  std::uint32_t vocabulary_;
};

/// Runs `body` once unmeasured and then `repeats` times, each with `count` sequences of `depth`
/// tokens.
template <class Body>
Status measure(const engine::Engine& engine,
               const BenchOptions& options,
               int count,
               RandomIds& ids,
               const std::stop_token& stop,
               Times& times,
               const Body& body) {
  engine::Sequence base = engine.new_sequence();
  if (options.depth > 0) FACET_TRY_STATUS(base.append(ids.next(options.depth), stop));
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    std::vector<engine::Sequence> sequences;
    sequences.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) sequences.push_back(base.fork());
    const double cpu_begin = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    FACET_TRY_STATUS(body(sequences));
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (repeat == 0) continue;
    times.wall.push_back(spent.count());
    times.cpu.push_back(cpu_seconds() - cpu_begin);
  }
  std::sort(times.wall.begin(), times.wall.end());
  std::sort(times.cpu.begin(), times.cpu.end());
  return ok();
}

Result<Measured> measure_prompt(const engine::Engine& engine,
                                const BenchOptions& options,
                                RandomIds& ids,
                                const std::stop_token& stop) {
  Measured out{.name = "pp" + std::to_string(options.prompt_tokens),
               .tokens = static_cast<double>(options.prompt_tokens)};
  out.cost = engine.append_cost(options.depth, options.prompt_tokens);
  FACET_TRY_STATUS(
      measure(engine, options, 1, ids, stop, out.times, [&](std::span<engine::Sequence> one) {
        return one.front().append(ids.next(options.prompt_tokens), stop);
      }));
  return out;
}

/// A greedy generation of `tokens` tokens in each sequence, in a thread of its own: `ids` are the
/// first ones.
Status decode_together(std::span<engine::Sequence> sequences,
                       const std::vector<TokenId>& ids,
                       std::int64_t tokens,
                       const std::stop_token& stop) {
  std::vector<Status> results(sequences.size());
  const auto decode = [&](std::size_t i) {
    TokenId id = ids[i];
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto next = sequences[i].append_greedily(id, stop);
      if (!next) {
        results[i] = next.error();
        return;
      }
      id = *next;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < sequences.size(); ++i) threads.emplace_back(decode, i);
    decode(0);
  }
  for (const Status& result : results) FACET_TRY_STATUS(result);
  return ok();
}

Result<Measured> measure_decode(const engine::Engine& engine,
                                const BenchOptions& options,
                                RandomIds& ids,
                                const std::stop_token& stop) {
  const int count = options.sequences;
  const std::string suffix = count == 1 ? "" : "x" + std::to_string(count);
  Measured out{.name = "tg" + std::to_string(options.decode_tokens) + suffix,
               .sequences = count,
               .tokens = static_cast<double>(options.decode_tokens * count)};
  for (std::int64_t t = 0; t < options.decode_tokens; ++t) {
    const engine::PassCost one = engine.append_cost(options.depth + t, 1);
    out.cost.weight_bytes += one.weight_bytes;  // Read once for all of them.
    out.cost.kv_bytes += one.kv_bytes * count;
    out.cost.flops += one.flops * count;
  }
  FACET_TRY_STATUS(
      measure(engine, options, count, ids, stop, out.times, [&](std::span<engine::Sequence> all) {
        return decode_together(all, ids.next(count), options.decode_tokens, stop);
      }));
  return out;
}

ordered_json rates(const Measured& test, const std::vector<double>& seconds) {
  return {{"min", test.rate(seconds.back())},
          {"median", test.rate(median(seconds))},
          {"max", test.rate(seconds.front())}};
}

ordered_json to_json(const Ceilings& ceilings) {
  if (ceilings.is_device()) return {{"copy_gb_per_s", ceilings.device.copy_gb_per_s}};
  return {{"read_gb_per_s", ceilings.machine.read_gb_per_s},
          {"gop_per_s", ceilings.machine.arithmetic_gop_per_s},
          {"instructions", ceilings.machine.arithmetic}};
}

ordered_json to_json(const Measured& test,
                     const BenchOptions& options,
                     const engine::Engine& engine,
                     const Ceilings& ceilings) {
  const double seconds = median(test.times.wall);
  return {{"test", test.name},
          {"depth", options.depth},
          {"sequences", test.sequences},
          {"tok_per_s", rates(test, test.times.wall)},
          {"tok_per_cpu_s", rates(test, test.times.cpu)},
          {"repeats", options.repeats},
          {"bytes_per_token", test.bytes() / test.tokens},
          {"gb_per_s", test.bytes() / seconds * 1e-9},
          {"gflop_per_s", test.cost.flops / seconds * 1e-9},
          {"limits", to_json(ceilings)},
          {"model", engine.info().name},
          {"weights", engine.info().weight_types},
          {"weights_note", engine.info().weights_note},
          {"threads", engine.threads()},
          {"device", engine.info().device},
          {"cpu_path", engine.info().cpu_path}};
}

/// "D of L unit", or "D unit" where no limit was measured.
std::string beside(double done, double limit, const char* unit, int digits) {
  const auto in_text = [digits](double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return std::string(text);
  };
  const std::string of_limit = limit > 0.0 ? " of " + in_text(limit) : "";
  return in_text(done) + of_limit + " " + unit;
}

void print(const Measured& test,
           const BenchOptions& options,
           const Ceilings& ceilings,
           Console& console) {
  const double seconds = median(test.times.wall);
  char line[128];
  std::snprintf(line,
                sizeof line,
                "%-8s depth %-6lld %10.1f tok/s (%.1f to %.1f)  ",
                test.name.c_str(),
                static_cast<long long>(options.depth),
                test.rate(seconds),
                test.rate(test.times.wall.back()),
                test.rate(test.times.wall.front()));
  const bool is_device = ceilings.is_device();
  const double gb = is_device ? ceilings.device.copy_gb_per_s : ceilings.machine.read_gb_per_s;
  const double gflop = is_device ? 0.0 : ceilings.machine.arithmetic_gop_per_s;
  const std::string instructions =
      is_device ? "" : std::string(" (") + ceilings.machine.arithmetic + ")";
  console.out_line(line + beside(test.bytes() / seconds * 1e-9, gb, "GB/s", 1) + "  " +
                   beside(test.cost.flops / seconds * 1e-9, gflop, "GFLOP/s", 0) + instructions);
}

/// What the device that the options ask for does at most, measured before a model takes its memory;
/// zeros for the CPU.
Result<engine::cuda::DeviceLimits> device_limits(const ModelOptions& options) {
  FACET_TRY(const auto choice, engine::parse_device(device_name(options.device)));
  const engine::cuda::CudaSupport* const cuda = cuda_of_build();
  if (!choice.is_cuda || cuda == nullptr) return engine::cuda::DeviceLimits{};
  auto limits = cuda->measure_limits(choice.index);
  // auto: whether the device can be had is said by whoever loads the model.
  if (!limits && choice.falls_back) return engine::cuda::DeviceLimits{};
  return limits;
}

/// limit_exceeded, before anything is measured, for tests that are longer than the context.
Status check_context(const engine::Engine& engine, const BenchOptions& options) {
  const std::int64_t context = engine.info().context_tokens_max;
  const std::int64_t more = std::max(options.prompt_tokens, options.decode_tokens);
  if (options.depth + more <= context) return ok();
  return Error{Code::limit_exceeded,
               "a depth of " + std::to_string(options.depth) + " and " + std::to_string(more) +
                   " tokens more do not fit the context of " + std::to_string(context)};
}

Result<std::vector<Measured>> measure_all(const engine::Engine& engine,
                                          const BenchOptions& options,
                                          const std::stop_token& stop) {
  std::vector<Measured> out;
  RandomIds ids(engine.info().vocabulary);
  if (options.prompt_tokens > 0) {
    FACET_TRY(Measured test, measure_prompt(engine, options, ids, stop));
    out.push_back(std::move(test));
  }
  if (options.decode_tokens > 0) {
    FACET_TRY(Measured test, measure_decode(engine, options, ids, stop));
    out.push_back(std::move(test));
  }
  return out;
}

}  // namespace

int run_bench(const BenchOptions& options, Environment environment) {
  Console& console = environment.console;
  if (options.prompt_tokens == 0 && options.decode_tokens == 0) {
    const Error error{Code::invalid_argument, "-p 0 and -n 0 leave nothing to measure"};
    return console.fail(error, options.json, exit_usage);
  }
  const ModelOptions& model = options.model;
  if (const auto device = check_device(model.device); !device) {
    return console.fail(device.error(), options.json);
  }
  const auto path = find_model(model.model, ModelKind::generator);
  if (!path) return console.fail(path.error(), options.json, exit_unavailable);
  const auto device = device_limits(model);
  if (!device) return console.fail(device.error(), options.json, exit_unavailable);
  const auto engine = load_engine(model, *path, console, false);
  if (!engine) {
    const bool is_misuse = engine.error().code == Code::invalid_argument;
    return console.fail(engine.error(), options.json, is_misuse ? exit_usage : exit_unavailable);
  }
  if ((*engine)->info().is_embedder) {
    const Error error{Code::invalid_argument,
                      "model '" + (*engine)->info().name + "' is an embedder: it writes no tokens"};
    return console.fail(error, options.json);
  }
  if (const auto fits = check_context(**engine, options); !fits) {
    return console.fail(fits.error(), options.json);
  }
  Ceilings ceilings;
  if ((*engine)->info().device == "cpu") {
    ceilings.machine = (*engine)->machine_limits();
  } else {
    ceilings.device = *device;
    if (!options.json) console.out_line((*engine)->info().device);
  }
  const auto tests = measure_all(**engine, options, environment.stop);
  if (!tests) return console.fail(tests.error(), options.json);
  if (options.json) {
    ordered_json list = ordered_json::array();
    for (const Measured& test : *tests) list.push_back(to_json(test, options, **engine, ceilings));
    console.out_json(list);
  } else {
    for (const Measured& test : *tests) print(test, options, ceilings, console);
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
