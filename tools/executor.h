// Executor: runs the calls of one turn, in parallel, each with a deadline, a stop and an output
// limit.
#pragma once

#include "base/chat.h"
#include "tools/tool.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

namespace facet::tools {

struct ExecutorOptions {
  std::chrono::milliseconds tool_timeout{30'000};
  std::size_t output_bytes_max = 64U << 10U;
  std::size_t arguments_bytes_max = 1U << 20U;
  int parallel_calls_max = 8;  ///< In one run().
  /// How long a stopped tool may take to return before its thread is abandoned.
  std::chrono::milliseconds stop_grace{50};
  /// Abandoned calls that may still hang; beyond it every call is refused until one returns.
  int abandoned_calls_max = 16;
  std::size_t error_bytes_max = 2000;  ///< Of an error message that a tool gives.
};

struct CallOutcome {
  ToolOutput output;
  std::chrono::milliseconds elapsed{0};
  enum class Kind {
    ok,
    tool_error,
    invalid_arguments,
    unknown_tool,
    timeout,
    cancelled,
    too_large
  } kind = Kind::ok;
};

/// "ok", "tool_error", ... as printed in events and journals.
std::string_view outcome_name(CallOutcome::Kind kind);

/// Thread-safe. A tool that ignores its stop is abandoned `stop_grace` after the deadline: its
/// thread keeps the tool alive, its late result is dropped, and the destructor does not wait for
/// it. A call whose tool returned after its deadline is a timeout, whatever it returned.
class Executor {
 public:
  explicit Executor(ExecutorOptions options = {});
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor();

  /// One outcome per call, in order. Every failure is an outcome whose output the model can read:
  /// unknown tool (with the known names), arguments that break the schema (with the JSON pointer),
  /// an Error, an exception, a timeout, an output over the limit.
  /// Each call has tool_timeout, or `time_max` where that is less.
  std::vector<CallOutcome> run(
      const Registry& registry,
      std::span<const ToolCall> calls,
      std::stop_token stop = {},
      std::chrono::milliseconds time_max = std::chrono::milliseconds::max()) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace facet::tools
