// Journal: what a run has done, in SQLite, so that a killed run can go on where it was. An intent
// is on disk before its tool runs, its result before the model sees it.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

struct RunRecord {
  std::string id;
  std::int64_t created_ms = 0;  ///< Since 1970-01-01 UTC.
  std::string question;
  std::string model;               ///< ChatModel::identity of the model that runs it.
  std::string options;             ///< JSON object; what the caller needs to build the run again.
  std::string status = "running";  ///< Or the name of how it finished.
  std::string result;              ///< JSON object; empty while running.
};

struct JournalEntry {
  std::string kind;  ///< "tools", "output", "intent", "result", "passages", "event".
  std::string body;  ///< JSON.

  bool operator==(const JournalEntry&) const = default;
};

/// Holds a run for one process; given back by the destructor and by the death of the process.
class RunLease {
 public:
  explicit RunLease(int fd) : fd_(fd) {}
  RunLease(RunLease&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  RunLease& operator=(RunLease&& other) noexcept;
  RunLease(const RunLease&) = delete;
  RunLease& operator=(const RunLease&) = delete;
  ~RunLease();

 private:
  int fd_;
};

/// One SQLite file (WAL, synchronous=FULL, one connection). Thread-safe: calls are serialised.
class Journal {
 public:
  /// Creates file and folder when missing. unsupported for a journal of a newer version, naming
  /// both; unavailable when it cannot be opened or written; invalid_data when it is no journal.
  static Result<std::unique_ptr<Journal>> open(const std::filesystem::path& path);

  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  /// unavailable when another process, or another lease of this one, holds the run.
  Result<RunLease> lease(std::string_view run_id) const;

  Status begin_run(const RunRecord& run);
  /// All entries or none; on disk when this returns.
  Status append(std::string_view run_id, std::span<const JournalEntry> entries);
  Status finish_run(std::string_view run_id, std::string_view status, std::string_view result);

  /// not_found, naming the id.
  [[nodiscard]] Result<RunRecord> run(std::string_view run_id) const;
  /// In the order they were appended.
  [[nodiscard]] Result<std::vector<JournalEntry>> entries(std::string_view run_id) const;
  /// The last begun first, whatever the clock said.
  [[nodiscard]] Result<std::vector<RunRecord>> runs(int runs_max) const;

 private:
  struct State;
  explicit Journal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// "run_" and 16 random hexadecimal digits.
std::string new_run_id();

}  // namespace facet::agent
