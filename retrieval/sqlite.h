// A thin, typed cover over SQLite: errors become Result, statements and the connection close
// themselves. Nothing here knows what is stored.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace facet::retrieval {

/// A prepared statement. Parameters and columns are numbered from 1 and 0 as in SQLite. Bound
/// bytes are copied. Must not outlive its Database; not thread-safe.
class Statement {
 public:
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind(int parameter, std::span<const std::byte> blob);

  /// Moves to the next row; false when there is none. After false or an error the statement is
  /// reset and can be bound and run again.
  Result<bool> step();
  /// Runs to the end, ignoring rows.
  Status run();
  /// Makes it ready to be bound and run again.
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  /// Copies of a text or blob column; empty for NULL.
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}

  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_code_ = 0;
};

/// One connection. Not thread-safe: the owner serialises.
class Database {
 public:
  /// Opens or creates `path` with foreign keys on, WAL, synchronous=FULL, and a wait of
  /// `busy_ms_max` for other writers. invalid_data when it is no database, unavailable otherwise.
  static Result<Database> open(const std::filesystem::path& path, int busy_ms_max);

  /// Opens `path` for reading where nothing can be written: no file beside it is made and nothing
  /// is locked, so what another process changes meanwhile may be read wrongly. unavailable when it
  /// was left with changes that are not merged into it; else as open().
  static Result<Database> open_unlocked(const std::filesystem::path& path);

  /// Runs one or more statements without parameters.
  Status execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  /// The first column of the first row; not_found when there is none.
  Result<std::int64_t> query_integer(std::string_view sql);

  [[nodiscard]] std::int64_t last_insert_id() const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}
  static Result<Database> connect(const std::filesystem::path& path,
                                  const std::string& name,
                                  int flags);

  std::unique_ptr<sqlite3, Close> connection_;
};

/// BEGIN IMMEDIATE now, ROLLBACK at the end of its life unless commit() succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  Status commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;  // Null once committed.
};

}  // namespace facet::retrieval
