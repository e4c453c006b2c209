// Cache: models as Python's huggingface_hub keeps them, so that each finds what the other fetched.
//
//   models--OWNER--NAME/blobs/DIGEST                the bytes, checked against their name
//                      /refs/REVISION               the commit a branch or tag meant
//                      /snapshots/COMMIT/PATH       links to the blobs
//   .locks/models--OWNER--NAME/DIGEST.lock          held (flock) by who writes the blob
//
// A download in progress is DIGEST.facet.incomplete: its form is ours, so its name must not be the
// DIGEST.incomplete that Python would go on with.
#pragma once

#include "agent/hub/listing.h"
#include "agent/hub/names.h"
#include "base/file_descriptor.h"
#include "base/result.h"

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::agent::hub {

/// A value: the root of a cache. Thread-safe, and safe beside other processes.
class Cache {
 public:
  explicit Cache(std::filesystem::path root) : root_(std::move(root)) {}

  [[nodiscard]] std::filesystem::path blob(const ModelName& name, const FileDigest& digest) const;
  [[nodiscard]] std::filesystem::path snapshot(const ModelName& name,
                                               const std::string& commit) const;

  /// Whether the blob is there in its whole size.
  [[nodiscard]] bool has_blob(const ModelName& name, const HubFile& file) const;

  /// The commit that `revision` meant when it was last fetched, or `revision` when it is one whose
  /// snapshot is here. not_found.
  [[nodiscard]] Result<std::string> commit_of(const ModelName& name,
                                              const std::string& revision) const;
  /// The files of a snapshot whose bytes are here. not_found when there is no such folder.
  [[nodiscard]] Result<std::vector<HubFile>> files(const ModelName& name,
                                                   const std::string& commit) const;

  /// Makes `file` appear in the snapshot. unavailable or permission_denied when the file system
  /// says no, or a folder on the way is a link.
  [[nodiscard]] Status link(const ModelName& name,
                            const std::string& commit,
                            const HubFile& file) const;
  /// Nothing to do for a revision that is a commit.
  [[nodiscard]] Status write_ref(const ModelName& name,
                                 const std::string& revision,
                                 const std::string& commit) const;

  /// The lock of a blob, waiting while somebody else has it; `on_wait` is called once when it does.
  [[nodiscard]] Result<FileDescriptor> lock(const ModelName& name,
                                            const FileDigest& digest,
                                            const std::stop_token& stop,
                                            const std::function<void()>& on_wait) const;

 private:
  [[nodiscard]] std::filesystem::path folder(const ModelName& name) const;

  std::filesystem::path root_;
};

/// create_directories with an error that names the folder.
Status make_folders(const std::filesystem::path& folder);

/// permission_denied for EACCES, EPERM and EROFS, else unavailable: "'PATH' cannot be <verb>: ...".
Error file_error(const std::filesystem::path& path, std::string_view verb, int error_number);

}  // namespace facet::agent::hub
