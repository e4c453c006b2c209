#include "tools/builtin/workspace.h"

#include "base/file_descriptor.h"
#include "base/json.h"
#include "base/utf8.h"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <limits>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace facet::tools {
namespace {

std::string shown(std::string_view path) {
  return json_quote(to_valid_utf8(utf8_prefix(path, 200)));
}

Error error_of(std::string_view path, int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return {Code::not_found, "there is no " + shown(path) + " in the workspace"};
    case EXDEV:
      return {Code::permission_denied, shown(path) + " leads out of the workspace"};
    case ELOOP:
      return {Code::permission_denied, shown(path) + " leads through a link that is not followed"};
    case EACCES:
    case EPERM:
      return {Code::permission_denied, shown(path) + " may not be read"};
    case ENAMETOOLONG:
      return {Code::invalid_argument, "the path " + shown(path) + " is too long"};
    case ENXIO:  // A pipe or socket that nobody serves.
      return {Code::permission_denied, shown(path) + " is not a regular file"};
    default:
      return {Code::unavailable,
              shown(path) + " cannot be opened: " + std::generic_category().message(number)};
  }
}

/// The parts of a relative path. An empty list is the folder itself.
Result<std::vector<std::string>> parts_of(std::string_view path, const WorkspaceOptions& options) {
  const auto bad = [whole = path](const std::string& why) {
    return Error{Code::invalid_argument, "the path " + shown(whole) + " " + why};
  };
  if (path.size() > options.path_bytes_max) {
    return bad("is longer than " + std::to_string(options.path_bytes_max) + " bytes");
  }
  if (path.find('\0') != std::string_view::npos) return bad("has a NUL byte");
  if (!is_utf8(path)) return bad("is not UTF-8");
  if (!path.empty() && path[0] == '/') {
    return bad("is absolute; give a path relative to the workspace");
  }
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part == "..") return bad("has \"..\", which could leave the workspace");
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  if (parts.size() > static_cast<std::size_t>(options.path_parts_max)) {
    return bad("has more than " + std::to_string(options.path_parts_max) + " parts");
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "/") + part;
  return out.empty() ? "." : out;
}

/// openat2, which this C library does not wrap. ENOSYS where the kernel or a filter has none.
int open_beneath_at_once(int folder, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve =
      static_cast<unsigned>(RESOLVE_BENEATH) | static_cast<unsigned>(RESOLVE_NO_MAGICLINKS);
  for (int attempt = 0; attempt < 8; ++attempt) {
    const long fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof(how));
    // EAGAIN: a rename elsewhere made the kernel unsure whether ".." left the folder.
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
  }
  return -1;
}

}  // namespace

Result<std::shared_ptr<const Workspace>> Workspace::open(const std::string& folder,
                                                         WorkspaceOptions options) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    const int number = errno;
    return Error{number == EACCES ? Code::permission_denied : Code::not_found,
                 "the workspace " + shown(folder) +
                     " cannot be opened: " + std::generic_category().message(number)};
  }
  return std::shared_ptr<const Workspace>(new Workspace(fd, options));
}

Workspace::~Workspace() {
  ::close(folder_);
}

Result<int> Workspace::open_walking(const std::vector<std::string>& parts, int flags) const {
  FileDescriptor at(::openat(folder_, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t i = 0; at.get() >= 0 && i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    const int part_flags = last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC;
    at = FileDescriptor(::openat(at.get(), parts[i].c_str(), part_flags | O_NOFOLLOW));
  }
  if (at.get() >= 0 && parts.empty()) at = FileDescriptor(::openat(folder_, ".", flags));
  if (at.get() < 0) {
    // A link in the middle is ENOTDIR here because O_DIRECTORY is checked first.
    return error_of(joined(parts), errno);
  }
  return at.release();
}

Result<int> Workspace::open_beneath(std::string_view path, int flags) const {
  FACET_TRY(const std::vector<std::string> parts, parts_of(path, options_));
  flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK;  // A pipe must not make the call wait.
  if (!options_.force_walk) {
    const int fd = open_beneath_at_once(folder_, joined(parts), flags);
    if (fd >= 0) return fd;
    if (errno != ENOSYS && errno != EPERM) return error_of(path, errno);
  }
  return open_walking(parts, flags);
}

Result<Workspace::Listing> Workspace::list(std::string_view path, std::size_t entries_max) const {
  FACET_TRY(const int fd, open_beneath(path, O_RDONLY | O_DIRECTORY));
  DIR* raw = ::fdopendir(fd);
  if (raw == nullptr) {
    const int number = errno;
    ::close(fd);
    return error_of(path, number);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(raw, ::closedir);
  Listing out;
  std::size_t scanned = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (++scanned > options_.entries_scanned_max) {
      return Error{Code::limit_exceeded,
                   shown(path) + " has more than " + std::to_string(options_.entries_scanned_max) +
                       " entries"};
    }
    struct stat status {};
    if (::fstatat(::dirfd(folder.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;  // Deleted since it was listed.
    }
    const bool is_folder = S_ISDIR(status.st_mode);
    if (!is_folder && !S_ISREG(status.st_mode)) continue;
    out.entries.push_back({.name = to_valid_utf8(name), .is_folder = is_folder});
  }
  std::sort(out.entries.begin(), out.entries.end(), [](const auto& a, const auto& b) {
    return a.name < b.name;
  });
  if (out.entries.size() > entries_max) {
    out.more = out.entries.size() - entries_max;
    out.entries.resize(entries_max);
  }
  return out;
}

Result<WorkspaceText> Workspace::read(std::string_view path,
                                      std::uint64_t offset,
                                      std::size_t bytes_max) const {
  FACET_TRY(const int fd, open_beneath(path, O_RDONLY));
  const FileDescriptor file(fd);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return error_of(path, errno);
  if (S_ISDIR(status.st_mode)) {
    return Error{Code::invalid_argument, shown(path) + " is a folder, not a file"};
  }
  if (!S_ISREG(status.st_mode)) {
    return Error{Code::permission_denied, shown(path) + " is not a regular file"};
  }
  if (status.st_nlink > 1 && !options_.allow_hard_links) {
    return Error{Code::permission_denied,
                 shown(path) + " is a hard link, which could name a file outside the workspace"};
  }
  WorkspaceText out;
  out.file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (offset >= out.file_bytes) return out;
  out.bytes.resize(
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, out.file_bytes - offset)));
  std::size_t filled = 0;
  while (filled < out.bytes.size()) {
    const ssize_t got = ::pread(file.get(),
                                out.bytes.data() + filled,
                                out.bytes.size() - filled,
                                static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_of(path, errno);
    if (got == 0) break;  // Shortened since fstat.
    filled += static_cast<std::size_t>(got);
  }
  out.bytes.resize(filled);
  return out;
}

}  // namespace facet::tools
