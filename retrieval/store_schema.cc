#include "retrieval/store_schema.h"

#include <charconv>

namespace facet::retrieval {
namespace {

// "FACE" in hexadecimal: tells our databases from others before anything is written.
constexpr std::int64_t kApplicationId = 0x46414345;

// AUTOINCREMENT: the id of a deleted chunk is never given to another one, so an old citation
// resolves to nothing rather than to the wrong passage. The full text is kept because spans refer
// to it. chunks repeats the title and the passage so that FTS5 (external content) can take its
// entries back exactly as they were put in.
constexpr const char* kSchema = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE roots(path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE documents(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  hash TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL);
CREATE TABLE chunks(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  title TEXT NOT NULL,
  heading TEXT NOT NULL,
  text TEXT NOT NULL,
  page INTEGER NOT NULL,
  byte_begin INTEGER NOT NULL,
  byte_end INTEGER NOT NULL,
  UNIQUE(document_id, ordinal));
CREATE TABLE vectors(
  chunk_id INTEGER PRIMARY KEY REFERENCES chunks(id) ON DELETE CASCADE,
  data BLOB NOT NULL);
CREATE VIRTUAL TABLE chunks_fts USING fts5(
  title, heading, text, content='chunks', content_rowid='id',
  tokenize='porter unicode61 remove_diacritics 2');
INSERT INTO meta(key, value) VALUES('generation', '0');
)sql";

Status create_schema(Database& database) {
  FACET_TRY(Transaction transaction, Transaction::begin(database));
  // Another process may have created it between the first look and the lock.
  FACET_TRY(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  if (version != 0) return ok();
  FACET_TRY_STATUS(database.execute(kSchema));
  FACET_TRY_STATUS(database.execute("PRAGMA user_version=" + std::to_string(kStoreVersion) +
                                    "; PRAGMA application_id=" + std::to_string(kApplicationId)));
  return transaction.commit();
}

}  // namespace

Status prepare_schema(Database& database, std::string_view path) {
  FACET_TRY(const std::int64_t tables,
            database.query_integer("SELECT count(*) FROM sqlite_master"));
  if (tables == 0) FACET_TRY_STATUS(create_schema(database));
  return check_schema(database, path);
}

Status check_schema(Database& database, std::string_view path) {
  FACET_TRY(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  FACET_TRY(const std::int64_t application, database.query_integer("PRAGMA application_id"));
  if (application != kApplicationId) {
    return Error{Code::invalid_data, std::string(path) + ": is a database, but not a Facet store"};
  }
  if (version > kStoreVersion) {
    return Error{Code::unsupported,
                 std::string(path) + ": the store is of version " + std::to_string(version) +
                     ", this program knows versions up to " + std::to_string(kStoreVersion)};
  }
  if (version != kStoreVersion) {
    return Error{
        Code::invalid_data,
        std::string(path) + ": the store has the impossible version " + std::to_string(version)};
  }
  return ok();
}

Result<std::optional<std::string>> read_meta(Database& database, std::string_view key) {
  FACET_TRY(Statement statement, database.prepare("SELECT value FROM meta WHERE key = ?1"));
  FACET_TRY(const bool found, statement.bind(1, key).step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(statement.text(0));
}

Result<std::int64_t> read_meta_integer(Database& database, std::string_view key) {
  FACET_TRY(const std::optional<std::string> text, read_meta(database, key));
  std::int64_t value = 0;
  if (text) {
    const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (code == std::errc() && end == text->data() + text->size()) return value;
  }
  return Error{Code::invalid_data, "the store's value of '" + std::string(key) + "' is no number"};
}

Status write_meta(Database& database, std::string_view key, std::string_view value) {
  FACET_TRY(Statement statement,
            database.prepare("INSERT INTO meta(key, value) VALUES(?1, ?2) "
                             "ON CONFLICT(key) DO UPDATE SET value = excluded.value"));
  return statement.bind(1, key).bind(2, value).run();
}

Status bump_generation(Database& database) {
  FACET_TRY(const std::int64_t generation, read_meta_integer(database, meta::kGeneration));
  return write_meta(database, meta::kGeneration, std::to_string(generation + 1));
}

}  // namespace facet::retrieval
