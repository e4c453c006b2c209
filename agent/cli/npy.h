// NpyWriter: a float32 matrix as a NumPy file, format version 1.0: "\x93NUMPY", the version, a
// little-endian u16 length, a Python dict of type, order and shape padded with spaces to a multiple
// of 64 bytes, and the rows.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>

namespace facet::agent::cli {

/// Writes beside the target and renames when finished: a file that is there is whole. Move-only;
/// one that is not finished leaves nothing.
class NpyWriter {
 public:
  /// Begins a matrix of (rows, cols). unavailable naming the path when it cannot be written.
  static Result<NpyWriter> create(const std::filesystem::path& path,
                                  std::int64_t rows,
                                  std::int64_t cols);
  NpyWriter(NpyWriter&& other) noexcept;
  NpyWriter& operator=(NpyWriter&&) = delete;
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;
  ~NpyWriter();

  /// Appends one row. REQUIRES: (cols) values.
  void append(std::span<const float> row);
  /// Puts the file into place. REQUIRES: all rows appended. unavailable naming the path.
  Status finish();

 private:
  NpyWriter(std::filesystem::path path, std::int64_t rows, std::int64_t cols);

  std::filesystem::path path_;
  std::filesystem::path temporary_;  ///< Empty once there is nothing to remove.
  std::ofstream file_;
  std::int64_t rows_left_;
  std::int64_t cols_;
};

}  // namespace facet::agent::cli
