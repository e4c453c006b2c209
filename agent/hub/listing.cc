#include "agent/hub/listing.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace facet::agent::hub {

using nlohmann::ordered_json;

namespace {

const ordered_json* member(const ordered_json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_member(const ordered_json& object, const char* name) {
  const ordered_json* value = member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

Error invalid(std::string_view what, std::string message) {
  return Error{Code::invalid_data, std::string(what) + ": " + std::move(message)};
}

Result<std::int64_t> size_member(const ordered_json& object,
                                 std::string_view path,
                                 const ListingLimits& limits) {
  const ordered_json* value = member(object, "size");
  if (value == nullptr || value->is_null()) return std::int64_t{-1};
  if (!value->is_number_integer() || *value < 0 || *value > limits.file_bytes_max) {
    return invalid(path, "the hub says that it has " + dump_json(*value).substr(0, 40) + " bytes");
  }
  return value->get<std::int64_t>();
}

/// One entry of either listing: {"rfilename" or "path", "size", "blobId" or "oid", "lfs"}.
Result<HubFile> read_entry(const ordered_json& entry, const ListingLimits& limits) {
  HubFile file{.path = text_member(entry, "rfilename")};
  if (file.path.empty()) file.path = text_member(entry, "path");
  FACET_TRY_STATUS(check_file_name(file.path));
  FACET_TRY(file.bytes, size_member(entry, file.path, limits));
  std::string hex = text_member(entry, "blobId");
  if (hex.empty()) hex = text_member(entry, "oid");
  if (const ordered_json* lfs = member(entry, "lfs"); lfs != nullptr && lfs->is_object()) {
    // What git holds of such a file is a pointer: its digest is not that of the bytes.
    hex = text_member(*lfs, "sha256");
    if (hex.empty()) hex = text_member(*lfs, "oid");
    FACET_TRY(const std::int64_t bytes, size_member(*lfs, file.path, limits));
    if (bytes >= 0) file.bytes = bytes;
  }
  if (hex.empty()) return file;
  file.digest = digest_from_hex(hex);
  if (!file.digest) {
    return invalid(file.path, "'" + hex.substr(0, 80) + "' is neither a SHA-256 nor a git digest");
  }
  return file;
}

Status add_entries(const ordered_json& entries,
                   std::string_view what,
                   const ListingLimits& limits,
                   std::vector<HubFile>& files) {
  for (const ordered_json& entry : entries) {
    if (text_member(entry, "type") == "directory") continue;
    if (files.size() == limits.files_max) {
      return Error{
          Code::limit_exceeded,
          std::string(what) + ": more than " + std::to_string(limits.files_max) + " files"};
    }
    auto file = read_entry(entry, limits);
    if (!file) return file.error().with_context(what);
    files.push_back(*std::move(file));
  }
  return ok();
}

/// The address of <...>; rel="next" in a Link header; empty when there is none.
std::string next_page(const HttpResponse& response) {
  const std::string link = response.header("link");
  const std::size_t rel = link.find("rel=\"next\"");
  const std::size_t end = link.rfind('>', rel);
  const std::size_t begin = link.rfind('<', end);
  if (rel == std::string::npos || end == std::string::npos || begin == std::string::npos) return {};
  return link.substr(begin + 1, end - begin - 1);
}

Result<HttpResponse> get(HttpClient& client,
                         const std::string& url,
                         std::string_view what,
                         const Retry& retry,
                         const std::stop_token& stop) {
  FACET_TRY(HttpResponse response, send_with_retries(client, {.url = url}, retry, what, stop));
  if (response.status != 200) return response_error(response, what);
  return response;
}

Status read_tree(HttpClient& client,
                 const std::string& base,
                 std::string_view what,
                 const Retry& retry,
                 const std::stop_token& stop,
                 const ListingLimits& limits,
                 Listing& listing) {
  std::string url = base + "/tree/" + listing.commit + "?recursive=true";
  for (int page = 0; !url.empty(); ++page) {
    if (page == limits.pages_max) {
      return Error{Code::limit_exceeded,
                   std::string(what) + ": more than " + std::to_string(limits.pages_max) +
                       " pages of files"};
    }
    FACET_TRY(const HttpResponse response, get(client, url, what, retry, stop));
    FACET_TRY(const ordered_json entries, parse_json(response.body, what));
    if (!entries.is_array()) return invalid(what, "the hub's list of files is no array");
    FACET_TRY_STATUS(add_entries(entries, what, limits, listing.files));
    url = next_page(response);
  }
  return ok();
}

}  // namespace

Result<Listing> list_files(HttpClient& client,
                           const std::string& endpoint,
                           const ModelName& name,
                           const std::string& revision,
                           const Retry& retry,
                           const std::stop_token& stop,
                           const ListingLimits& limits) {
  const std::string what =
      "'" + name.repository() + "'" + (revision == "main" ? "" : " at '" + revision + "'");
  const std::string base = endpoint + "/api/models/" + name.repository();
  const std::string url = base + "/revision/" + encode_part(revision) + "?blobs=true";
  FACET_TRY(const HttpResponse response, get(client, url, what, retry, stop));
  FACET_TRY(const ordered_json info, parse_json(response.body, what));
  Listing listing{.commit = text_member(info, "sha")};
  if (!is_commit(listing.commit)) {
    return invalid(what, "the hub names no commit, but '" + listing.commit.substr(0, 80) + "'");
  }
  const ordered_json* siblings = member(info, "siblings");
  if (siblings != nullptr && siblings->is_array()) {
    FACET_TRY_STATUS(add_entries(*siblings, what, limits, listing.files));
  } else {
    FACET_TRY_STATUS(read_tree(client, base, what, retry, stop, limits, listing));
  }
  std::vector<HubFile>& files = listing.files;
  const auto by_path = [](const HubFile& a, const HubFile& b) { return a.path < b.path; };
  std::sort(files.begin(), files.end(), by_path);
  for (std::size_t i = 1; i < files.size(); ++i) {
    if (files[i].path == files[i - 1].path) {
      return invalid(what, "the hub lists '" + files[i].path + "' twice");
    }
  }
  return listing;
}

std::string file_url(const std::string& endpoint,
                     const ModelName& name,
                     const std::string& commit,
                     const std::string& path) {
  return endpoint + "/" + name.repository() + "/resolve/" + commit + "/" + encode_path(path);
}

Status complete_file(HttpClient& client,
                     const std::string& url,
                     const Retry& retry,
                     const std::stop_token& stop,
                     HubFile& file,
                     const ListingLimits& limits) {
  const HttpRequest request{.url = url, .is_head = true, .stop_at_header = "x-linked-etag"};
  FACET_TRY(const HttpResponse response,
            send_with_retries(client, request, retry, file.path, stop));
  const bool is_linked = !response.header("x-linked-etag").empty();
  if (response.status != 200 && !is_linked) return response_error(response, file.path);
  std::string etag = response.header(is_linked ? "x-linked-etag" : "etag");
  if (etag.starts_with("W/")) etag.erase(0, 2);
  std::erase(etag, '"');
  file.digest = digest_from_hex(etag);
  if (!file.digest) {
    return Error{Code::unsupported,
                 file.path + ": the hub gives no digest to check it against (ETag '" +
                     etag.substr(0, 80) + "')"};
  }
  std::string size = response.header("x-linked-size");
  if (size.empty() && response.status == 200) size = response.header("content-length");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), file.bytes);
  if (error != std::errc() || end != size.data() + size.size() || file.bytes < 0 ||
      file.bytes > limits.file_bytes_max) {
    return invalid(file.path, "the hub says that it has '" + size.substr(0, 40) + "' bytes");
  }
  return ok();
}

}  // namespace facet::agent::hub
