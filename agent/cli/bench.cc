// facet bench: how fast a model reads a prompt and writes tokens, beside what the machine allows.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "engine/engine.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

namespace facet::agent::cli {

using engine::TokenId;
using nlohmann::ordered_json;

namespace {

/// One line of the result.
struct Measured {
  std::string name;
  double tokens = 0.0;          ///< Of one repeat.
  std::vector<double> seconds;  ///< Of each repeat, sorted.
  engine::PassCost cost;        ///< Of one repeat.

  [[nodiscard]] double median_seconds() const {
    const std::size_t half = seconds.size() / 2;
    return seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2.0;
  }
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

/// Runs `body` once unmeasured and then `repeats` times, each behind `depth` tokens.
template <class Body>
Status measure(const engine::Engine& engine,
               const BenchOptions& options,
               RandomIds& ids,
               const std::stop_token& stop,
               std::vector<double>& seconds,
               const Body& body) {
  engine::Sequence base = engine.new_sequence();
  if (options.depth > 0) FACET_TRY_STATUS(base.append(ids.next(options.depth), stop));
  for (int repeat = 0; repeat <= options.repeats; ++repeat) {
    engine::Sequence sequence = base.fork();
    const auto begin = std::chrono::steady_clock::now();
    FACET_TRY_STATUS(body(sequence));
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (repeat > 0) seconds.push_back(spent.count());
  }
  std::sort(seconds.begin(), seconds.end());
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
      measure(engine, options, ids, stop, out.seconds, [&](engine::Sequence& sequence) {
        return sequence.append(ids.next(options.prompt_tokens), stop);
      }));
  return out;
}

Result<Measured> measure_decode(const engine::Engine& engine,
                                const BenchOptions& options,
                                RandomIds& ids,
                                const std::stop_token& stop) {
  Measured out{.name = "tg" + std::to_string(options.decode_tokens),
               .tokens = static_cast<double>(options.decode_tokens)};
  for (std::int64_t t = 0; t < options.decode_tokens; ++t) {
    const engine::PassCost one = engine.append_cost(options.depth + t, 1);
    out.cost.weight_bytes += one.weight_bytes;
    out.cost.kv_bytes += one.kv_bytes;
    out.cost.flops += one.flops;
  }
  FACET_TRY_STATUS(
      measure(engine, options, ids, stop, out.seconds, [&](engine::Sequence& sequence) -> Status {
        for (const TokenId id : ids.next(options.decode_tokens)) {
          FACET_TRY_STATUS(sequence.append(std::span(&id, 1), stop));
        }
        return ok();
      }));
  return out;
}

ordered_json to_json(const Measured& test,
                     const BenchOptions& options,
                     const engine::Engine& engine,
                     const engine::MachineLimits& limits) {
  const double seconds = test.median_seconds();
  return {{"test", test.name},
          {"depth", options.depth},
          {"tok_per_s",
           {{"min", test.rate(test.seconds.back())},
            {"median", test.rate(seconds)},
            {"max", test.rate(test.seconds.front())}}},
          {"repeats", options.repeats},
          {"bytes_per_token", test.bytes() / test.tokens},
          {"gb_per_s", test.bytes() / seconds * 1e-9},
          {"gflop_per_s", test.cost.flops / seconds * 1e-9},
          {"limits",
           {{"read_gb_per_s", limits.read_gb_per_s},
            {"gop_per_s", limits.arithmetic_gop_per_s},
            {"instructions", limits.arithmetic}}},
          {"model", engine.info().name},
          {"weights", engine.info().weight_types},
          {"threads", engine.threads()},
          {"cpu_path", engine.info().cpu_path}};
}

void print(const Measured& test,
           const BenchOptions& options,
           const engine::MachineLimits& limits,
           Console& console) {
  const double seconds = test.median_seconds();
  char line[256];
  std::snprintf(line,
                sizeof line,
                "%-8s depth %-6lld %10.1f tok/s (%.1f to %.1f)  %.1f of %.1f GB/s  %.0f of %.0f "
                "GFLOP/s (%s)",
                test.name.c_str(),
                static_cast<long long>(options.depth),
                test.rate(seconds),
                test.rate(test.seconds.back()),
                test.rate(test.seconds.front()),
                test.bytes() / seconds * 1e-9,
                limits.read_gb_per_s,
                test.cost.flops / seconds * 1e-9,
                limits.arithmetic_gop_per_s,
                limits.arithmetic);
  console.out_line(line);
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
  const auto path = find_model(options.model, ModelKind::generator);
  if (!path) return console.fail(path.error(), options.json, exit_unavailable);
  const auto engine = engine::Engine::load({.model = *path,
                                            .threads = options.threads,
                                            .kv_type = options.kv_type,
                                            .float_activations = options.float_activations,
                                            .with_tokenizer = false});
  if (!engine) return console.fail(engine.error(), options.json, exit_unavailable);
  if ((*engine)->info().is_embedder) {
    const Error error{Code::invalid_argument,
                      "model '" + (*engine)->info().name + "' is an embedder: it writes no tokens"};
    return console.fail(error, options.json);
  }
  const engine::MachineLimits limits = (*engine)->machine_limits();
  const auto tests = measure_all(**engine, options, environment.stop);
  if (!tests) return console.fail(tests.error(), options.json);
  if (options.json) {
    ordered_json list = ordered_json::array();
    for (const Measured& test : *tests) list.push_back(to_json(test, options, **engine, limits));
    console.out_json(list);
  } else {
    for (const Measured& test : *tests) print(test, options, limits, console);
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
