#include "agent/journal.h"

#include "base/check.h"
#include "base/private_file.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <random>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace facet::agent {

namespace {

constexpr int kVersion = 1;
constexpr int kBusyTimeoutMs = 5'000;
constexpr std::size_t kBodyBytesMax = 64U << 20U;
constexpr int kEntriesMax = 100'000;

// Application id: "FctJ". It tells a journal from any other SQLite file.
constexpr int kApplicationId = 0x4663744A;

constexpr const char* kSchema = R"(
CREATE TABLE runs(
  id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, question TEXT NOT NULL, model TEXT NOT NULL,
  options TEXT NOT NULL, status TEXT NOT NULL, result TEXT NOT NULL) STRICT;
CREATE TABLE entries(
  seq INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs(id), kind TEXT NOT NULL,
  body TEXT NOT NULL) STRICT;
CREATE INDEX entries_of_run ON entries(run_id, seq);
)";

Error sqlite_error(sqlite3* db, const std::string& what) {
  const int code = sqlite3_errcode(db);
  Code kind = Code::unavailable;
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) kind = Code::invalid_data;
  if (code == SQLITE_CONSTRAINT) kind = Code::invalid_argument;
  return Error{kind, what + ": " + sqlite3_errmsg(db)};
}

/// One prepared statement; finalised with the object.
class Statement {
 public:
  static Result<Statement> prepare(sqlite3* db, const char* sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(db, sql, -1, &raw, nullptr) != SQLITE_OK) {
      return sqlite_error(db, "journal");
    }
    return Statement(db, raw);
  }
  Statement(Statement&& other) noexcept
      : db_(other.db_), raw_(std::exchange(other.raw_, nullptr)) {}
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(raw_); }

  void bind(int index, std::string_view text) {
    // Statements live shorter than the texts bound to them.
    const int rc = sqlite3_bind_text64(raw_,
                                       index,
                                       text.data() == nullptr ? "" : text.data(),
                                       text.size(),
                                       SQLITE_STATIC,
                                       SQLITE_UTF8);
    FACET_CHECK(rc == SQLITE_OK || rc == SQLITE_TOOBIG || rc == SQLITE_NOMEM);
  }
  void bind(int index, std::int64_t value) {
    FACET_CHECK(sqlite3_bind_int64(raw_, index, value) == SQLITE_OK);
  }
  /// True while there is a row.
  Result<bool> step() {
    const int rc = sqlite3_step(raw_);
    if (rc == SQLITE_ROW) return true;
    if (rc == SQLITE_DONE) return false;
    return sqlite_error(db_, "journal");
  }
  [[nodiscard]] std::string text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(raw_, column));
    const int size = sqlite3_column_bytes(raw_, column);
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
  }
  [[nodiscard]] std::int64_t integer(int column) const {
    return sqlite3_column_int64(raw_, column);
  }

 private:
  Statement(sqlite3* db, sqlite3_stmt* raw) : db_(db), raw_(raw) {}

  sqlite3* db_;
  sqlite3_stmt* raw_;
};

Status execute(sqlite3* db, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return sqlite_error(db, "journal");
  }
  return ok();
}

Result<std::int64_t> pragma(sqlite3* db, const char* sql) {
  FACET_TRY(Statement statement, Statement::prepare(db, sql));
  FACET_TRY(const bool has_row, statement.step());
  if (!has_row) return Error{Code::internal, std::string("journal: no answer to ") + sql};
  return statement.integer(0);
}

/// FNV-1a, 64 bits.
std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

RunRecord read_run(const Statement& row) {
  return {.id = row.text(0),
          .created_ms = row.integer(1),
          .question = row.text(2),
          .model = row.text(3),
          .options = row.text(4),
          .status = row.text(5),
          .result = row.text(6)};
}

constexpr const char* kSelectRun =
    "SELECT id, created_ms, question, model, options, status, result FROM runs";

}  // namespace

