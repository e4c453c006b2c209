// Workspace: a folder that tools may read in, and never leave.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet::tools {

struct WorkspaceOptions {
  std::size_t path_bytes_max = 1024;
  int path_parts_max = 64;
  std::size_t entries_scanned_max = 10'000;  ///< Of one folder.
  /// A hard link may be another name of a file outside; a person who trusts the folder may allow
  /// them.
  bool allow_hard_links = false;
  /// Opens part by part even where the kernel offers openat2; for tests of that path.
  bool force_walk = false;
};

/// One name in a folder.
struct WorkspaceEntry {
  std::string name;  ///< Repaired to UTF-8.
  bool is_folder = false;
};

/// A piece of a file.
struct WorkspaceText {
  std::string bytes;  ///< Raw.
  std::uint64_t file_bytes = 0;
};

/// Opens everything relative to one folder that was opened once, so that renaming it or swapping a
/// link between check and use changes nothing. Linux resolves the whole path at once
/// (openat2 with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS); where the kernel lacks or forbids it,
/// each part is opened by itself and every symbolic link is refused.
/// Immutable and thread-safe.
class Workspace {
 public:
  /// not_found or permission_denied when `folder` cannot be opened as a folder.
  static Result<std::shared_ptr<const Workspace>> open(const std::string& folder,
                                                       WorkspaceOptions options = {});
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();

  /// The names in `path` ("" or "." is the folder itself), sorted, without links and special files.
  /// At most `entries_max`; `more` counts the rest.
  struct Listing {
    std::vector<WorkspaceEntry> entries;
    std::size_t more = 0;
  };
  [[nodiscard]] Result<Listing> list(std::string_view path, std::size_t entries_max) const;

  /// Up to `bytes_max` bytes of the regular file `path` from `offset` on; none beyond its end.
  ///
  /// For both: invalid_argument for a path that is absolute, has a "..", a NUL, bytes that are not
  /// UTF-8 or too many of them; not_found; permission_denied for a path that leaves the folder,
  /// and for devices, pipes, sockets and hard-linked files.
  [[nodiscard]] Result<WorkspaceText> read(std::string_view path,
                                           std::uint64_t offset,
                                           std::size_t bytes_max) const;

 private:
  Workspace(int folder, WorkspaceOptions options) : folder_(folder), options_(options) {}

  /// A descriptor that the caller closes.
  [[nodiscard]] Result<int> open_beneath(std::string_view path, int flags) const;
  [[nodiscard]] Result<int> open_walking(const std::vector<std::string>& parts, int flags) const;

  int folder_;
  WorkspaceOptions options_;
};

}  // namespace facet::tools
