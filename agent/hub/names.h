// Names of models, revisions and files on a hub. Each becomes part of a URL and of a path, so each
// is checked before it is used for either.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace facet::agent::hub {

/// OWNER/NAME[:FILE]. FILE is a path in the repository, or the name of a quantisation ("Q4_0").
struct ModelName {
  std::string owner;
  std::string name;
  std::string file;  ///< May be empty.

  [[nodiscard]] std::string repository() const { return owner + "/" + name; }
  /// As it was given: OWNER/NAME[:FILE].
  [[nodiscard]] std::string text() const;
};

/// invalid_argument, naming the part, for anything but letters, digits, '.', '_' and '-' in OWNER
/// and NAME (at most 96 of them, no "--", no ".."), and for a FILE that check_file_name refuses.
Result<ModelName> parse_model_name(std::string_view text);

/// invalid_data for a path that could leave its folder or that no file system would take: absolute,
/// with '.', '..' or empty parts, '\\', control characters, a part above 255 or all above 1024
/// bytes, more than 16 parts.
Status check_file_name(std::string_view path);

/// invalid_argument for a revision (a branch, a tag or a commit) that is no such path.
Status check_revision(std::string_view revision);

/// 40 lower-case hexadecimal digits.
bool is_commit(std::string_view text);

/// `path` for a URL: everything but unreserved letters and '/' as %XX.
std::string encode_path(std::string_view path);
/// The same with '/' as %2F, for a revision.
std::string encode_part(std::string_view part);

}  // namespace facet::agent::hub
