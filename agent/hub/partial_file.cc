#include "agent/hub/partial_file.h"

#include "agent/hub/cache.h"
#include "agent/hub/selection.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <numeric>
#include <unistd.h>
#include <utility>

namespace facet::agent::hub {

namespace {

/// The magic word and the bytes of a chunk.
using TrailerHead = std::array<std::int64_t, 2>;
constexpr std::int64_t kMagic = 0x31'7472'6170'6366;  // "fcpart1", as its own machine reads it.
constexpr std::int64_t kDoneBytes = sizeof(std::uint32_t);

/// Room for `missing` more bytes where `path` lies.
Status check_room(const std::filesystem::path& path, std::int64_t missing) {
  struct statvfs status = {};
  if (::statvfs(path.c_str(), &status) != 0) return file_error(path, "measured", errno);
  const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
  if (free >= static_cast<std::uint64_t>(missing)) return ok();
  return Error{Code::unavailable,
               "'" + path.string() + "' needs " + size_text(missing) + ", and the disk has " +
                   size_text(static_cast<std::int64_t>(free)) + " left"};
}

}  // namespace

PartialFile::PartialFile(std::filesystem::path path,
                         FileDescriptor file,
                         std::int64_t bytes,
                         std::int64_t chunk_bytes)
    : path_(std::move(path)),
      file_(std::move(file)),
      bytes_(bytes),
      chunk_bytes_(chunk_bytes),
      done_(static_cast<std::size_t>((bytes + chunk_bytes - 1) / chunk_bytes)) {}

Result<PartialFile> PartialFile::open(const std::filesystem::path& path,
                                      std::int64_t bytes,
                                      std::int64_t chunk_bytes) {
  FACET_CHECK(bytes >= 0 && chunk_bytes > 0 &&
              chunk_bytes <= std::numeric_limits<std::int32_t>::max());
  if (bytes / chunk_bytes >= static_cast<std::int64_t>(kChunksMax)) {
    return Error{Code::limit_exceeded,
                 "'" + path.string() + "' would have " + size_text(bytes) +
                     ", more chunks than are counted"};
  }
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (file.get() < 0) return file_error(path, "opened", errno);
  PartialFile out(path, std::move(file), bytes, chunk_bytes);
  if (!out.read_trailer()) FACET_TRY_STATUS(out.reset());
  FACET_TRY_STATUS(check_room(path, bytes - out.bytes_done()));
  return out;
}

bool PartialFile::read_trailer() {
  struct stat status = {};
  TrailerHead head{};
  const std::size_t table_bytes = done_.size() * sizeof(done_[0]);
  const std::int64_t expected =
      bytes_ + static_cast<std::int64_t>(sizeof head) + static_cast<std::int64_t>(table_bytes);
  if (::fstat(file_.get(), &status) != 0 || status.st_size != expected) return false;
  if (::pread(file_.get(), head.data(), sizeof head, bytes_) != ssize_t{sizeof head}) return false;
  if (head != TrailerHead{kMagic, chunk_bytes_}) return false;
  const auto table = bytes_ + static_cast<std::int64_t>(sizeof head);
  if (::pread(file_.get(), done_.data(), table_bytes, table) != static_cast<ssize_t>(table_bytes)) {
    return false;
  }
  for (std::size_t i = 0; i < done_.size(); ++i) {
    if (done_[i] > chunk_end(i) - chunk_begin(i)) return false;
  }
  return true;
}

std::int64_t PartialFile::chunk_begin(std::size_t chunk) const {
  return static_cast<std::int64_t>(chunk) * chunk_bytes_;
}

std::int64_t PartialFile::chunk_end(std::size_t chunk) const {
  return std::min(bytes_, chunk_begin(chunk) + chunk_bytes_);
}

std::int64_t PartialFile::bytes_done() const {
  return std::accumulate(done_.begin(), done_.end(), std::int64_t{0});
}

Status PartialFile::write(std::span<const std::byte> bytes, std::int64_t at) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return file_error(path_, "written", written == 0 ? ENOSPC : errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    at += written;
  }
  return ok();
}

Status PartialFile::append(std::size_t chunk, std::span<const std::byte> bytes) {
  const std::int64_t at = chunk_begin(chunk) + done_[chunk];
  FACET_CHECK(static_cast<std::int64_t>(bytes.size()) <= chunk_end(chunk) - at);
  FACET_TRY_STATUS(write(bytes, at));
  done_[chunk] += static_cast<std::uint32_t>(bytes.size());
  const std::int64_t table = bytes_ + static_cast<std::int64_t>(sizeof(TrailerHead));
  return write(std::as_bytes(std::span(&done_[chunk], 1)),
               table + static_cast<std::int64_t>(chunk) * kDoneBytes);
}

Status PartialFile::reset() {
  std::fill(done_.begin(), done_.end(), 0U);
  // An empty file of the right length: what was there is gone, what comes has its place.
  const TrailerHead head{kMagic, chunk_bytes_};
  const auto length = bytes_ + static_cast<std::int64_t>(sizeof head) +
                      static_cast<std::int64_t>(done_.size()) * kDoneBytes;
  if (::ftruncate(file_.get(), 0) != 0 || ::ftruncate(file_.get(), length) != 0) {
    return file_error(path_, "written", errno);
  }
  return write(std::as_bytes(std::span(head)), bytes_);
}

Status PartialFile::finish() {
  FACET_CHECK(bytes_done() == bytes_);
  if (::ftruncate(file_.get(), bytes_) != 0 || ::fsync(file_.get()) != 0) {
    return file_error(path_, "written", errno);
  }
  return ok();
}

}  // namespace facet::agent::hub
