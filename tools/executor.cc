#include "tools/executor.h"

#include "base/json.h"
#include "base/utf8.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace facet::tools {
namespace {

using Json = nlohmann::ordered_json;
using SteadyClock = std::chrono::steady_clock;
using Kind = CallOutcome::Kind;

constexpr std::size_t kKnownNamesMax = 32;

CallOutcome failure(Kind kind, std::string_view message, std::size_t bytes_max) {
  const std::string clean = to_valid_utf8(utf8_prefix(message, bytes_max));
  return {.output = {.content = R"({"error":)" + json_quote(clean) + "}", .is_error = true},
          .kind = kind};
}

/// What the waiting thread and the workers of one run share: how many workers have news.
struct Bell {
  std::mutex mutex;
  std::condition_variable ring;
};

/// One call on its way. Shared by run() and the worker, so that either may go first.
struct Job {
  std::string name;
  std::shared_ptr<const Tool> tool;
  Json arguments;
  CallContext context;
  std::size_t error_bytes_max = 0;
  std::stop_source stop;
  std::shared_ptr<Bell> bell;
  bool done = false;    ///< Guarded by bell->mutex.
  CallOutcome outcome;  ///< Written by the worker before done.
};

/// Calls the tool and puts everything that can go wrong into an outcome.
CallOutcome call_tool(const Job& job) {
  try {
    const Result<Json> result = job.tool->call(job.arguments, job.context);
    if (!result) {
      return failure(Kind::tool_error, result.error().message, job.error_bytes_max);
    }
    std::string content = dump_json(*result);
    if (content.size() > job.context.output_bytes_max) {
      return failure(Kind::too_large,
                     "the result of " + job.name + " has " + std::to_string(content.size()) +
                         " bytes; the limit is " + std::to_string(job.context.output_bytes_max),
                     job.error_bytes_max);
    }
    return {.output = {.content = std::move(content), .is_error = false}, .kind = Kind::ok};
  } catch (const std::exception& error) {
    return failure(Kind::tool_error, job.name + " failed: " + error.what(), job.error_bytes_max);
  } catch (...) {
    return failure(
        Kind::tool_error, job.name + " failed with an unknown exception", job.error_bytes_max);
  }
}

void work(const std::shared_ptr<Job>& job) {
  CallOutcome outcome = call_tool(*job);
  // The tool goes before the bell rings: whoever hears it may unload the tool's library.
  job->tool.reset();
  const std::lock_guard lock(job->bell->mutex);
  job->outcome = std::move(outcome);
  job->done = true;
  job->bell->ring.notify_all();
}

}  // namespace

struct Executor::State {
  ExecutorOptions options;
  mutable std::mutex mutex;
  /// Abandoned jobs that were still running when last looked at.
  mutable std::vector<std::shared_ptr<Job>> abandoned;

  int count_abandoned() const {
    const std::lock_guard lock(mutex);
    std::erase_if(abandoned, [](const std::shared_ptr<Job>& job) {
      const std::lock_guard job_lock(job->bell->mutex);
      return job->done;
    });
    return static_cast<int>(abandoned.size());
  }

  void abandon(std::shared_ptr<Job> job) const {
    const std::lock_guard lock(mutex);
    abandoned.push_back(std::move(job));
  }
};

namespace {

/// A job whose worker has started.
struct Flight {
  std::size_t index = 0;
  std::shared_ptr<Job> job;
  std::thread worker;
  SteadyClock::time_point start;
  bool timed_out = false;
  bool cancelled = false;
  SteadyClock::time_point give_up = SteadyClock::time_point::max();
};

std::chrono::milliseconds since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start);
}

/// The job for `call`, or the outcome that says why there is none.
std::optional<CallOutcome> prepare(const Registry& registry,
                                   const ToolCall& call,
                                   const ExecutorOptions& options,
                                   Job& job) {
  job.name = call.name;
  job.tool = registry.find_shared(call.name);
  if (job.tool == nullptr) {
    std::string known;
    std::size_t count = 0;
    for (const ToolSpec& spec : registry.specs()) {
      if (++count > kKnownNamesMax) break;
      known += (known.empty() ? "" : ", ") + spec.name;
    }
    const std::string name = json_quote(utf8_prefix(call.name, 80));
    return failure(Kind::unknown_tool,
                   "there is no tool " + name + "; the tools are: " + known,
                   options.error_bytes_max);
  }
  auto arguments = parse_arguments(job.tool->spec(),
                                   *registry.arguments_schema(call.name),
                                   call.arguments,
                                   options.arguments_bytes_max);
  if (!arguments) {
    return failure(Kind::invalid_arguments, arguments.error().message, options.error_bytes_max);
  }
  job.arguments = *std::move(arguments);
  job.error_bytes_max = options.error_bytes_max;
  job.context.output_bytes_max = options.output_bytes_max;
  return std::nullopt;
}

/// One run(): starts jobs in order, at most so many at once, and collects their outcomes.
class Run {
 public:
  Run(const ExecutorOptions& options, std::vector<CallOutcome>& outcomes)
      : options_(options), outcomes_(outcomes) {}

  [[nodiscard]] const std::shared_ptr<Bell>& bell() const { return bell_; }
  [[nodiscard]] std::size_t in_flight() const { return flights_.size(); }