RunLease& RunLease::operator=(RunLease&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

RunLease::~RunLease() {
  if (fd_ >= 0) ::close(fd_);
}

struct Journal::State {
  std::filesystem::path path;
  sqlite3* db = nullptr;
  std::mutex mutex;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { sqlite3_close(db); }

  /// Creates the tables in an empty file; refuses what is not ours or newer than we are.
  Status check_version() const {
    FACET_TRY(const std::int64_t tables, pragma(db, "SELECT count(*) FROM sqlite_master"));
    FACET_TRY(const std::int64_t application, pragma(db, "PRAGMA application_id"));
    FACET_TRY(const std::int64_t version, pragma(db, "PRAGMA user_version"));
    if (tables == 0) {
      const std::string finish = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                                 "; PRAGMA user_version=" + std::to_string(kVersion) + ";";
      FACET_TRY_STATUS(execute(db, kSchema));
      return execute(db, finish.c_str());
    }
    if (application != kApplicationId) {
      return Error{Code::invalid_data, "'" + path.string() + "' is not a journal of Facet"};
    }
    if (version > kVersion) {
      return Error{Code::unsupported,
                   "journal '" + path.string() + "' has version " + std::to_string(version) +
                       ", this program reads " + std::to_string(kVersion)};
    }
    return ok();
  }

  Status transaction(const auto& body) const {
    FACET_TRY_STATUS(execute(db, "BEGIN IMMEDIATE"));
    if (auto status = body(); !status) {
      // The error of the body is the one to report; a rollback that fails too changes nothing,
      // because an unfinished transaction is never visible.
      const auto rolled_back = execute(db, "ROLLBACK");
      return rolled_back ? status.error() : status.error().with_context("rollback failed");
    }
    return execute(db, "COMMIT");
  }
};

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    return Error{Code::unavailable,
                 "journal folder '" + path.parent_path().string() +
                     "' cannot be created: " + error.message()};
  }
  if (auto made = make_private_file(path); !made) return made.error().with_context("journal");
  auto state = std::make_unique<State>();
  state->path = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  if (sqlite3_open_v2(path.c_str(), &state->db, flags, nullptr) != SQLITE_OK) {
    return Error{Code::unavailable,
                 "journal '" + path.string() + "' cannot be opened: " + sqlite3_errmsg(state->db)};
  }
  sqlite3_busy_timeout(state->db, kBusyTimeoutMs);
  const auto prepare = [&]() -> Status {
    FACET_TRY_STATUS(execute(state->db, "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"));
    // The journal mode is written into the file: only once it is known to be ours.
    FACET_TRY_STATUS(state->transaction([&] { return state->check_version(); }));
    return execute(state->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
  };
  if (auto status = prepare(); !status) {
    return status.error().with_context("'" + path.string() + "'");
  }
  return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

Result<RunLease> Journal::lease(std::string_view run_id) const {
  // One lock file for all runs; a run is the one byte at the hash of its id. The lock belongs to
  // the open file description, so the kernel gives it back when its holder dies.
  const std::string path = state_->path.string() + ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return Error{Code::unavailable, "lock '" + path + "': " + std::strerror(errno)};
  }
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(fnv1a(run_id) >> 2U);
  range.l_len = 1;
  if (::fcntl(fd, F_OFD_SETLK, &range) != 0) {
    ::close(fd);
    return Error{Code::unavailable,
                 "run '" + std::string(run_id) + "' is being worked on by another process"};
  }
  return RunLease(fd);
}

