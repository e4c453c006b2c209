#include "agent/cli/npy.h"

#include "base/check.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace facet::agent::cli {
namespace {

/// Everything before the data.
std::string header(std::int64_t rows, std::int64_t cols) {
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) +
                     ", " + std::to_string(cols) + "), }";
  constexpr std::size_t kPrefix = 10;  // Magic, version, length.
  dict.resize((kPrefix + dict.size() + 1 + 63) / 64 * 64 - kPrefix - 1, ' ');
  dict += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out.push_back(static_cast<char>(dict.size() & 255U));
  out.push_back(static_cast<char>(dict.size() >> 8U));
  return out + dict;
}

Error cannot_write(const std::filesystem::path& path, const std::error_code& reason) {
  return {Code::unavailable, "cannot write '" + path.string() + "': " + reason.message()};
}

}  // namespace

NpyWriter::NpyWriter(std::filesystem::path path, std::int64_t rows, std::int64_t cols)
    : path_(std::move(path)),
      temporary_(path_.string() + ".tmp." + std::to_string(::getpid())),
      file_(temporary_, std::ios::binary),
      rows_left_(rows),
      cols_(cols) {
  const std::string front = header(rows, cols);
  file_.write(front.data(), static_cast<std::streamsize>(front.size()));
}

NpyWriter::NpyWriter(NpyWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      rows_left_(other.rows_left_),
      cols_(other.cols_) {}

NpyWriter::~NpyWriter() {
  if (temporary_.empty()) return;
  std::error_code no_error;  // What was never created cannot be removed either.
  std::filesystem::remove(temporary_, no_error);
}

Result<NpyWriter> NpyWriter::create(const std::filesystem::path& path,
                                    std::int64_t rows,
                                    std::int64_t cols) {
  NpyWriter out(path, rows, cols);
  if (!out.file_.good()) return cannot_write(path, {errno, std::generic_category()});
  return out;
}

void NpyWriter::append(std::span<const float> row) {
  FACET_CHECK(rows_left_-- > 0 && row.size() == static_cast<std::size_t>(cols_));
  const auto bytes = std::as_bytes(row);
  file_.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
}

Status NpyWriter::finish() {
  FACET_CHECK(rows_left_ == 0);
  file_.close();
  if (file_.fail()) return cannot_write(path_, {errno, std::generic_category()});
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) return cannot_write(path_, error);
  temporary_.clear();
  return ok();
}

}  // namespace facet::agent::cli
