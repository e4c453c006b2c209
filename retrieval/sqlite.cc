#include "retrieval/sqlite.h"

#include "base/private_file.h"

#include <sqlite3.h>

#include <system_error>
#include <utility>

namespace facet::retrieval {
namespace {

/// What a person can do about a failure of SQLite.
std::string_view advice(int code) {
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return " (a store can be removed and made again from its documents)";
    case SQLITE_READONLY:
      return " (whoever searches a store must be able to write to it and its folder too, unless "
             "its "
             "file system is mounted read-only)";
    default:
      return "";
  }
}

Error error_of(sqlite3* connection, int code, std::string_view doing) {
  Error error;
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      error.code = Code::invalid_data;
      break;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      error.code = Code::permission_denied;
      break;
    case SQLITE_TOOBIG:
      error.code = Code::limit_exceeded;
      break;
    case SQLITE_MISUSE:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
      error.code = Code::internal;
      break;
    default:  // Busy, locked, I/O error, read-only, full, out of memory.
      error.code = Code::unavailable;
  }
  error.message = std::string(doing) + ": " +
                  (connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code)) +
                  std::string(advice(code));
  return error;
}

// SQLITE_TRANSIENT is a C cast of -1 to a pointer; the _Static variants below avoid it by binding
// with a destructor of our own over a copy.
void* copy_of(const void* bytes, std::size_t size) {
  void* copy = sqlite3_malloc64(size == 0 ? 1 : size);
  if (copy != nullptr && size > 0)
    std::char_traits<char>::copy(static_cast<char*>(copy), static_cast<const char*>(bytes), size);
  return copy;
}

/// A path as a part of a URI.
std::string escaped_for_uri(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  // A failed step has been reported already; finalize only repeats its code.
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_.get(), parameter, value);
  if (code != SQLITE_OK) bind_code_ = code;
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  void* copy = copy_of(text.data(), text.size());
  const int code = copy == nullptr ? SQLITE_NOMEM
                                   : sqlite3_bind_text64(statement_.get(),
                                                         parameter,
                                                         static_cast<char*>(copy),
                                                         text.size(),
                                                         sqlite3_free,
                                                         SQLITE_UTF8);
  if (code != SQLITE_OK) bind_code_ = code;
  return *this;
}

Statement& Statement::bind(int parameter, std::span<const std::byte> blob) {
  void* copy = copy_of(blob.data(), blob.size());
  const int code =
      copy == nullptr
          ? SQLITE_NOMEM
          : sqlite3_bind_blob64(statement_.get(), parameter, copy, blob.size(), sqlite3_free);
  if (code != SQLITE_OK) bind_code_ = code;
  return *this;
}

Result<bool> Statement::step() {
  if (bind_code_ != SQLITE_OK) {
    const int code = std::exchange(bind_code_, SQLITE_OK);
    reset();
    return error_of(nullptr, code, "binding a parameter");
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  const Error error = error_of(connection_, code, "running a statement");
  reset();
  return error;
}

Status Statement::run() {
  for (;;) {
    FACET_TRY(const bool more, step());
    if (!more) return ok();
  }
}

void Statement::reset() {
  // Both only repeat the code of the last step, which step() has returned.
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);  // Waits for statements that are still alive.
}

Result<Database> Database::connect(const std::filesystem::path& path,
                                   const std::string& name,
                                   int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &raw, flags | SQLITE_OPEN_FULLMUTEX, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return error_of(raw, code, path.string());
  sqlite3_extended_result_codes(raw, 1);
  // Schemas of hostile files run nothing: no triggers or views with side effects on our behalf.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

Result<Database> Database::open_unlocked(const std::filesystem::path& path) {
  const std::filesystem::path log = path.string() + "-wal";
  std::error_code code;
  if (const auto bytes = std::filesystem::file_size(log, code); !code && bytes > 0) {
    return Error{Code::unavailable,
                 log.string() +
                     ": holds changes that are not merged yet; open the store once "
                     "where it can be written"};
  }
  FACET_TRY(
      Database database,
      connect(path,
              "file:" + escaped_for_uri(std::filesystem::absolute(path).string()) + "?immutable=1",
              SQLITE_OPEN_READONLY | SQLITE_OPEN_URI));
  // The first statement is the first that reads the file.
  if (auto is_database = database.query_integer("SELECT count(*) FROM sqlite_master");
      !is_database) {
    return is_database.error().with_context(path.string());
  }
  return database;
}

Result<Database> Database::open(const std::filesystem::path& path, int busy_ms_max) {
  FACET_TRY_STATUS(make_private_file(path));
  FACET_TRY(Database database,
            connect(path, path.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  sqlite3_busy_timeout(database.connection_.get(), busy_ms_max);
  auto ready = database.execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
      "PRAGMA secure_delete=ON;");
  if (!ready) return ready.error().with_context(path.string());
  return database;
}

Status Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(connection_.get(), code, "it cannot be used");
  return ok();
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(
      connection_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  if (code != SQLITE_OK) return error_of(connection_.get(), code, "preparing SQL");
  return Statement(connection_.get(), raw);
}

Result<std::int64_t> Database::query_integer(std::string_view sql) {
  FACET_TRY(Statement statement, prepare(sql));
  FACET_TRY(const bool found, statement.step());
  if (!found) return Error{Code::not_found, "no row for: " + std::string(sql)};
  return statement.integer(0);
}

std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(connection_.get());
}

Result<Transaction> Transaction::begin(Database& database) {
  FACET_TRY_STATUS(database.execute("BEGIN IMMEDIATE"));
  return Transaction(&database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // When the rollback itself fails SQLite has already rolled back, or will at the next open.
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

Status Transaction::commit() {
  FACET_TRY_STATUS(database_->execute("COMMIT"));
  database_ = nullptr;
  return ok();
}

}  // namespace facet::retrieval
