#include "agent/hub/download.h"

#include "agent/hub/cache.h"
#include "agent/hub/partial_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace facet::agent::hub {

namespace fs = std::filesystem;

namespace {

constexpr int kConnectionsMax = 16;
constexpr std::chrono::milliseconds kProgressPeriod{100};

Error invalid(const DownloadSource& source, std::string message) {
  return Error{Code::invalid_data, source.what + ": " + std::move(message)};
}

/// "bytes 0-99/1000" for exactly the range that was asked for, of exactly this file.
bool is_range(std::string_view content_range, const ByteRange& range, std::int64_t bytes) {
  const std::string expected = "bytes " + std::to_string(range.begin) + "-" +
                               std::to_string(range.end - 1) + "/" + std::to_string(bytes);
  return content_range == expected;
}

/// What the workers of one file share.
class Transfer {
 public:
  Transfer(const HttpOptions& http,
           const DownloadSource& source,
           const DownloadOptions& options,
           PartialFile& file)
      : http_(http), source_(source), options_(options), file_(file) {
    done_ = file.bytes_done();
  }

  /// Fetches what is missing.
  Status run(const std::stop_token& stop, const std::function<void(const DownloadProgress&)>& hear);
  [[nodiscard]] std::int64_t fetched() const { return fetched_; }

 private:
  void work();
  Status fetch_chunk(HttpClient& client, std::size_t chunk);
  Status fetch_stream(HttpClient& client, const std::stop_token& stop);
  Status check_head(const HttpResponse& response, const std::optional<ByteRange>& range);
  Status take(std::span<const std::byte> bytes, std::size_t chunk);
  void end_with(Error error);

  const HttpOptions& http_;
  const DownloadSource& source_;
  const DownloadOptions& options_;
  PartialFile& file_;
  std::stop_source stop_;  ///< Of the workers: a stop from outside, or a failure of one of them.
  std::atomic<std::int64_t> done_{0};
  std::atomic<std::int64_t> fetched_{0};
  std::atomic<std::size_t> next_chunk_{0};
  std::atomic<bool> ignores_ranges_{false};
  std::mutex mutex_;
  std::condition_variable ended_;
  int running_ = 0;             ///< Under mutex_.
  std::optional<Error> error_;  ///< Under mutex_; the first.
};

void Transfer::end_with(Error error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
  stop_.request_stop();
}

Status Transfer::check_head(const HttpResponse& response, const std::optional<ByteRange>& range) {
  if (range && response.status == 200) {
    ignores_ranges_ = true;
    return Error{Code::unsupported, source_.what + ": the hub ignores ranges"};
  }
  const std::string content_range = response.header("content-range");
  if (range && !is_range(content_range, *range, source_.bytes)) {
    return invalid(source_,
                   "asked for bytes " + std::to_string(range->begin) + " to " +
                       std::to_string(range->end - 1) + " of " + std::to_string(source_.bytes) +
                       ", the hub sends '" + content_range.substr(0, 80) + "'");
  }
  if (!range && response.status == 206) {
    return invalid(source_, "the hub sends a part where the whole was asked for");
  }
  const std::string length = response.header("content-length");
  const std::int64_t expected = range ? range->end - range->begin : source_.bytes;
  if (!length.empty() && length != std::to_string(expected)) {
    return invalid(source_,
                   "the hub sends " + length.substr(0, 40) + " bytes where " +
                       std::to_string(expected) + " are due");
  }
  return ok();
}

Status Transfer::take(std::span<const std::byte> bytes, std::size_t chunk) {
  const std::int64_t room = file_.chunk_end(chunk) - file_.chunk_begin(chunk) - file_.done(chunk);
  if (static_cast<std::int64_t>(bytes.size()) > room) {
    return invalid(source_, "the hub sends more bytes than are due");
  }
  FACET_TRY_STATUS(file_.append(chunk, bytes));
  done_ += static_cast<std::int64_t>(bytes.size());
  fetched_ += static_cast<std::int64_t>(bytes.size());
  return ok();
}

Status Transfer::fetch_chunk(HttpClient& client, std::size_t chunk) {
  const std::stop_token stop = stop_.get_token();
  for (int tries = 1;; ++tries) {
    const ByteRange range{file_.chunk_begin(chunk) + file_.done(chunk), file_.chunk_end(chunk)};
    if (range.begin == range.end) return ok();
    std::optional<ByteRange> asked;
    if (range.begin > 0 || range.end < source_.bytes) asked = range;
    FACET_TRY(
        HttpResponse response,
        client.send({.url = source_.url,
                     .range = asked,
                     .on_head = [&](const HttpResponse& head) { return check_head(head, asked); },
                     .sink = [&](auto bytes) { return take(bytes, chunk); }},
                    stop));
    if (file_.done(chunk) == file_.chunk_end(chunk) - file_.chunk_begin(chunk)) return ok();
    const bool is_success = response.status == 200 || response.status == 206;
    if (!is_success && !response.is_transient()) return response_error(response, source_.what);
    if (is_success && !response.broken) {
      response.broken = Error{Code::unavailable, "the hub sends fewer bytes than are due"};
    }
    FACET_TRY_STATUS(wait_to_retry(options_.retry, tries, response, source_.what, stop));
  }
}

Status Transfer::fetch_stream(HttpClient& client, const std::stop_token& stop) {
  for (int tries = 1;; ++tries) {
    FACET_TRY_STATUS(file_.reset());
    done_ = 0;
    std::size_t chunk = 0;
    const auto sink = [&](std::span<const std::byte> bytes) -> Status {
      while (!bytes.empty()) {
        if (chunk == file_.chunks()) return invalid(source_, "the hub sends too many bytes");
        const std::int64_t room =
            file_.chunk_end(chunk) - file_.chunk_begin(chunk) - file_.done(chunk);
        const std::size_t part = std::min(bytes.size(), static_cast<std::size_t>(room));
        FACET_TRY_STATUS(take(bytes.first(part), chunk));
        bytes = bytes.subspan(part);
        if (static_cast<std::int64_t>(part) == room) ++chunk;
      }
      return ok();
    };
    const auto on_head = [&](const HttpResponse& head) { return check_head(head, std::nullopt); };
    FACET_TRY(HttpResponse response,
              client.send({.url = source_.url, .on_head = on_head, .sink = sink}, stop));
    if (file_.bytes_done() == source_.bytes) return ok();
    if (response.status != 200 && !response.is_transient()) {
      return response_error(response, source_.what);
    }
    if (response.status == 200 && !response.broken) {
      response.broken = Error{Code::unavailable, "the hub sends fewer bytes than are due"};
    }
    FACET_TRY_STATUS(wait_to_retry(options_.retry, tries, response, source_.what, stop));
  }
}

void Transfer::work() {
  auto client = HttpClient::create(http_);
  if (!client) end_with(client.error());
  while (client && !stop_.stop_requested()) {
    const std::size_t chunk = next_chunk_++;
    if (chunk >= file_.chunks()) break;
    if (auto status = fetch_chunk(*client, chunk); !status) end_with(status.error());
  }
  const std::lock_guard lock(mutex_);
  --running_;
  ended_.notify_all();
}

Status Transfer::run(const std::stop_token& stop,
                     const std::function<void(const DownloadProgress&)>& hear) {
  const std::stop_callback forward(stop, [this] { stop_.request_stop(); });
  const auto missing_chunks =
      static_cast<int>(std::min<std::size_t>(file_.chunks(), kConnectionsMax));
  std::vector<std::jthread> workers;
  running_ = std::clamp(options_.connections, 1, std::max(missing_chunks, 1));
  for (int i = running_; i > 0; --i) workers.emplace_back([this] { work(); });
  {
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, kProgressPeriod, [this] { return running_ == 0; })) {
      lock.unlock();
      hear({.bytes_done = done_});
      lock.lock();
    }
  }
  workers.clear();
  if (stop.stop_requested()) return Error{Code::cancelled, "interrupted: " + source_.what};
  if (!ignores_ranges_) return error_ ? Status(*error_) : ok();
  FACET_TRY(HttpClient client, HttpClient::create(http_));
  return fetch_stream(client, stop);
}

