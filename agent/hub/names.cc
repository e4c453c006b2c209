#include "agent/hub/names.h"

#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace facet::agent::hub {

namespace {

constexpr std::size_t kNameBytesMax = 96;
constexpr std::size_t kPartBytesMax = 255;
constexpr std::size_t kPathBytesMax = 1024;
constexpr int kPartsMax = 16;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// What is wrong with OWNER or NAME; empty when nothing is.
std::string_view fault_of_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kNameBytesMax) return "has more than 96 characters";
  const bool are_allowed = std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  });
  if (!are_allowed) return "has characters other than letters, digits, '.', '_' and '-'";
  if (name.front() == '.' || name.front() == '-' || name.back() == '.' || name.back() == '-') {
    return "begins or ends with '.' or '-'";
  }
  if (name.find("..") != std::string_view::npos || name.find("--") != std::string_view::npos) {
    return "has '..' or '--' in it";
  }
  return name.ends_with(".git") ? "ends with '.git'" : "";
}

std::string_view fault_of_path(std::string_view path) {
  if (path.empty()) return "is empty";
  if (path.size() > kPathBytesMax) return "has more than 1024 bytes";
  if (to_valid_utf8(path) != path) return "is not UTF-8";
  const bool has_control = std::any_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\';
  });
  if (has_control) return "has a control character or '\\' in it";
  int parts = 0;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return "has an empty, '.' or '..' part";
    if (part.size() > kPartBytesMax) return "has a part of more than 255 bytes";
    if (++parts > kPartsMax) return "has more than 16 parts";
    begin = end + 1;
  }
  return "";
}

std::string encode(std::string_view text, bool keeps_slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
        (c == '/' && keeps_slash)) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return out;
}

}  // namespace

std::string ModelName::text() const {
  return file.empty() ? repository() : repository() + ":" + file;
}

Result<ModelName> parse_model_name(std::string_view text) {
  const std::string shown = "'" + std::string(text.substr(0, 200)) + "'";
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view repository = text.substr(0, colon);
  const std::size_t slash = repository.find('/');
  if (slash == std::string_view::npos) {
    return Error{Code::invalid_argument,
                 shown + " is no model of a hub: OWNER/NAME or OWNER/NAME:FILE is needed"};
  }
  ModelName out{.owner = std::string(repository.substr(0, slash)),
                .name = std::string(repository.substr(slash + 1))};
  for (const auto& [what, part] : {std::pair{"OWNER", &out.owner}, std::pair{"NAME", &out.name}}) {
    const std::string_view fault = fault_of_name(*part);
    if (!fault.empty()) {
      return Error{Code::invalid_argument,
                   shown + " is no model of a hub: its " + what + " " + std::string(fault)};
    }
  }
  if (colon == text.size()) return out;
  out.file = std::string(text.substr(colon + 1));
  if (const std::string_view fault = fault_of_path(out.file); !fault.empty()) {
    return Error{Code::invalid_argument,
                 shown + " is no model of a hub: its FILE " + std::string(fault)};
  }
  return out;
}

Status check_file_name(std::string_view path) {
  const std::string_view fault = fault_of_path(path);
  if (fault.empty()) return ok();
  return Error{Code::invalid_data,
               "the file name '" + std::string(path.substr(0, 200)) + "' " + std::string(fault)};
}

Status check_revision(std::string_view revision) {
  const std::string_view fault = fault_of_path(revision);
  if (fault.empty()) return ok();
  return Error{Code::invalid_argument,
               "the revision '" + std::string(revision.substr(0, 200)) + "' " + std::string(fault)};
}

bool is_commit(std::string_view text) {
  return text.size() == 40 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string encode_path(std::string_view path) {
  return encode(path, true);
}

std::string encode_part(std::string_view part) {
  return encode(part, false);
}

}  // namespace facet::agent::hub
