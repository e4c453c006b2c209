// One file of a hub into one blob of the cache: in parallel ranges, resumed, checked.
#pragma once

#include "agent/hub/digest.h"
#include "agent/hub/http.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

namespace facet::agent::hub {

struct DownloadOptions {
  int connections = 4;                     ///< 1 to 16.
  std::int64_t chunk_bytes = 16LL << 20U;  ///< Of one range; what a resumed download keeps to.
  Retry retry;                             ///< Of each chunk.
};

struct DownloadSource {
  std::string url;
  std::string what;  ///< For messages.
  std::int64_t bytes = 0;
  FileDigest digest;
};

struct DownloadProgress {
  std::int64_t bytes_done = 0;  ///< Fetched, of this file, what an earlier try left included.
  bool is_checking = false;     ///< bytes_done are hashed.
};

/// Fetches `source` to `blob`, by way of "BLOB.facet.incomplete" beside it, which stays when the
/// download ends early and is where the next one goes on. The bytes fetched by this call.
///
/// A hub that ignores ranges is read in one stream. Bytes that do not have the digest are fetched
/// once more when some of them came from an earlier try, else they are removed: invalid_data.
/// Also: invalid_data for an answer of another size or range than asked for, the errors of
/// HttpClient::send and response_error, unavailable and permission_denied by the file system,
/// cancelled. REQUIRES: the caller holds the lock of the blob. `on_progress` is called from this
/// thread, about ten times a second.
Result<std::int64_t> download(const HttpOptions& http,
                              const DownloadSource& source,
                              const std::filesystem::path& blob,
                              const DownloadOptions& options,
                              const std::stop_token& stop,
                              const std::function<void(const DownloadProgress&)>& on_progress);

}  // namespace facet::agent::hub
