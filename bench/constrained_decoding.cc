// bench_constrained_decoding MODEL.gguf [rounds] [threads]
//
// What holding an output to a grammar costs and saves while a model writes it, by the real decoding
// loop on a real forward pass, whatever the weights (bench/make_model; give it Gemma's tokenizer):
//
//  1. Per sampled token: turns of random calls, each token sampled, under the grammar of the tools
//     and free. Also the share of the time that was spent in the constraint itself.
//  2. Typical calls, whose tokens the model is made to choose: every token sampled, without a
//     grammar, and under it with forced runs appended in one pass (jump-forward). Forced tokens
//     must be those that the tokenizer makes of the call, else it ends with an error.
//
// Both kinds run in turn, so that whatever else the machine does hits both; medians of the rounds,
// by the clock and by processor time.
#include "agent/local_chat_model.h"
#include "agent/turn_constraint.h"
#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using facet::Error;
using facet::Result;
using facet::Status;
using facet::engine::Constraint;
using facet::engine::TokenId;
using Clock = std::chrono::steady_clock;

constexpr const char* kDialect = "gemma3-json";

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double processor_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0;
}

/// Forwards to `inner`, adds up the time spent there, and lets the model choose only the tokens of
/// `script`, where there is one. Without `inner` nothing holds.
class Watched final : public Constraint {
 public:
  Watched(std::unique_ptr<Constraint> inner, std::vector<TokenId> script, std::size_t vocabulary)
      : inner_(std::move(inner)), script_(std::move(script)), vocabulary_(vocabulary) {}

  [[nodiscard]] bool allows(TokenId token) const override {
    const bool allowed = timed([&] { return !inner_ || inner_->allows(token); });
    return allowed && (script_.empty() || token == script_[at_]);
  }
  [[nodiscard]] std::int64_t shortest() const override {
    return timed([&] { return inner_ ? inner_->shortest() : 0; });
  }
  [[nodiscard]] bool fits(TokenId token, std::int64_t tokens) const override {
    return timed([&] { return !inner_ || inner_->fits(token, tokens); });
  }
  Status accept(TokenId token) override {
    if (!script_.empty() && script_[at_++] != token) {
      return Error{facet::Code::internal, "a forced token is not what the tokenizer makes"};
    }
    return timed([&] { return inner_ ? inner_->accept(token) : facet::ok(); });
  }
  [[nodiscard]] bool is_open() const override {
    return timed([&] { return inner_ && inner_->is_open(); });
  }
  [[nodiscard]] std::unique_ptr<Constraint> clone() const override { return nullptr; }
  [[nodiscard]] std::vector<std::uint64_t> mask() const override {
    auto out = timed([&] {
      return inner_ ? inner_->mask() : std::vector<std::uint64_t>((vocabulary_ + 63) / 64, ~0ULL);
    });
    if (script_.empty()) return out;
    const auto only = static_cast<std::size_t>(script_[at_]);
    const std::uint64_t bit = out[only / 64] & std::uint64_t{1} << (only % 64);
    std::fill(out.begin(), out.end(), 0);
    out[only / 64] = bit;
    return out;
  }
  [[nodiscard]] std::vector<TokenId> forced_tokens() const override {
    return timed([&] { return inner_ ? inner_->forced_tokens() : std::vector<TokenId>(); });
  }
  [[nodiscard]] double inner_ms() const { return inner_ms_; }

 private:
  template <class Body>
  auto timed(const Body& body) const -> decltype(body()) {
    const auto start = Clock::now();
    auto out = body();
    inner_ms_ += ms_since(start);
    return out;
  }

  std::unique_ptr<Constraint> inner_;
  std::vector<TokenId> script_;
  std::size_t vocabulary_;
  std::size_t at_ = 0;
  mutable double inner_ms_ = 0.0;
};

