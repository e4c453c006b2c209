// Clock: time as a parameter, so that tests need no sleeping.
#pragma once

#include <chrono>
#include <cstdint>

namespace facet {

/// Two readings of time. Implementations are thread-safe.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  /// For durations and deadlines; never goes back.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point now() const = 0;
  /// For dates shown to people and stored: milliseconds since 1970-01-01 UTC.
  [[nodiscard]] virtual std::int64_t unix_ms() const = 0;
};

/// The machine's own clock.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::now();
  }
  [[nodiscard]] std::int64_t unix_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

/// A clock that stands still until told otherwise; for tests. Not thread-safe.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override { return now_; }
  [[nodiscard]] std::int64_t unix_ms() const override { return unix_ms_; }
  void advance(std::chrono::milliseconds by) {
    now_ += by;
    unix_ms_ += by.count();
  }

 private:
  std::chrono::steady_clock::time_point now_{};
  std::int64_t unix_ms_ = 1'700'000'000'000;
};

}  // namespace facet
