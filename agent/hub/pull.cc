#include "agent/hub/pull.h"

#include <utility>

namespace facet::agent::hub {

namespace fs = std::filesystem;

namespace {

/// Sizes and digests that the listing lacks.
Status complete(HttpClient& client,
                const PullOptions& options,
                const std::string& commit,
                const std::stop_token& stop,
                std::vector<HubFile>& files) {
  std::int64_t total = 0;
  for (HubFile& file : files) {
    if (!file.digest || file.bytes < 0) {
      const std::string url = file_url(options.http.endpoint, options.name, commit, file.path);
      FACET_TRY_STATUS(complete_file(client, url, options.download.retry, stop, file));
    }
    if (file.bytes > options.bytes_max - total) {
      return Error{Code::limit_exceeded,
                   "'" + options.name.text() + "' has more than the " +
                       size_text(options.bytes_max) + " that a pull may fetch"};
    }
    total += file.bytes;
  }
  return ok();
}

/// The bytes fetched.
Result<std::int64_t> fetch(const PullOptions& options,
                           const Cache& cache,
                           const std::string& commit,
                           const HubFile& file,
                           const PullEvents& events,
                           const std::stop_token& stop) {
  FACET_TRY(const FileDescriptor lock, cache.lock(options.name, *file.digest, stop, [&] {
    if (events.on_wait) events.on_wait(file);
  }));
  // Who had the lock may have fetched it.
  if (cache.has_blob(options.name, file)) return std::int64_t{0};
  const DownloadSource source{
      .url = file_url(options.http.endpoint, options.name, commit, file.path),
      .what = "'" + options.name.repository() + "' " + file.path,
      .bytes = file.bytes,
      .digest = *file.digest};
  const fs::path blob = cache.blob(options.name, *file.digest);
  return download(
      options.http, source, blob, options.download, stop, [&](const DownloadProgress& progress) {
        if (events.on_progress) events.on_progress(file, progress);
      });
}

void set_paths(const fs::path& snapshot, const Selection& selection, Pulled& out) {
  out.model = selection.model.empty() ? snapshot : snapshot / selection.model;
  if (!selection.mmproj.empty()) out.mmproj = snapshot / selection.mmproj;
}

}  // namespace

Result<Pulled> pull(const PullOptions& options,
                    const PullEvents& events,
                    const std::stop_token& stop) {
  FACET_TRY_STATUS(check_revision(options.revision));
  if (options.is_offline) {
    auto cached = find_cached(options.cache, options.name, options.revision, options.with_mmproj);
    if (!cached) return cached.error().with_context("HF_HUB_OFFLINE is set, nothing is fetched");
    return cached;
  }
  FACET_TRY(HttpClient client, HttpClient::create(options.http));
  FACET_TRY(const Listing listing,
            list_files(client,
                       options.http.endpoint,
                       options.name,
                       options.revision,
                       options.download.retry,
                       stop));
  FACET_TRY(Selection selection, select_files(options.name, listing.files, options.with_mmproj));
  FACET_TRY_STATUS(complete(client, options, listing.commit, stop, selection.files));
  const Cache cache(options.cache);
  Pulled out{.commit = listing.commit};
  for (const HubFile& file : selection.files) {
    out.files.push_back({.file = file, .was_cached = cache.has_blob(options.name, file)});
  }
  if (options.is_dry_run) return out;
  for (const PulledFile& file : out.files) {
    if (events.on_file) events.on_file(file);
    if (file.was_cached) continue;
    FACET_TRY(const std::int64_t fetched,
              fetch(options, cache, listing.commit, file.file, events, stop));
    out.bytes_fetched += fetched;
  }
  for (const PulledFile& file : out.files) {
    FACET_TRY_STATUS(cache.link(options.name, listing.commit, file.file));
  }
  FACET_TRY_STATUS(cache.write_ref(options.name, options.revision, listing.commit));
  set_paths(cache.snapshot(options.name, listing.commit), selection, out);
  return out;
}

Result<Pulled> find_cached(const fs::path& root,
                           const ModelName& name,
                           const std::string& revision,
                           bool with_mmproj) {
  const Cache cache(root);
  const std::string flags = (revision == "main" ? "" : " --revision " + revision) +
                            std::string(with_mmproj ? " --mmproj" : "");
  const std::string advice = "; fetch it with: facet pull " + name.text() + flags;
  const auto commit = cache.commit_of(name, revision);
  if (!commit) return Error{commit.error().code, commit.error().message + advice};
  const auto files = cache.files(name, *commit);
  if (!files) return Error{files.error().code, files.error().message + advice};
  auto selection = select_files(name, *files, with_mmproj);
  if (!selection) {
    // What the cache lacks the hub may have.
    const Code code =
        selection.error().code == Code::unsupported ? Code::not_found : selection.error().code;
    return Error{code, "in the cache, " + selection.error().message + advice};
  }
  Pulled out{.commit = *commit};
  for (HubFile& file : selection->files) {
    out.files.push_back({.file = std::move(file), .was_cached = true});
  }
  set_paths(cache.snapshot(name, *commit), *selection, out);
  return out;
}

}  // namespace facet::agent::hub
