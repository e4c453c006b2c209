#include "base/result.h"

namespace facet {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::not_found:
      return "not_found";
    case Code::invalid_data:
      return "invalid_data";
    case Code::unsupported:
      return "unsupported";
    case Code::limit_exceeded:
      return "limit_exceeded";
    case Code::unavailable:
      return "unavailable";
    case Code::permission_denied:
      return "permission_denied";
    case Code::timeout:
      return "timeout";
    case Code::cancelled:
      return "cancelled";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

Error Error::with_context(std::string_view context) const {
  std::string text(context);
  text += ": ";
  text += message;
  return Error{code, std::move(text)};
}

}  // namespace facet