std::vector<facet::ToolSpec> make_tools() {
  return {
      {.name = "book_room",
       .description = "Books a meeting room.",
       .parameters = R"({"type":"object","properties":{"title":{"type":"string"},"participants":)"
                     R"({"type":"integer","minimum":1,"maximum":50},"date":{"type":"string",)"
                     R"("format":"date"},"floor":{"enum":["ground","first","second"]}},)"
                     R"("required":["title","participants","date"]})"},
      {.name = "get_weather_forecast",
       .description = "Weather of the next days.",
       .parameters = R"({"type":"object","properties":{"location":{"type":"string"},"unit":)"
                     R"({"enum":["celsius","fahrenheit"]},"days":{"type":"integer","minimum":1,)"
                     R"("maximum":14}},"required":["location","unit"]})"},
      {.name = "send_message",
       .description = "Sends a message.",
       .parameters = R"({"type":"object","properties":{"recipient":{"type":"string"},"body":)"
                     R"({"type":"string"},"urgent":{"type":"boolean"}},"required":)"
                     R"(["recipient","body","urgent"]})"},
      {.name = "create_calendar_event",
       .description = "Creates an event.",
       .parameters = R"({"type":"object","properties":{"summary":{"type":"string"},"start":)"
                     R"({"type":"string","format":"date-time"},"end":{"type":"string",)"
                     R"("format":"date-time"},"visibility":{"enum":["private","public"]}},)"
                     R"("required":["summary","start","end","visibility"]})"}};
}

/// As the dialect renders calls.
std::vector<std::string> typical_calls() {
  return {
      R"({"name": "book_room", "parameters": {"title": "Quarterly review", "participants": 12, )"
      R"("date": "2026-03-14", "floor": "second"}})",
      R"({"name": "get_weather_forecast", "parameters": {"location": "Lisbon", "unit": )"
      R"("celsius", "days": 5}})",
      R"({"name": "send_message", "parameters": {"recipient": "Ann", "body": )"
      R"("I will be ten minutes late.", "urgent": false}})",
      R"({"name": "create_calendar_event", "parameters": {"summary": "Dentist", "start": )"
      R"("2026-03-14T09:30:00Z", "end": "2026-03-14T10:00:00Z", "visibility": "private"}})"};
}

struct Run {
  double ms = 0.0;
  double cpu_ms = 0.0;
  double constraint_ms = 0.0;
  std::size_t tokens = 0;
  std::size_t forced = 0;
};

class Bench {
 public:
  Bench(const facet::agent::LocalChatModel& model, facet::engine::Sequence prompt)
      : model_(model), prompt_(std::move(prompt)) {}

  /// The grammar of one call.
  Result<std::unique_ptr<Constraint>> grammar() const {
    auto made = facet::agent::make_turn_constraint(
        model_.dialect(),
        make_tools(),
        {.choice = {.mode = facet::prompts::ToolChoice::Mode::required}, .calls_max = 1},
        model_.constraints(),
        model_.engine().tokenizer());
    if (!made) return std::move(made).error();
    return std::move(made->constraint);
  }

  Result<Run> generate(bool is_held,
                       bool jumps,
                       std::vector<TokenId> script,
                       std::int64_t tokens_max,
                       std::uint64_t seed) const {
    std::unique_ptr<Constraint> inner;
    if (is_held) {
      FACET_TRY(inner, grammar());
    }
    const bool is_free = !is_held && script.empty();
    Watched watched(std::move(inner), std::move(script), model_.engine().tokenizer().size());
    facet::engine::Sequence sequence = prompt_.fork();
    const double cpu = processor_ms();
    const auto start = Clock::now();
    FACET_TRY(const auto result,
              model_.engine().generate(sequence,
                                       {.tokens_max = tokens_max,
                                        .sampling = {.temperature = 1.0F, .seed = seed},
                                        .stop_ids = is_free ? std::vector<TokenId>() : stops(),
                                        .constraint = is_free ? nullptr : &watched,
                                        .jump_forward = jumps},
                                       {}));
    return Run{.ms = ms_since(start),
               .cpu_ms = processor_ms() - cpu,
               .constraint_ms = watched.inner_ms(),
               .tokens = result.ids.size(),
               .forced = result.forced_tokens};
  }

  [[nodiscard]] std::vector<TokenId> stops() const {
    return facet::agent::stop_ids(model_.dialect(), model_.engine().tokenizer());
  }

 private:
  const facet::agent::LocalChatModel& model_;
  facet::engine::Sequence prompt_;
};

/// Median times of one token and of one run of each round.
struct Kind {
  std::vector<double> token_ms, token_cpu_ms, ms, cpu_ms;
  double constraint_ms = 0.0;
  double all_ms = 0.0;
  std::size_t tokens = 0;
  std::size_t forced = 0;

  void add(const Run& run) {
    const auto count = static_cast<double>(run.tokens);
    token_ms.push_back(run.ms / count);
    token_cpu_ms.push_back(run.cpu_ms / count);
    ms.push_back(run.ms);
    cpu_ms.push_back(run.cpu_ms);
    constraint_ms += run.constraint_ms;
    all_ms += run.ms;
    tokens += run.tokens;
    forced += run.forced;
  }
};

