// The model files that an attacker or a bad day makes, by the groups of the threat list: each is a
// file or folder on disk, to be loaded whole as a user would.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <functional>
#include <vector>

namespace facet::test {

struct HostileModel {
  int group = 0;  ///< 1 to 28; the table is in tests/engine/hostile_models_test.cc.
  const char* what = "";
  Code code = Code::invalid_data;
  const char* mentions = "";  ///< The message must contain this.
  /// Writes the model below the empty folder and returns the path to load.
  std::function<std::filesystem::path(const std::filesystem::path&)> write;
};

/// All of them but group 26 (a file that changes while it is mapped), which needs a process to die.
std::vector<HostileModel> hostile_models();

}  // namespace facet::test
