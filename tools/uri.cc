#include "tools/uri.h"

#include <optional>

namespace facet::tools {
namespace {

/// The five parts of a URI reference (RFC 3986, 3). Views into the text.
struct Parts {
  std::string_view scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
  std::optional<std::string_view> fragment;
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Length of the scheme in front of a colon; 0 when there is none.
std::size_t scheme_length(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() &&
         (is_letter(text[at]) || (at > 0 && text[at] >= '0' && text[at] <= '9') ||
          (at > 0 && std::string_view("+-.").find(text[at]) != std::string_view::npos))) {
    ++at;
  }
  return at < text.size() && text[at] == ':' ? at : 0;
}

Parts split(std::string_view text) {
  Parts out;
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    out.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    out.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  if (const std::size_t length = scheme_length(text); length > 0) {
    out.scheme = text.substr(0, length);
    text.remove_prefix(length + 1);
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    out.authority = text.substr(0, text.find('/'));
    text.remove_prefix(out.authority->size());
  }
  out.path = text;
  return out;
}

/// RFC 3986, 5.2.4.
std::string without_dots(std::string_view in) {
  std::string out;
  const auto drop_last = [&out] {
    out.erase(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
  };
  while (!in.empty()) {
    if (in.starts_with("../") || in.starts_with("./")) {
      in.remove_prefix(in.find('/') + 1);
    } else if (in.starts_with("/./") || in == "/.") {
      in = in == "/." ? "/" : in.substr(2);
    } else if (in.starts_with("/../") || in == "/..") {
      in = in == "/.." ? "/" : in.substr(3);
      drop_last();
    } else if (in == "." || in == "..") {
      in = "";
    } else {
      const std::string_view segment = in.substr(0, in.find('/', 1));
      out += segment;
      in.remove_prefix(segment.size());
    }
  }
  return out;
}

/// RFC 3986, 5.2.3.
std::string merged(const Parts& base, std::string_view path) {
  if (base.authority && base.path.empty()) return "/" + std::string(path);
  const std::size_t slash = base.path.rfind('/');
  const std::size_t kept = slash == std::string_view::npos ? 0 : slash + 1;
  return std::string(base.path.substr(0, kept)) + std::string(path);
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
  const Parts from = split(base);
  Parts to = split(reference);
  std::string path;
  if (!to.scheme.empty() || to.authority) {
    path = without_dots(to.path);
    if (to.scheme.empty()) to.scheme = from.scheme;
  } else {
    if (to.path.empty()) {
      path = from.path;
      if (!to.query) to.query = from.query;
    } else {
      path = without_dots(to.path.starts_with('/') ? std::string(to.path) : merged(from, to.path));
    }
    to.authority = from.authority;
    to.scheme = from.scheme;
  }
  std::string out;
  if (!to.scheme.empty()) out += std::string(to.scheme) + ":";
  if (to.authority) out += "//" + std::string(*to.authority);
  out += path;
  if (to.query) out += "?" + std::string(*to.query);
  if (to.fragment) out += "#" + std::string(*to.fragment);
  return out;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool coded =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    if (coded) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace facet::tools