Status measure_tokens(const Bench& bench, int rounds) {
  constexpr std::int64_t kTokens = 48;
  Kind held;
  Kind free;
  for (int round = -1; round < rounds; ++round) {
    const auto seed = static_cast<std::uint64_t>(round) + 1;
    FACET_TRY(const Run a, bench.generate(false, false, {}, kTokens, seed));
    FACET_TRY(const Run b, bench.generate(true, false, {}, kTokens, seed));
    if (round < 0) continue;  // Warms up.
    free.add(a);
    held.add(b);
  }
  std::printf(
      "per sampled token  free %.2f ms (%.2f of processor), constrained %.2f (%.2f): speed %.1f %% "
      "by the clock, %.1f %% by processor time; %.0f us a token in the constraint (%.2f %%)\n",
      median(free.token_ms),
      median(free.token_cpu_ms),
      median(held.token_ms),
      median(held.token_cpu_ms),
      100.0 * median(free.token_ms) / median(held.token_ms),
      100.0 * median(free.token_cpu_ms) / median(held.token_cpu_ms),
      1000.0 * held.constraint_ms / static_cast<double>(held.tokens),
      100.0 * held.constraint_ms / held.all_ms);
  return facet::ok();
}

Status measure_calls(const Bench& bench, const facet::engine::Tokenizer& tokenizer, int rounds) {
  double free_ms = 0.0;
  double held_ms = 0.0;
  double free_cpu_ms = 0.0;
  double held_cpu_ms = 0.0;
  for (const std::string& call : typical_calls()) {
    std::vector<TokenId> script = tokenizer.encode(call);
    script.push_back(bench.stops().back());
    constexpr std::int64_t kTokensMax = 1024;  // Room for any call: none is kept from beginning.
    Kind free;
    Kind held;
    for (int round = -1; round < rounds; ++round) {
      FACET_TRY(const Run a, bench.generate(false, false, script, kTokensMax, 1));
      FACET_TRY(const Run b, bench.generate(true, true, script, kTokensMax, 1));
      if (round < 0) continue;
      free.add(a);
      held.add(b);
    }
    const auto each = static_cast<double>(rounds);
    std::printf(
        "call of %3.0f tokens, %3.0f forced  sampled %.0f ms, constrained %.0f ms: %.2f x by the "
        "clock, %.2f x by processor time  %.40s...\n",
        static_cast<double>(held.tokens) / each,
        static_cast<double>(held.forced) / each,
        median(free.ms),
        median(held.ms),
        median(free.ms) / median(held.ms),
        median(free.cpu_ms) / median(held.cpu_ms),
        call.c_str());
    free_ms += median(free.ms);
    held_ms += median(held.ms);
    free_cpu_ms += median(free.cpu_ms);
    held_cpu_ms += median(held.cpu_ms);
  }
  std::printf("all calls: %.2f x by the clock, %.2f x by processor time\n",
              free_ms / held_ms,
              free_cpu_ms / held_cpu_ms);
  return facet::ok();
}

Status run(const char* path, int rounds, int threads) {
  FACET_TRY(const auto engine, facet::engine::Engine::load({.model = path, .threads = threads}));
  FACET_TRY(const auto model, facet::agent::LocalChatModel::create(engine, kDialect));
  const facet::Message question{.content = "Please book a room for the quarterly review."};
  FACET_TRY(const auto segments,
            model->dialect().render({.messages = {question}, .tools = make_tools()}));
  const auto ids = engine->tokenizer().encode(segments);
  facet::engine::Sequence prompt = engine->new_sequence();
  FACET_TRY_STATUS(prompt.append(ids));
  std::ifstream cpu("/proc/cpuinfo");
  for (std::string line; std::getline(cpu, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    std::printf("%s, %d threads, %s, %zu pieces, prompt of %zu tokens, %d rounds\n",
                line.substr(line.find(':') + 2).c_str(),
                engine->threads(),
                engine->info().name.c_str(),
                engine->tokenizer().size(),
                ids.size(),
                rounds);
    break;
  }
  const Bench bench(*model, std::move(prompt));
  FACET_TRY_STATUS(measure_tokens(bench, rounds));
  return measure_calls(bench, engine->tokenizer(), rounds);
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // Each line as it is known.
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: bench_constrained_decoding MODEL.gguf [rounds] [threads]\n");
    return 2;
  }
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 7;
  const auto done = run(argv[1], rounds, argc > 3 ? std::atoi(argv[3]) : 1);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return 1;
}
