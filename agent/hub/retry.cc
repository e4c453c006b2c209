// What an answer of a hub means, and when to ask again.
#include "agent/hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <ctime>
#include <mutex>

namespace facet::agent::hub {

namespace {

using std::chrono::milliseconds;

/// Seconds or a date, as RFC 9110 allows; 0 when there is none.
milliseconds retry_after(const HttpResponse& response) {
  const std::string value = response.header("retry-after");
  if (value.empty()) return milliseconds(0);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error != std::errc() || end != value.data() + value.size()) {
    const std::time_t date = curl_getdate(value.c_str(), nullptr);
    seconds = date < 0 ? 0 : date - std::time(nullptr);
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 31'536'000));
}

Status sleep_for(milliseconds wait, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_for(lock, stop, wait, [&] { return stop.stop_requested(); });
  if (stop.stop_requested()) return Error{Code::cancelled, "interrupted"};
  return ok();
}

}  // namespace

std::string HttpResponse::header(std::string_view name) const {
  const auto found = headers.find(std::string(name));
  return found == headers.end() ? std::string() : found->second;
}

bool HttpResponse::is_transient() const {
  return broken.has_value() || status == 0 || status == 408 || status == 429 || status >= 500;
}

Error response_error(const HttpResponse& response, std::string_view what) {
  const std::string subject = std::string(what) + ": ";
  if (response.broken) return response.broken->with_context(what);
  const std::string status = "the hub answers " + std::to_string(response.status);
  const std::string code = response.header("x-error-code");
  if (code == "GatedRepo") {
    return Error{Code::permission_denied,
                 subject +
                     "its owner asks for consent first: accept the terms on its page on the "
                     "hub, and set HF_TOKEN to a token of that account (" +
                     status + ")"};
  }
  if (response.status == 404 || code == "RepoNotFound" || code == "RevisionNotFound" ||
      code == "EntryNotFound") {
    return Error{Code::not_found,
                 subject +
                     (response.status == 404 ? "not on the hub"
                                             : "not on the hub, or private and HF_TOKEN has "
                                               "no access to it") +
                     " (" + status + ")"};
  }
  if (response.status == 401 || response.status == 403) {
    return Error{
        Code::permission_denied,
        subject + "no access: set HF_TOKEN to a token of an account that has it (" + status + ")"};
  }
  if (response.is_transient()) {
    const milliseconds wait = retry_after(response);
    const std::string later = wait.count() == 0 ? ""
                                                : " and asks to come back in " +
                                                      std::to_string(wait.count() / 1000) + " s";
    return Error{Code::unavailable, subject + status + later};
  }
  return Error{Code::invalid_data, subject + status};
}

Status wait_to_retry(const Retry& retry,
                     int tries,
                     const HttpResponse& response,
                     std::string_view what,
                     const std::stop_token& stop) {
  const milliseconds asked = retry_after(response);
  if (tries >= retry.tries_max || asked > retry.wait_max) return response_error(response, what);
  milliseconds wait = retry.wait_first;
  for (int i = 1; i < tries && wait < retry.wait_max; ++i) wait *= 2;
  return sleep_for(asked.count() > 0 ? asked : std::min(wait, retry.wait_max), stop);
}

Result<HttpResponse> send_with_retries(HttpClient& client,
                                       const HttpRequest& request,
                                       const Retry& retry,
                                       std::string_view what,
                                       const std::stop_token& stop) {
  for (int tries = 1;; ++tries) {
    FACET_TRY(HttpResponse response, client.send(request, stop));
    if (!response.is_transient()) return response;
    FACET_TRY_STATUS(wait_to_retry(retry, tries, response, what, stop));
  }
}

}  // namespace facet::agent::hub
