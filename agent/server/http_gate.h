// The strict gate in front of the HTTP parser. Beast 1.81 lets request smuggling, folded headers
// and several Hosts through; what this file refuses never reaches it. Pure functions.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// Bytes of a request's header, request line and final blank line included.
inline constexpr std::size_t kHeaderBytesMax = 8U << 10U;
inline constexpr std::size_t kHeaderFieldsMax = 64;

struct HeaderField {
  std::string name;  ///< Lower case.
  std::string value;
};

struct RequestHead {
  std::string method;
  std::string target;  ///< Origin form: begins with '/'.
  std::vector<HeaderField> fields;

  /// The value of a field that may occur once; empty when it is not there.
  [[nodiscard]] std::string_view find(std::string_view lower_case_name) const;
};

/// Who may talk to the server.
struct GateOptions {
  bool is_loopback = true;           ///< Bound to loopback: Host must then name loopback as well.
  std::vector<std::string> origins;  ///< Exact Origin values allowed beside loopback ones.
};

/// Reads `bytes`, which end with the blank line. invalid_argument (answer 400 and close) for
/// anything but a plain HTTP/1.1 request without a body: bare CR or LF, NUL, folded lines, spaces
/// before the colon, bytes outside of visible ASCII in the target, other than exactly one Host,
/// any Transfer-Encoding, a Content-Length that is not 0, a repeated Upgrade, Origin or
/// Sec-WebSocket field, a Sec-WebSocket-Key that is not 16 bytes in base64. permission_denied
/// (answer 403) for a Host or an Origin that is not allowed.
Result<RequestHead> check_request(std::string_view bytes, const GateOptions& options);

/// True for localhost, 127.0.0.1 and [::1], each with an optional port.
bool is_loopback_authority(std::string_view authority);

}  // namespace facet::agent
