#include "agent/hub/http.h"

#include "agent/hub/addresses.h"
#include "base/ascii.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <unistd.h>
#include <utility>

namespace facet::agent::hub {

namespace {

constexpr std::size_t kErrorBodyBytesMax = 64U << 10U;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

struct Url {
  std::string text;
  std::string scheme;
  std::string host;  ///< Lower case, no brackets.
  std::string port;
  bool has_user = false;
  bool has_query = false;

  [[nodiscard]] bool is_same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

std::string part_of(CURLU* url, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

/// `text`, taken relative to `base` unless that is empty.
std::optional<Url> parse_url(const std::string& base, const std::string& text) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (!url) return std::nullopt;
  const auto set = [&](const std::string& value) {
    return curl_url_set(url.get(), CURLUPART_URL, value.c_str(), CURLU_NON_SUPPORT_SCHEME) ==
           CURLUE_OK;
  };
  if (!base.empty() && !set(base)) return std::nullopt;
  if (!set(text)) return std::nullopt;
  Url out{.text = part_of(url.get(), CURLUPART_URL),
          .scheme = ascii_lower(part_of(url.get(), CURLUPART_SCHEME)),
          .host = ascii_lower(part_of(url.get(), CURLUPART_HOST)),
          .port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)};
  if (out.host.starts_with('[') && out.host.ends_with(']')) {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  out.has_user = !part_of(url.get(), CURLUPART_USER).empty();
  out.has_query = !part_of(url.get(), CURLUPART_QUERY).empty();
  return out;
}

/// One exchange with one server: what the callbacks of libcurl share.
struct Exchange {
  const HttpRequest& request;
  const HttpLimits& limits;
  const std::stop_token& stop;
  bool may_reach_internal;
  bool reached_internal = false;
  bool refused_internal = false;
  bool has_head_been_heard = false;
  std::size_t header_bytes = 0;
  HttpResponse response = {};
  std::optional<Error> error = {};

  [[nodiscard]] bool is_success() const { return response.status == 200 || response.status == 206; }
  [[nodiscard]] bool is_redirect() const {
    return response.status >= 301 && response.status <= 308 && response.status != 304;
  }
  bool hear_head() {
    if (std::exchange(has_head_been_heard, true) || !request.on_head || !is_success()) return true;
    if (auto status = request.on_head(response); !status) error = status.error();
    return !error.has_value();
  }
};

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const std::string_view line = trimmed({bytes, size * count});
  exchange.header_bytes += size * count;
  if (exchange.header_bytes > exchange.limits.header_bytes_max) {
    exchange.error =
        Error{Code::limit_exceeded,
              "'" + exchange.request.url + "' sends more than " +
                  std::to_string(exchange.limits.header_bytes_max) + " bytes of headers"};
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    // A new head: what came before was an interim answer.
    exchange.response.headers.clear();
    const std::size_t space = line.find(' ');
    exchange.response.status = 0;
    for (std::size_t i = space + 1; space != std::string_view::npos && i < line.size(); ++i) {
      if (line[i] < '0' || line[i] > '9' || i > space + 3) break;
      exchange.response.status = exchange.response.status * 10 + (line[i] - '0');
    }
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    exchange.response.headers[ascii_lower(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  }
  return size * count;
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const std::size_t total = size * count;
  if (!exchange.hear_head()) return 0;
  if (exchange.is_success() && exchange.request.sink) {
    auto status = exchange.request.sink(std::as_bytes(std::span(bytes, total)));
    if (status) return total;
    exchange.error = status.error();
    return 0;
  }
  if (!exchange.is_success()) {
    // Of a failure only the beginning is of use.
    std::string& body = exchange.response.body;
    body.append(bytes,
                std::min(total, kErrorBodyBytesMax - std::min(kErrorBodyBytesMax, body.size())));
    return total;
  }
  if (exchange.response.body.size() + total > exchange.limits.body_bytes_max) {
    exchange.error = Error{Code::limit_exceeded,
                           "'" + exchange.request.url + "' answers with more than " +
                               std::to_string(exchange.limits.body_bytes_max) + " bytes"};
    return 0;
  }
  exchange.response.body.append(bytes, total);
  return total;
}

int on_tick(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->stop.stop_requested() ? 1 : 0;
}

curl_socket_t on_socket(void* user, curlsocktype, curl_sockaddr* address) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  if (!is_public_address(address->addr)) {
    if (!exchange.may_reach_internal) {
      exchange.refused_internal = true;
      return CURL_SOCKET_BAD;
    }
    exchange.reached_internal = true;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

bool is_certificate_error(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

}  // namespace

struct HttpClient::State {
  HttpOptions options;
  Url endpoint;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{nullptr, &curl_easy_cleanup};
  /// The person named an endpoint that is not on the public internet.
  bool is_endpoint_internal = false;

  void prepare(const Url& url, curl_slist* headers, Exchange& exchange) const;
  Result<HttpResponse> exchange(const HttpRequest& request,
                                const Url& url,
                                const std::stop_token& stop);
  [[nodiscard]] Status check_url(const Url& url, const Url* from) const;
};

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&& other) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&& other) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::create(const HttpOptions& options) {
  // libcurl asks for this once per process, before its first handle.
  static std::once_flag once;
  static CURLcode global = CURLE_OK;
  std::call_once(once, [] { global = curl_global_init(CURL_GLOBAL_ALL); });
  auto state = std::make_unique<State>();
  state->options = options;
  state->curl.reset(curl_easy_init());
  if (global != CURLE_OK || !state->curl) {
    return Error{Code::internal,
                 std::string("libcurl cannot start: ") + curl_easy_strerror(global)};
  }
  const auto url = parse_url("", options.endpoint);
  if (!url || url->host.empty() || url->has_user || url->has_query) {
    return Error{Code::invalid_argument,
                 "the hub '" + options.endpoint + "' is no URL of the form https://host[/path]"};
  }
  state->endpoint = *url;
  const auto is_bad = [](char c) { return c <= 0x20 || c >= 0x7F; };
  if (std::any_of(options.token.begin(), options.token.end(), is_bad)) {
    return Error{Code::invalid_argument, "the token of the hub has characters that no token has"};
  }
  if (auto status = state->check_url(*url, nullptr); !status) {
    return Error{Code::invalid_argument, status.error().message};
  }
  return HttpClient(std::move(state));
}

Status HttpClient::State::check_url(const Url& url, const Url* from) const {
  const std::string shown = from == nullptr
                                ? "the hub '" + url.text + "'"
                                : "'" + from->text + "' leads to '" + url.text + "', which";
  if (url.scheme != "https" && url.scheme != "http") {
    return Error{Code::permission_denied, shown + " is neither https nor http"};
  }
  if (url.scheme == "https") return ok();
  if (from != nullptr && from->scheme == "https") {
    return Error{Code::permission_denied, shown + " would leave https"};
  }
  if (options.allow_http || is_loopback_host(url.host)) return ok();
  return Error{Code::permission_denied,
               shown +
                   " is not encrypted: http is spoken only with this machine, unless "
                   "--allow-http is given"};
}

void HttpClient::State::prepare(const Url& url, curl_slist* headers, Exchange& exchange) const {
  CURL* handle = curl.get();
  const HttpLimits& limits = options.limits;
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_URL, url.text.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "facet");
  curl_easy_setopt(
      handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect_ms_max.count()));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(
      handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stall_seconds_max.count()));
  if (!exchange.request.sink) {
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, static_cast<long>(limits.answer_seconds_max.count()));
  }
  curl_easy_setopt(handle, CURLOPT_NOBODY, exchange.request.is_head ? 1L : 0L);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &on_tick);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &on_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &exchange);
  // A proxy is not asked for this machine.
  if (is_loopback_host(url.host)) curl_easy_setopt(handle, CURLOPT_PROXY, "");
}

