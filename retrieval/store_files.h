// Names of the files in a store's folder: one place, for whoever opens, skips or looks for a store.
#pragma once

#include <filesystem>
#include <string_view>
#include <system_error>

namespace facet::retrieval {

inline constexpr std::string_view kDatabaseFile = "store.sqlite";  ///< And what SQLite adds to it.
inline constexpr std::string_view kVectorsFile = "vectors.faiss";  ///< A cache: vector_cache.h.
inline constexpr std::string_view kLockFile = "store.lock";

/// Whether there is a store in `folder`, sound or not; false also where that cannot be seen.
inline bool holds_store(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::filesystem::exists(folder / kDatabaseFile, ignored);
}

}  // namespace facet::retrieval
