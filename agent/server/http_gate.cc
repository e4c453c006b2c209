#include "agent/server/http_gate.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>

namespace facet::agent {
namespace {

/// Fields that decide about framing, identity or the upgrade: more than one is an attack.
constexpr std::array<std::string_view, 9> kSingleFields{"host",
                                                        "origin",
                                                        "upgrade",
                                                        "connection",
                                                        "content-length",
                                                        "expect",
                                                        "authorization",
                                                        "sec-websocket-key",
                                                        "sec-websocket-version"};

Error refuse(const std::string& what) {
  return Error{Code::invalid_argument, what};
}

bool is_token_char(unsigned char c) {
  return std::isalnum(c) != 0 ||
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_token_char(static_cast<unsigned char>(c));
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The lines before the blank line, each without its CRLF.
Result<std::vector<std::string_view>> split_lines(std::string_view bytes) {
  std::vector<std::string_view> lines;
  while (true) {
    const std::size_t end = bytes.find_first_of(std::string_view("\r\n\0", 3));
    if (end == std::string_view::npos) return refuse("the header does not end with a blank line");
    if (bytes.substr(end, 2) != "\r\n") return refuse("bare CR, LF or NUL in the header");
    if (end == 0) break;
    lines.push_back(bytes.substr(0, end));
    if (lines.size() > kHeaderFieldsMax + 1) return refuse("too many header fields");
    bytes.remove_prefix(end + 2);
  }
  if (bytes.size() != 2) return refuse("bytes after the header");
  if (lines.empty()) return refuse("the request line is missing");
  return lines;
}

Status read_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse("the request line is broken");
  const std::string_view target = line.substr(first + 1, last - first - 1);
  head.method = std::string(line.substr(0, first));
  head.target = std::string(target);
  if (line.substr(last + 1) != "HTTP/1.1") return refuse("only HTTP/1.1 is spoken here");
  if (!is_token(head.method)) return refuse("the method is not a token");
  const bool is_visible = std::all_of(
      target.begin(), target.end(), [](unsigned char c) { return c > 0x20U && c < 0x7FU; });
  if (target.empty() || target.front() != '/' || !is_visible) {
    return refuse("the target is not a path");
  }
  return ok();
}

Status read_field(std::string_view line, RequestHead& head) {
  const std::size_t colon = line.find(':');
  // A folded line begins with white space, which no field name may hold.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return refuse("a header field is broken or folded");
  }
  HeaderField field{ascii_lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))};
  const bool has_control = std::any_of(field.value.begin(), field.value.end(), [](unsigned char c) {
    return (c < 0x20U && c != '\t') || c == 0x7FU;
  });
  if (has_control) return refuse("control characters in the field " + field.name);
  const bool is_single =
      std::find(kSingleFields.begin(), kSingleFields.end(), field.name) != kSingleFields.end();
  const bool is_known = std::any_of(head.fields.begin(),
                                    head.fields.end(),
                                    [&](const HeaderField& f) { return f.name == field.name; });
  if (is_single && is_known) return refuse("the field " + field.name + " is repeated");
  head.fields.push_back(std::move(field));
  return ok();
}

/// 16 bytes in base64: 22 characters, of which the last holds 2 bits, and the padding.
bool is_websocket_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  const bool is_base64 = std::all_of(key.begin(), key.end() - 2, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '+' || c == '/';
  });
  return is_base64 && std::string_view("AQgw").find(key[21]) != std::string_view::npos;
}

Status check_framing(const RequestHead& head) {
  for (const HeaderField& field : head.fields) {
    if (field.name == "transfer-encoding") return refuse("Transfer-Encoding is not accepted");
    if (field.name == "content-length" && field.value != "0") {
      return refuse("a request here has no body");
    }
    if (field.name == "sec-websocket-key" && !is_websocket_key(field.value)) {
      return refuse("Sec-WebSocket-Key is not 16 bytes in base64");
    }
    if (field.name == "expect") return refuse("Expect is not accepted");
  }
  if (head.find("host").empty()) return refuse("exactly one Host is needed");
  return ok();
}

bool is_origin_allowed(std::string_view origin, const GateOptions& options) {
  if (std::find(options.origins.begin(), options.origins.end(), origin) != options.origins.end()) {
    return true;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.rfind(scheme, 0) == 0) return is_loopback_authority(origin.substr(scheme.size()));
  }
  return false;
}

}  // namespace

std::string_view RequestHead::find(std::string_view lower_case_name) const {
  for (const HeaderField& field : fields) {
    if (field.name == lower_case_name) return field.value;
  }
  return {};
}

bool is_loopback_authority(std::string_view authority) {
  for (const std::string_view host : {"localhost", "127.0.0.1", "[::1]"}) {
    if (authority.rfind(host, 0) != 0) continue;
    const std::string_view port = authority.substr(host.size());
    if (port.empty()) return true;
    return port.front() == ':' && port.size() >= 2 && port.size() <= 6 &&
           port.find_first_not_of("0123456789", 1) == std::string_view::npos;
  }
  return false;
}

Result<RequestHead> check_request(std::string_view bytes, const GateOptions& options) {
  if (bytes.size() > kHeaderBytesMax) return refuse("the header is too large");
  FACET_TRY(const auto lines, split_lines(bytes));
  RequestHead head;
  FACET_TRY_STATUS(read_request_line(lines.front(), head));
  for (std::size_t i = 1; i < lines.size(); ++i) FACET_TRY_STATUS(read_field(lines[i], head));
  FACET_TRY_STATUS(check_framing(head));
  if (options.is_loopback && !is_loopback_authority(head.find("host"))) {
    return Error{Code::permission_denied, "the Host is not a loopback name"};
  }
  const std::string_view origin = head.find("origin");
  const bool has_origin = std::any_of(head.fields.begin(),
                                      head.fields.end(),
                                      [](const HeaderField& f) { return f.name == "origin"; });
  if (has_origin && !is_origin_allowed(origin, options)) {
    return Error{Code::permission_denied, "the Origin is not allowed"};
  }
  return head;
}

}  // namespace facet::agent