Result<HttpResponse> HttpClient::State::exchange(const HttpRequest& request,
                                                 const Url& url,
                                                 const std::stop_token& stop) {
  const bool is_endpoint = url.is_same_origin(endpoint);
  Exchange exchange{.request = request,
                    .limits = options.limits,
                    .stop = stop,
                    .may_reach_internal = is_endpoint || is_endpoint_internal};
  curl_slist* list = nullptr;
  const auto add = [&list](const std::string& line) {
    list = curl_slist_append(list, line.c_str());
    FACET_CHECK(list != nullptr);
  };
  if (is_endpoint && !options.token.empty()) add("Authorization: Bearer " + options.token);
  if (request.range) {
    add("Range: bytes=" + std::to_string(request.range->begin) + "-" +
        std::to_string(request.range->end - 1));
  }
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list,
                                                                            &curl_slist_free_all);
  prepare(url, headers.get(), exchange);
  const CURLcode code = curl_easy_perform(curl.get());
  if (is_endpoint && exchange.reached_internal) is_endpoint_internal = true;
  if (exchange.error) return *exchange.error;
  if (stop.stop_requested()) return Error{Code::cancelled, "interrupted: '" + url.text + "'"};
  if (exchange.refused_internal) {
    return Error{
        Code::permission_denied,
        "a hub on the public internet leads to '" + url.text + "', an address inside this network"};
  }
  if (code == CURLE_OK) {
    if (!exchange.is_redirect() && !exchange.hear_head()) return *exchange.error;
    return std::move(exchange.response);
  }
  const std::string message = "'" + url.text + "': " + curl_easy_strerror(code);
  if (is_certificate_error(code)) return Error{Code::unavailable, message};
  exchange.response.broken =
      Error{code == CURLE_OPERATION_TIMEDOUT ? Code::timeout : Code::unavailable, message};
  return std::move(exchange.response);
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request, const std::stop_token& stop) {
  auto url = parse_url("", request.url);
  if (!url) return Error{Code::invalid_argument, "'" + request.url + "' is no URL"};
  FACET_TRY_STATUS(state_->check_url(*url, nullptr));
  for (int redirects = 0; redirects <= state_->options.limits.redirects_max; ++redirects) {
    FACET_TRY(HttpResponse response, state_->exchange(request, *url, stop));
    const std::string location = response.header("location");
    const bool is_redirect =
        !response.broken && !location.empty() &&
        (response.status == 301 || response.status == 302 || response.status == 303 ||
         response.status == 307 || response.status == 308);
    const bool is_answer =
        !request.stop_at_header.empty() && !response.header(request.stop_at_header).empty();
    if (!is_redirect || is_answer) return response;
    const auto next = parse_url(url->text, location);
    if (!next || next->has_user) {
      return Error{Code::invalid_data,
                   "'" + url->text + "' leads to '" + location.substr(0, 200) + "', no URL"};
    }
    FACET_TRY_STATUS(state_->check_url(*next, &*url));
    url = next;
  }
  return Error{Code::limit_exceeded,
               "'" + request.url + "' leads on more than " +
                   std::to_string(state_->options.limits.redirects_max) + " times"};
}

}  // namespace facet::agent::hub
