// A hub on a loopback port, for tests: it serves what a test puts into it and misbehaves as told.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace facet::test {

struct HubRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  ///< Names in lower case.

  /// First and last byte of a Range; nullopt without one.
  [[nodiscard]] std::optional<std::pair<std::size_t, std::size_t>> range() const;
};

struct HubAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<std::size_t> cut_after = std::nullopt;   ///< Bytes of the body, then the end.
  std::optional<std::size_t> hang_after = std::nullopt;  ///< Bytes of the body, then silence.
  std::optional<std::size_t> length = std::nullopt;  ///< Content-Length instead of the true one.
  std::chrono::microseconds wait_per_block{0};       ///< Of 16 KiB.
};

/// Serves each connection in a thread of its own, until it goes.
class FakeHub {
 public:
  using Handler = std::function<HubAnswer(const HubRequest&)>;

  explicit FakeHub(Handler handler);
  FakeHub(const FakeHub&) = delete;
  FakeHub& operator=(const FakeHub&) = delete;
  ~FakeHub();

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::vector<HubRequest> requests() const;
  /// Bytes of bodies that were sent.
  [[nodiscard]] std::int64_t bytes_sent() const { return bytes_sent_; }

 private:
  void accept_all(const std::stop_token& stop);
  void serve(int fd, const std::stop_token& stop);
  bool answer(int fd, const HubRequest& request, const std::stop_token& stop);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<std::int64_t> bytes_sent_{0};
  mutable std::mutex mutex_;
  std::vector<HubRequest> requests_;       // Under mutex_.
  std::vector<std::jthread> connections_;  // Of accept_all's thread.
  std::jthread accepting_;
};

/// A repository: the files of one commit, as a hub answers for them. Large files ("lfs") are named
/// by their SHA-256, small ones by git's SHA-1.
struct FakeRepository {
  std::string name = "owner/name";
  std::string commit = std::string(40, 'c');
  std::map<std::string, std::string> files;
  std::size_t lfs_bytes_min = 1000;
  bool lists_blobs = true;  ///< Sizes and digests in the listing.

  [[nodiscard]] std::string digest(const std::string& path) const;
  [[nodiscard]] HubAnswer answer(const HubRequest& request) const;
  [[nodiscard]] HubAnswer info() const;
  [[nodiscard]] HubAnswer file(const HubRequest& request, const std::string& path) const;
};

/// Bytes that no two files share: from a small generator, by `seed`.
std::string noise(std::size_t bytes, std::uint32_t seed);

}  // namespace facet::test
