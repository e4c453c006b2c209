#include "tests/support/fake_hub.h"

#include "agent/hub/digest.h"
#include "base/json.h"
#include "tests/support/temp_dir.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <poll.h>
#include <random>
#include <unistd.h>

namespace facet::test {

namespace {

constexpr std::size_t kBlockBytes = 16U << 10U;

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool is_readable(int fd) {
  pollfd wait{.fd = fd, .events = POLLIN};
  return ::poll(&wait, 1, 20) > 0;
}

/// The next request; nullopt when the connection or the test ends.
std::optional<HubRequest> read_request(int fd, std::string& rest, const std::stop_token& stop) {
  while (rest.find("\r\n\r\n") == std::string::npos) {
    if (stop.stop_requested()) return std::nullopt;
    if (!is_readable(fd)) continue;
    char buffer[4096];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return std::nullopt;
    rest.append(buffer, static_cast<std::size_t>(got));
  }
  const std::size_t end = rest.find("\r\n\r\n");
  std::string head = rest.substr(0, end + 2);
  rest.erase(0, end + 4);
  HubRequest out;
  const std::size_t line_end = head.find("\r\n");
  const std::string line = head.substr(0, line_end);
  out.method = line.substr(0, line.find(' '));
  out.target = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
  for (std::size_t at = line_end + 2; at < head.size();) {
    const std::size_t stop_at = head.find("\r\n", at);
    const std::string field = head.substr(at, stop_at - at);
    std::string name = field.substr(0, field.find(':'));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    out.headers[name] = field.substr(std::min(field.find(':') + 2, field.size()));
    at = stop_at + 2;
  }
  return out;
}

}  // namespace

std::optional<std::pair<std::size_t, std::size_t>> HubRequest::range() const {
  const auto found = headers.find("range");
  if (found == headers.end()) return std::nullopt;
  const std::string& text = found->second;  // bytes=A-B
  const std::size_t dash = text.find('-');
  return std::pair{std::stoul(text.substr(6, dash - 6)), std::stoul(text.substr(dash + 1))};
}

FakeHub::FakeHub(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, any, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, any, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

FakeHub::~FakeHub() {
  accepting_.request_stop();
  accepting_.join();
  for (std::jthread& connection : connections_) connection.request_stop();
  connections_.clear();
  ::close(listener_);
}

std::vector<HubRequest> FakeHub::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeHub::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!is_readable(listener_)) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    connections_.emplace_back([this, fd](const std::stop_token& end) { serve(fd, end); });
  }
}

void FakeHub::serve(int fd, const std::stop_token& stop) {
  std::string rest;
  while (const auto request = read_request(fd, rest, stop)) {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(*request);
    }
    if (!answer(fd, *request, stop)) break;
  }
  ::close(fd);
}

bool FakeHub::answer(int fd, const HubRequest& request, const std::stop_token& stop) {
  const HubAnswer answer = handler_(request);
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " x\r\nContent-Length: " +
                     std::to_string(answer.length.value_or(answer.body.size())) + "\r\n";
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  if (!send_all(fd, head + "\r\n")) return false;
  if (request.method == "HEAD") return true;
  const std::size_t end = std::min({answer.body.size(),
                                    answer.cut_after.value_or(answer.body.size()),
                                    answer.hang_after.value_or(answer.body.size())});
  for (std::size_t at = 0; at < end && !stop.stop_requested(); at += kBlockBytes) {
    const std::size_t part = std::min(kBlockBytes, end - at);
    if (!send_all(fd, std::string_view(answer.body).substr(at, part))) return false;
    bytes_sent_ += static_cast<std::int64_t>(part);
    if (answer.wait_per_block.count() > 0) std::this_thread::sleep_for(answer.wait_per_block);
  }
  while (answer.hang_after && !stop.stop_requested()) {
    if (!is_readable(fd)) continue;
    char byte = 0;
    if (::recv(fd, &byte, 1, 0) <= 0) break;
  }
  return !answer.cut_after && !answer.hang_after && !answer.length;
}

std::string FakeRepository::digest(const std::string& path) const {
  const TempDir folder;
  const auto copy = folder.path() / "copy";
  const std::string& bytes = files.at(path);
  std::ofstream(copy, std::ios::binary) << bytes;
  const auto kind = bytes.size() < lfs_bytes_min ? agent::hub::DigestKind::git_sha1
                                                 : agent::hub::DigestKind::sha256;
  return *agent::hub::digest_of_file(copy, kind, {});
}

HubAnswer FakeRepository::info() const {
  nlohmann::ordered_json siblings = nlohmann::ordered_json::array();
  for (const auto& [path, bytes] : files) {
    nlohmann::ordered_json entry = {{"rfilename", path}};
    if (lists_blobs) {
      entry["size"] = bytes.size();
      const bool is_lfs = bytes.size() >= lfs_bytes_min;
      entry["blobId"] = is_lfs ? std::string(40, '0') : digest(path);
      if (is_lfs) entry["lfs"] = {{"sha256", digest(path)}, {"size", bytes.size()}};
    }
    siblings.push_back(entry);
  }
  return {.body = dump_json({{"sha", commit}, {"siblings", siblings}})};
}

HubAnswer FakeRepository::file(const HubRequest& request, const std::string& path) const {
  const std::string& bytes = files.at(path);
  if (request.method == "HEAD") {
    const char* field = bytes.size() >= lfs_bytes_min ? "X-Linked-Etag" : "ETag";
    return {.headers = {{field, '"' + digest(path) + '"'}}, .length = bytes.size()};
  }
  const auto range = request.range();
  if (!range) return {.body = bytes};
  return {.status = 206,
          .headers = {{"Content-Range",
                       "bytes " + std::to_string(range->first) + "-" +
                           std::to_string(range->second) + "/" + std::to_string(bytes.size())}},
          .body = bytes.substr(range->first, range->second - range->first + 1)};
}

HubAnswer FakeRepository::answer(const HubRequest& request) const {
  if (request.target.starts_with("/api/models/" + name + "/revision/main")) return info();
  const std::string base = "/" + name + "/resolve/" + commit + "/";
  if (request.target.starts_with(base) && files.contains(request.target.substr(base.size()))) {
    return file(request, request.target.substr(base.size()));
  }
  return {.status = 404, .body = "no"};
}

std::string noise(std::size_t bytes, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string out(bytes, '\0');
  for (char& c : out) c = static_cast<char>(random() & 0xFFU);
  return out;
}

}  // namespace facet::test