  void start(std::size_t index, std::shared_ptr<Job> job) {
    Flight flight{.index = index, .job = job, .start = SteadyClock::now()};
    job->bell = bell_;
    job->context.stop = job->stop.get_token();
    job->context.deadline = flight.start + options_.tool_timeout;
    try {
      flight.worker = std::thread(work, job);
    } catch (const std::system_error& error) {
      outcomes_[index] = failure(Kind::tool_error,
                                 job->name + " cannot run: no thread: " + error.what(),
                                 options_.error_bytes_max);
      return;
    }
    flights_.push_back(std::move(flight));
  }

  /// Waits until a worker is done, a time is reached or `stop` is asked for; then settles what can
  /// be settled. Jobs that must be abandoned go to `abandoned`.
  void step(const std::stop_token& stop, std::vector<std::shared_ptr<Job>>& abandoned) {
    {
      std::unique_lock lock(bell_->mutex);
      auto wake = SteadyClock::time_point::max();
      bool unseen_stop = false;
      for (const Flight& flight : flights_) {
        const bool stopped = flight.timed_out || flight.cancelled;
        wake = std::min(wake, stopped ? flight.give_up : flight.job->context.deadline);
        unseen_stop = unseen_stop || !stopped;
      }
      const auto news = [&] {
        return (unseen_stop && stop.stop_requested()) ||
               std::any_of(flights_.begin(), flights_.end(), [](const Flight& flight) {
                 return flight.job->done;
               });
      };
      bell_->ring.wait_until(lock, wake, news);
    }
    const auto now = SteadyClock::now();
    for (Flight& flight : flights_) {
      if (flight.timed_out || flight.cancelled) continue;
      flight.cancelled = stop.stop_requested();
      flight.timed_out = !flight.cancelled && now >= flight.job->context.deadline;
      if (!flight.cancelled && !flight.timed_out) continue;
      flight.give_up = now + options_.stop_grace;
      flight.job->stop.request_stop();
    }
    for (std::size_t i = flights_.size(); i-- > 0;) settle(i, now, abandoned);
  }

 private:
  /// Takes flight `i` out when its worker is done or is given up.
  void settle(std::size_t i,
              SteadyClock::time_point now,
              std::vector<std::shared_ptr<Job>>& abandoned) {
    Flight& flight = flights_[i];
    bool done = false;
    {
      const std::lock_guard lock(bell_->mutex);
      done = flight.job->done;
    }
    if (!done && now < flight.give_up) return;
    CallOutcome& outcome = outcomes_[flight.index];
    if (done) {
      flight.worker.join();
      outcome = std::move(flight.job->outcome);
    } else {
      flight.worker.detach();
      abandoned.push_back(flight.job);
    }
    if (flight.timed_out) {
      outcome = failure(Kind::timeout,
                        flight.job->name + " did not answer within " +
                            std::to_string(options_.tool_timeout.count()) + " ms",
                        options_.error_bytes_max);
    } else if (flight.cancelled && !(done && outcome.kind == Kind::ok)) {
      outcome =
          failure(Kind::cancelled, flight.job->name + " was cancelled", options_.error_bytes_max);
    }
    outcome.elapsed = since(flight.start);
    flights_.erase(flights_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  const ExecutorOptions& options_;
  std::vector<CallOutcome>& outcomes_;
  std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  std::vector<Flight> flights_;
};

}  // namespace

std::string_view outcome_name(CallOutcome::Kind kind) {
  switch (kind) {
    case Kind::ok:
      return "ok";
    case Kind::tool_error:
      return "tool_error";
    case Kind::invalid_arguments:
      return "invalid_arguments";
    case Kind::unknown_tool:
      return "unknown_tool";
    case Kind::timeout:
      return "timeout";
    case Kind::cancelled:
      return "cancelled";
    case Kind::too_large:
      return "too_large";
  }
  return "unknown";
}

Executor::Executor(ExecutorOptions options) : state_(std::make_unique<State>()) {
  state_->options = options;
}

Executor::~Executor() = default;

std::vector<CallOutcome> Executor::run(const Registry& registry,
                                       std::span<const ToolCall> calls,
                                       std::stop_token stop,
                                       std::chrono::milliseconds time_max) const {
  ExecutorOptions options = state_->options;
  options.tool_timeout = std::min(options.tool_timeout, time_max);
  const auto parallel = static_cast<std::size_t>(std::max(1, options.parallel_calls_max));
  std::vector<CallOutcome> outcomes(calls.size());
  Run run(options, outcomes);
  const std::stop_callback wake(stop, [bell = run.bell()] {
    const std::lock_guard lock(bell->mutex);
    bell->ring.notify_all();
  });
  std::size_t next = 0;
  while (next < calls.size() || run.in_flight() > 0) {
    while (next < calls.size() && run.in_flight() < parallel) {
      const std::size_t index = next++;
      auto job = std::make_shared<Job>();
      if (stop.stop_requested()) {
        outcomes[index] =
            failure(Kind::cancelled, calls[index].name + " was cancelled", options.error_bytes_max);
      } else if (auto refused = prepare(registry, calls[index], options, *job)) {
        outcomes[index] = *std::move(refused);
      } else if (const int hanging = state_->count_abandoned();
                 hanging >= options.abandoned_calls_max) {
        outcomes[index] = failure(
            Kind::tool_error,
            job->name + " cannot run: " + std::to_string(hanging) + " earlier calls still hang",
            options.error_bytes_max);
      } else {
        run.start(index, std::move(job));
      }
    }
    if (run.in_flight() == 0) continue;
    std::vector<std::shared_ptr<Job>> abandoned;
    run.step(stop, abandoned);
    for (auto& job : abandoned) state_->abandon(std::move(job));
  }
  return outcomes;
}

}  // namespace facet::tools