Status Journal::begin_run(const RunRecord& run) {
  const std::lock_guard lock(state_->mutex);
  FACET_TRY(Statement insert,
            Statement::prepare(state_->db,
                               "INSERT INTO runs(id, created_ms, question, "
                               "model, options, status, result) "
                               "VALUES(?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(1, run.id);
  insert.bind(2, run.created_ms);
  insert.bind(3, run.question);
  insert.bind(4, run.model);
  insert.bind(5, run.options);
  insert.bind(6, run.status);
  insert.bind(7, run.result);
  FACET_TRY([[maybe_unused]] const bool has_row, insert.step());
  return ok();
}

Status Journal::append(std::string_view run_id, std::span<const JournalEntry> entries) {
  for (const JournalEntry& entry : entries) {
    if (entry.body.size() > kBodyBytesMax) {
      return Error{Code::limit_exceeded,
                   "a journal entry of " + std::to_string(entry.body.size()) +
                       " bytes is over the limit of " + std::to_string(kBodyBytesMax)};
    }
  }
  const std::lock_guard lock(state_->mutex);
  return state_->transaction([&]() -> Status {
    for (const JournalEntry& entry : entries) {
      FACET_TRY(Statement insert,
                Statement::prepare(state_->db,
                                   "INSERT INTO entries(run_id, kind, body) VALUES(?, ?, ?)"));
      insert.bind(1, run_id);
      insert.bind(2, entry.kind);
      insert.bind(3, entry.body);
      FACET_TRY([[maybe_unused]] const bool has_row, insert.step());
    }
    return ok();
  });
}

Status Journal::finish_run(std::string_view run_id,
                           std::string_view status,
                           std::string_view result) {
  const std::lock_guard lock(state_->mutex);
  FACET_TRY(Statement update,
            Statement::prepare(state_->db, "UPDATE runs SET status=?, result=? WHERE id=?"));
  update.bind(1, status);
  update.bind(2, result);
  update.bind(3, run_id);
  FACET_TRY([[maybe_unused]] const bool has_row, update.step());
  return ok();
}

Result<RunRecord> Journal::run(std::string_view run_id) const {
  const std::lock_guard lock(state_->mutex);
  const std::string sql = std::string(kSelectRun) + " WHERE id=?";
  FACET_TRY(Statement select, Statement::prepare(state_->db, sql.c_str()));
  select.bind(1, run_id);
  FACET_TRY(const bool has_row, select.step());
  if (!has_row) {
    return Error{Code::not_found,
                 "no run '" + std::string(run_id) + "' in journal '" + state_->path.string() + "'"};
  }
  return read_run(select);
}

Result<std::vector<JournalEntry>> Journal::entries(std::string_view run_id) const {
  const std::lock_guard lock(state_->mutex);
  FACET_TRY(
      Statement select,
      Statement::prepare(state_->db, "SELECT kind, body FROM entries WHERE run_id=? ORDER BY seq"));
  select.bind(1, run_id);
  std::vector<JournalEntry> entries;
  while (true) {
    FACET_TRY(const bool has_row, select.step());
    if (!has_row) return entries;
    if (entries.size() >= kEntriesMax) {
      return Error{Code::limit_exceeded,
                   "run '" + std::string(run_id) + "' has more than " +
                       std::to_string(kEntriesMax) + " journal entries"};
    }
    entries.push_back({.kind = select.text(0), .body = select.text(1)});
  }
}

Result<std::vector<RunRecord>> Journal::runs(int runs_max) const {
  const std::lock_guard lock(state_->mutex);
  const std::string sql = std::string(kSelectRun) + " ORDER BY rowid DESC LIMIT ?";
  FACET_TRY(Statement select, Statement::prepare(state_->db, sql.c_str()));
  select.bind(1, std::int64_t{runs_max});
  std::vector<RunRecord> runs;
  while (true) {
    FACET_TRY(const bool has_row, select.step());
    if (!has_row) return runs;
    runs.push_back(read_run(select));
  }
}

std::string new_run_id() {
  std::random_device random;
  constexpr const char* kDigits = "0123456789abcdef";
  std::string id = "run_";
  for (int i = 0; i < 16; ++i) id += kDigits[random() & 15U];
  return id;
}

}  // namespace facet::agent