/// Checks the finished `partial` and gives it the name of the blob.
Status accept(const fs::path& partial,
              const DownloadSource& source,
              const fs::path& blob,
              const std::stop_token& stop,
              const std::function<void(const DownloadProgress&)>& hear) {
  FACET_TRY(const std::string hex,
            digest_of_file(partial, source.digest.kind, stop, [&](std::int64_t done) {
              hear({.bytes_done = done, .is_checking = true});
            }));
  if (hex != source.digest.hex) {
    ::unlink(partial.c_str());
    return invalid(source, "its bytes have the digest " + hex + ", not " + source.digest.hex);
  }
  if (::rename(partial.c_str(), blob.c_str()) == 0) return ok();
  return file_error(blob, "made", errno);
}

}  // namespace

Result<std::int64_t> download(const HttpOptions& http,
                              const DownloadSource& source,
                              const fs::path& blob,
                              const DownloadOptions& options,
                              const std::stop_token& stop,
                              const std::function<void(const DownloadProgress&)>& on_progress) {
  const auto hear = [&](const DownloadProgress& progress) {
    if (on_progress) on_progress(progress);
  };
  FACET_TRY_STATUS(make_folders(blob.parent_path()));
  const fs::path partial = blob.string() + ".facet.incomplete";
  std::int64_t fetched = 0;
  while (true) {
    bool was_resumed = false;
    {
      FACET_TRY(PartialFile file, PartialFile::open(partial, source.bytes, options.chunk_bytes));
      was_resumed = file.bytes_done() > 0;
      Transfer transfer(http, source, options, file);
      auto status = transfer.run(stop, hear);
      fetched += transfer.fetched();
      if (!status) return status.error();
      FACET_TRY_STATUS(file.finish());
      // A stream begins anew: nothing in it is from an earlier try.
      was_resumed = was_resumed && transfer.fetched() < source.bytes;
    }
    auto status = accept(partial, source, blob, stop, hear);
    if (status) return fetched;
    if (status.error().code != Code::invalid_data || !was_resumed) return status.error();
  }
}

}  // namespace facet::agent::hub
