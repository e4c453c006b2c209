// Loader: opens a plugin library, checks everything it says about itself, and wraps its tools.
#pragma once

#include "base/result.h"
#include "tools/tool.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace facet::plugins {

struct LoaderLimits {
  std::uint64_t file_bytes_max = 256U << 20U;
  std::size_t tools_max = 64;
  std::size_t name_bytes_max = 64;
  std::size_t version_bytes_max = 64;
  std::size_t description_bytes_max = 4U << 10U;
  std::size_t parameters_bytes_max = 64U << 10U;
  std::size_t plugins_max = 64;  ///< Of one folder.
};

/// A plugin whose library stays loaded while one of its tools lives.
struct Plugin {
  std::filesystem::path path;
  std::string name;
  std::string version;
  std::vector<std::shared_ptr<const tools::Tool>> tools;
};

/// Loads the library at `path` into this process. Its code runs with all rights of the process; the
/// checks below keep accidents out, not malice.
///
/// Before any of its code runs: not_found; permission_denied when the file is a symbolic link, not
/// a regular file, writable by everybody, in a folder that everybody may replace files in, or owned
/// by another user; invalid_data when it is not a shared library for this machine or is truncated;
/// limit_exceeded when it is too large. Then: invalid_data for a missing symbol, a wrong magic or a
/// structure that is too small, text that is not UTF-8 or a schema that does not compile;
/// unsupported for another ABI version; unavailable when the library refuses to load.
///
/// A tool's output beyond the limit of the call, an exception that leaks and a result that is not
/// JSON are Errors of that call. Thread-safe.
Result<Plugin> load_plugin(const std::filesystem::path& path, LoaderLimits limits = {});

/// What a folder of plugins gave. One that fails does not keep the others out.
struct PluginFolder {
  std::vector<Plugin> plugins;  ///< By file name.
  std::vector<Error> failures;  ///< Each names its file.
};

/// Loads every *.so directly in `folder`. not_found when there is no such folder.
Result<PluginFolder> load_plugins(const std::filesystem::path& folder, LoaderLimits limits = {});

}  // namespace facet::plugins
