// EarlyCalls: calls of read-only tools that run while the model still writes the rest of its turn.
#pragma once

#include "base/chat.h"
#include "tools/executor.h"
#include "tools/tool.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

namespace facet::agent {

/// Not thread-safe: one owner starts and takes. Both references must outlive it. Each call runs on
/// a thread of its own with what Executor::run promises for it: deadline, stop, output limit.
class EarlyCalls {
 public:
  static constexpr std::size_t kCallsMax = 8;  ///< At once.

  EarlyCalls(const tools::Executor& executor, const tools::Registry& registry);
  EarlyCalls(const EarlyCalls&) = delete;
  EarlyCalls& operator=(const EarlyCalls&) = delete;
  /// As drop().
  ~EarlyCalls();

  /// Starts `call`, which has `time_max` at most. False when kCallsMax are there already or there
  /// is no thread: then it runs in its turn like any other.
  bool start(const ToolCall& call, const std::stop_token& stop, std::chrono::milliseconds time_max);

  /// Exactly this call was started and not taken.
  [[nodiscard]] bool has(const ToolCall& call) const;
  /// Waits for the outcome of exactly this call; nullopt when it was not started.
  std::optional<tools::CallOutcome> take(const ToolCall& call);

  /// Stops what runs and forgets all outcomes.
  void drop();

 private:
  struct Flight;

  const tools::Executor& executor_;
  const tools::Registry& registry_;
  std::vector<std::unique_ptr<Flight>> flights_;
};

}  // namespace facet::agent
