// Library: one shared library, checked before it is opened. Private to the loader.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace facet::plugins {

/// Owns the handle; closes it when the last owner goes. Thread-safe.
class Library {
 public:
  /// Errors as load_plugin, up to the symbol.
  static Result<std::shared_ptr<const Library>> open(const std::filesystem::path& path,
                                                     std::uint64_t file_bytes_max);
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

  /// The address of `name`, or null.
  [[nodiscard]] void* symbol(const char* name) const;

 private:
  explicit Library(void* handle) : handle_(handle) {}

  void* handle_;
};

}  // namespace facet::plugins
