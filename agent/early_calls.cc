#include "agent/early_calls.h"

#include <algorithm>
#include <functional>
#include <system_error>
#include <thread>
#include <utility>

namespace facet::agent {

struct EarlyCalls::Flight {
  ToolCall call;
  std::stop_source stop;
  std::stop_callback<std::function<void()>> on_stop;
  tools::CallOutcome outcome;  ///< Written by the worker; to be read once it has joined.
  std::thread worker;

  Flight(const ToolCall& started, const std::stop_token& outer)
      : call(started), on_stop(outer, [this] { stop.request_stop(); }) {}
};

EarlyCalls::EarlyCalls(const tools::Executor& executor, const tools::Registry& registry)
    : executor_(executor), registry_(registry) {}

EarlyCalls::~EarlyCalls() {
  drop();
}

bool EarlyCalls::start(const ToolCall& call,
                       const std::stop_token& stop,
                       std::chrono::milliseconds time_max) {
  if (flights_.size() >= kCallsMax) return false;
  auto flight = std::make_unique<Flight>(call, stop);
  try {
    flight->worker = std::thread([this, flight = flight.get(), time_max] {
      auto outcomes =
          executor_.run(registry_, {&flight->call, 1}, flight->stop.get_token(), time_max);
      flight->outcome = std::move(outcomes.front());
    });
  } catch (const std::system_error&) {
    return false;
  }
  flights_.push_back(std::move(flight));
  return true;
}

bool EarlyCalls::has(const ToolCall& call) const {
  return std::any_of(
      flights_.begin(), flights_.end(), [&](const auto& flight) { return flight->call == call; });
}

std::optional<tools::CallOutcome> EarlyCalls::take(const ToolCall& call) {
  const auto found = std::find_if(
      flights_.begin(), flights_.end(), [&](const auto& flight) { return flight->call == call; });
  if (found == flights_.end()) return std::nullopt;
  (*found)->worker.join();
  tools::CallOutcome outcome = std::move((*found)->outcome);
  flights_.erase(found);
  return outcome;
}

void EarlyCalls::drop() {
  for (const auto& flight : flights_) flight->stop.request_stop();
  for (const auto& flight : flights_) flight->worker.join();
  flights_.clear();
}

}  // namespace facet::agent
