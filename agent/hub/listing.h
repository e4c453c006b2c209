// What a repository of a hub holds at one commit, over the hub's HTTP interface.
#pragma once

#include "agent/hub/digest.h"
#include "agent/hub/http.h"
#include "agent/hub/names.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::agent::hub {

struct HubFile {
  std::string path;         ///< Relative, checked by check_file_name.
  std::int64_t bytes = -1;  ///< -1: the listing does not say.
  std::optional<FileDigest> digest;
};

struct Listing {
  std::string commit;
  std::vector<HubFile> files;  ///< Sorted by path; no path twice.
};

struct ListingLimits {
  std::size_t files_max = 100'000;
  int pages_max = 200;
  std::int64_t file_bytes_max = std::int64_t{1} << 40;  ///< 1 TiB.
};

/// The files of `name` at `revision`: api/models/OWNER/NAME/revision/REVISION, and where that names
/// no files api/models/OWNER/NAME/tree/COMMIT. Errors as response_error and HttpClient::send;
/// invalid_data for an answer that is no such listing, or that names a file outside its folder.
Result<Listing> list_files(HttpClient& client,
                           const std::string& endpoint,
                           const ModelName& name,
                           const std::string& revision,
                           const Retry& retry,
                           const std::stop_token& stop,
                           const ListingLimits& limits = {});

/// Where the bytes of a file are.
std::string file_url(const std::string& endpoint,
                     const ModelName& name,
                     const std::string& commit,
                     const std::string& path);

/// Asks the hub for the size and the digest of a file whose listing lacks them. unsupported when it
/// has no digest that can be checked.
Status complete_file(HttpClient& client,
                     const std::string& url,
                     const Retry& retry,
                     const std::stop_token& stop,
                     HubFile& file,
                     const ListingLimits& limits = {});

}  // namespace facet::agent::hub
