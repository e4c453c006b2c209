// HttpClient: GET and HEAD over libcurl, with the rules that a download from strangers needs. The
// only file that knows libcurl is http.cc.
//
// Redirects are followed here, not by libcurl, one by one:
//  - the token goes to the hub's own origin (scheme, host, port) and nowhere else;
//  - http is spoken with loopback hosts only, unless the person allowed it, and https never leads
//    to http;
//  - a hub on the public internet cannot lead to an address that is not public (loopback, private,
//    link-local): the address is looked at when the socket is opened, after every name and odd
//    spelling has been resolved.
// Certificates are always checked.
#pragma once

#include "base/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace facet::agent::hub {

struct HttpLimits {
  int redirects_max = 5;
  std::chrono::milliseconds connect_ms_max{10'000};
  std::chrono::seconds stall_seconds_max{30};    ///< Without a byte.
  std::chrono::seconds answer_seconds_max{120};  ///< Of one answer that has no sink.
  std::size_t header_bytes_max = std::size_t{256} << 10U;
  std::size_t body_bytes_max = std::size_t{64} << 20U;  ///< Of one answer that has no sink.
};

struct HttpOptions {
  std::string endpoint;  ///< Scheme, host, port and path of the hub, without a '/' at its end.
  std::string token;     ///< Sent to the endpoint's origin only; empty: none.
  bool allow_http = false;
  HttpLimits limits;
};

/// Bytes [begin, end) of a file.
struct ByteRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

struct HttpResponse {
  int status = 0;                              ///< 0: no answer came.
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;                            ///< Empty when a sink took it.
  /// The transfer broke off (connection, name, time): another try may do better.
  std::optional<Error> broken;

  /// Empty when it is not there.
  [[nodiscard]] std::string header(std::string_view name) const;
  /// Broken, or a status that asks to come back: 408, 429, 5xx.
  [[nodiscard]] bool is_transient() const;
};

struct HttpRequest {
  std::string url;
  bool is_head = false;
  /// A redirect that has this header is the answer.
  std::string stop_at_header;
  std::optional<ByteRange> range;
  /// Hears the head of a 200 or 206 before its first byte; an error ends the transfer.
  std::function<Status(const HttpResponse&)> on_head;
  /// Takes the body of a 200 or 206; an error ends the transfer.
  std::function<Status(std::span<const std::byte>)> sink;
};

/// Keeps its connections for the next request. One thread at a time.
class HttpClient {
 public:
  /// invalid_argument for an endpoint that is no http(s) URL, has a user or a query in it, or
  /// speaks http with a host that is not loopback without allow_http.
  static Result<HttpClient> create(const HttpOptions& options);

  HttpClient(HttpClient&& other) noexcept;
  HttpClient& operator=(HttpClient&& other) noexcept;
  ~HttpClient();

  /// What came back, whatever its status. Errors are those that another try cannot mend:
  /// permission_denied for a redirect that the rules above refuse, limit_exceeded for too many of
  /// them or a body that is too large, unavailable for a certificate that is not right, cancelled,
  /// and the errors of on_head and sink.
  Result<HttpResponse> send(const HttpRequest& request, const std::stop_token& stop);

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// How often and how soon a request that failed is tried again.
struct Retry {
  int tries_max = 6;
  std::chrono::milliseconds wait_first{500};  ///< Doubles with each try.
  std::chrono::milliseconds wait_max{60'000};
};

/// Waits before try `tries` + 1, as long as `response` asks for by Retry-After or by doubling.
/// The error of the response, by response_error, when the tries are used up or the hub asks for
/// more patience than wait_max; cancelled.
Status wait_to_retry(const Retry& retry,
                     int tries,
                     const HttpResponse& response,
                     std::string_view what,
                     const std::stop_token& stop);

/// `response`, which is no success, as an error about `what`: permission_denied for 401 and 403,
/// not_found for 404, unavailable for what is transient, else invalid_data.
Error response_error(const HttpResponse& response, std::string_view what);

/// send() until the answer is not transient, within `retry`.
Result<HttpResponse> send_with_retries(HttpClient& client,
                                       const HttpRequest& request,
                                       const Retry& retry,
                                       std::string_view what,
                                       const std::stop_token& stop);

}  // namespace facet::agent::hub
