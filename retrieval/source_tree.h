// Finds and reads the files under the roots of an index run.
#pragma once

#include "base/result.h"
#include "retrieval/store.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace facet::retrieval {

struct SourceFile {
  std::filesystem::path path;  ///< Absolute, without symbolic links.
  std::string name;            ///< Relative to its root, with '/'; of a file root its file name.
  std::string root_name;       ///< Last part of the root's path.
};

struct SourceTree {
  std::vector<std::filesystem::path> roots;  ///< Canonical.
  std::vector<SourceFile> files;             ///< Sorted by path, each once.
  std::vector<FailedDocument> failed;
  /// Folders that could not be read: what the store knows below them is not "vanished".
  std::vector<std::filesystem::path> unreadable;
};

struct ScanLimits {
  std::size_t files_max = 1'000'000;
  int depth_max = 64;
};

/// Walks `roots` (files or folders) without following symbolic links. Names that begin with a dot
/// are skipped silently, and so is the store's folder `excluded`, or, where that is a root, what
/// the store keeps in it; links, devices and names that are not UTF-8 go to failed. A root that
/// does not exist stays in roots without files (everything below it has vanished) when `known_root`
/// says so, else not_found.
Result<SourceTree> scan_roots(std::span<const std::filesystem::path> roots,
                              const std::filesystem::path& excluded,
                              const std::function<bool(const std::filesystem::path&)>& known_root,
                              const ScanLimits& limits = {});

struct SourceBytes {
  std::string bytes;
  std::int64_t mtime_ns = 0;
};

/// The whole of a regular file; limit_exceeded beyond `bytes_max`, also when it grows while read.
Result<SourceBytes> read_source(const std::filesystem::path& path, std::uint64_t bytes_max);

/// True when `path` is `folder` or lies below it.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace facet::retrieval
