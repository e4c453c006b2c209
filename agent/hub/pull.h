// pull: a model of a hub into the cache, and a model of the cache by its name.
#pragma once

#include "agent/hub/cache.h"
#include "agent/hub/download.h"
#include "agent/hub/http.h"
#include "agent/hub/names.h"
#include "agent/hub/selection.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::agent::hub {

struct PullOptions {
  std::filesystem::path cache;
  HttpOptions http;
  ModelName name;
  std::string revision = "main";  ///< A branch, a tag or a commit.
  bool with_mmproj = false;
  bool is_offline = false;                ///< Only what the cache has.
  bool is_dry_run = false;                ///< Only what would be fetched.
  std::int64_t bytes_max = 512LL << 30U;  ///< Of all files together.
  DownloadOptions download;
};

struct PulledFile {
  HubFile file;
  bool was_cached = false;
};

struct Pulled {
  std::string commit;
  std::filesystem::path model;   ///< What --model takes; empty in a dry run.
  std::filesystem::path mmproj;  ///< Empty: none.
  std::vector<PulledFile> files;
  std::int64_t bytes_fetched = 0;
};

/// Hears how a pull goes on, in the caller's thread.
struct PullEvents {
  /// A file begins.
  std::function<void(const PulledFile&)> on_file;
  std::function<void(const HubFile&, const DownloadProgress&)> on_progress;
  /// Another process is fetching the file.
  std::function<void(const HubFile&)> on_wait;
};

/// Lists, selects, fetches what the cache lacks, and only when all of it is there lets the files
/// appear in the snapshot. Errors as list_files, select_files, download and Cache; limit_exceeded
/// for more than bytes_max; offline as find_cached.
Result<Pulled> pull(const PullOptions& options,
                    const PullEvents& events,
                    const std::stop_token& stop);

/// What pull would end with, from the cache alone. not_found, naming the `facet pull` command.
Result<Pulled> find_cached(const std::filesystem::path& cache,
                           const ModelName& name,
                           const std::string& revision = "main",
                           bool with_mmproj = false);

}  // namespace facet::agent::hub
