// Where the data lies that other people made; tests pass with a warning where it is absent.
#pragma once

#include "tests/support/catch.h"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace facet::test {

/// The folder `name` under FACET_CONFORMANCE (default: beside the source folder); empty, after a
/// warning that names it, when it is not there.
inline std::filesystem::path conformance_folder(const std::string& name) {
  const char* root = std::getenv("FACET_CONFORMANCE");
  const std::filesystem::path folder =
      (root != nullptr ? std::filesystem::path(root)
                       : std::filesystem::path(FACET_SOURCE_DIR) / "../shared/conformance") /
      name;
  std::error_code code;
  if (std::filesystem::is_directory(folder, code)) return folder;
  WARN("skipped: conformance/" << name);
  return {};
}

}  // namespace facet::test
