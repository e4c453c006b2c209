// The tables of a store, its version, and the few named values in its meta table.
#pragma once

#include "base/result.h"
#include "retrieval/sqlite.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facet::retrieval {

/// Version of the tables; kept in SQLite's user_version.
inline constexpr std::int64_t kStoreVersion = 1;

/// Checks that the tables are ours and of kStoreVersion: unsupported for a newer version,
/// invalid_data for somebody else's database.
Status check_schema(Database& database, std::string_view path);

/// check_schema, after the tables were made in an empty database.
Status prepare_schema(Database& database, std::string_view path);

/// Keys of the meta table.
namespace meta {
inline constexpr std::string_view kGeneration = "generation";  ///< Changes with every vector.
inline constexpr std::string_view kEmbedder = "embedder";
inline constexpr std::string_view kDimension = "dimension";
inline constexpr std::string_view kCacheGeneration = "cache_generation";
inline constexpr std::string_view kCacheSha256 = "cache_sha256";  ///< 32 bytes.
}  // namespace meta

/// nullopt when the key is not set.
Result<std::optional<std::string>> read_meta(Database& database, std::string_view key);
Result<std::int64_t> read_meta_integer(Database& database, std::string_view key);
Status write_meta(Database& database, std::string_view key, std::string_view value);
Status bump_generation(Database& database);

}  // namespace facet::retrieval
