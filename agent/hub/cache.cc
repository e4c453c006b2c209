#include "agent/hub/cache.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace facet::agent::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kSnapshotFilesMax = 100'000;
constexpr int kSnapshotDepthMax = 16;
constexpr std::chrono::milliseconds kLockPoll{100};
constexpr std::chrono::hours kLockWaitMax{24};

/// Writes `bytes` beside `path` and renames it into place.
Status write_file(const fs::path& path, std::string_view bytes) {
  std::string pattern = path.string() + "." + std::string(6, 'X');  // mkostemp fills it.
  const FileDescriptor file(::mkostemp(pattern.data(), O_CLOEXEC));
  if (file.get() < 0) return file_error(pattern, "written", errno);
  const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
  const bool is_written =
      written == static_cast<ssize_t>(bytes.size()) && ::fchmod(file.get(), 0644) == 0;
  if (is_written && ::rename(pattern.c_str(), path.c_str()) == 0) return ok();
  const int number = errno;
  ::unlink(pattern.c_str());
  return file_error(path, "written", number);
}

bool is_same_file(const FileDescriptor& file, const fs::path& path) {
  struct stat open_one = {};
  struct stat named_one = {};
  return ::fstat(file.get(), &open_one) == 0 && ::stat(path.c_str(), &named_one) == 0 &&
         open_one.st_ino == named_one.st_ino && open_one.st_dev == named_one.st_dev;
}

}  // namespace

Error file_error(const fs::path& path, std::string_view verb, int error_number) {
  const bool is_denied = error_number == EACCES || error_number == EPERM || error_number == EROFS;
  return Error{is_denied ? Code::permission_denied : Code::unavailable,
               "'" + path.string() + "' cannot be " + std::string(verb) + ": " +
                   std::strerror(error_number)};
}

Status make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return file_error(folder, "made", error.value());
  return ok();
}

fs::path Cache::folder(const ModelName& name) const {
  return root_ / ("models--" + name.owner + "--" + name.name);
}

fs::path Cache::blob(const ModelName& name, const FileDigest& digest) const {
  return folder(name) / "blobs" / digest.hex;
}

fs::path Cache::snapshot(const ModelName& name, const std::string& commit) const {
  return folder(name) / "snapshots" / commit;
}

bool Cache::has_blob(const ModelName& name, const HubFile& file) const {
  std::error_code error;
  const fs::path path = blob(name, *file.digest);
  const auto bytes = fs::file_size(path, error);
  return !error && fs::is_regular_file(path, error) &&
         bytes == static_cast<std::uintmax_t>(file.bytes);
}

Result<std::string> Cache::commit_of(const ModelName& name, const std::string& revision) const {
  FACET_TRY_STATUS(check_revision(revision));
  std::error_code error;
  if (is_commit(revision) && fs::is_directory(snapshot(name, revision), error)) return revision;
  const fs::path path = folder(name) / "refs" / revision;
  std::array<char, 64> text{};
  std::ifstream in(path, std::ios::binary);
  in.read(text.data(), text.size());
  std::string commit(text.data(), static_cast<std::size_t>(in.gcount()));
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' ')) commit.pop_back();
  if (is_commit(commit)) return commit;
  return Error{Code::not_found,
               "'" + name.repository() + "' at '" + revision + "' is not in the cache '" +
                   root_.string() + "'"};
}

Result<std::vector<HubFile>> Cache::files(const ModelName& name, const std::string& commit) const {
  const fs::path root = snapshot(name, commit);
  std::error_code error;
  fs::recursive_directory_iterator it(root, error);
  if (error) return Error{Code::not_found, "'" + root.string() + "' is not in the cache"};
  std::vector<HubFile> out;
  for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
    if (out.size() == kSnapshotFilesMax || it.depth() > kSnapshotDepthMax) {
      return Error{Code::limit_exceeded, "'" + root.string() + "' holds too many files"};
    }
    std::error_code ignored;  // A link whose blob is gone is no file that is here.
    if (!it->is_regular_file(ignored)) continue;
    const auto bytes = it->file_size(ignored);
    out.push_back({.path = it->path().lexically_relative(root).generic_string(),
                   .bytes = ignored ? -1 : static_cast<std::int64_t>(bytes)});
  }
  if (error) return file_error(root, "read", error.value());
  return out;
}

Status Cache::link(const ModelName& name, const std::string& commit, const HubFile& file) const {
  const fs::path root = snapshot(name, commit);
  const fs::path path = root / file.path;
  FACET_TRY_STATUS(make_folders(path.parent_path()));
  fs::path target = fs::path("..") / ".." / "blobs" / file.digest->hex;
  std::error_code error;
  for (fs::path parent = path.parent_path(); parent != root; parent = parent.parent_path()) {
    if (fs::is_symlink(parent, error)) {
      return Error{Code::permission_denied,
                   "'" + parent.string() + "' is a link: nothing is written through it"};
    }
    target = ".." / target;
  }
  if (fs::read_symlink(path, error) == target) return ok();
  // Made under another name and renamed, so that a reader sees the old link or the new one.
  const fs::path temporary = path.string() + "." + std::to_string(::gettid()) + ".link";
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) {
    return file_error(temporary, "made", errno);
  }
  if (::rename(temporary.c_str(), path.c_str()) == 0) return ok();
  const int number = errno;
  ::unlink(temporary.c_str());
  return file_error(path, "made", number);
}

Status Cache::write_ref(const ModelName& name,
                        const std::string& revision,
                        const std::string& commit) const {
  if (revision == commit) return ok();
  const fs::path path = folder(name) / "refs" / revision;
  FACET_TRY_STATUS(make_folders(path.parent_path()));
  return write_file(path, commit);
}

Result<FileDescriptor> Cache::lock(const ModelName& name,
                                   const FileDigest& digest,
                                   const std::stop_token& stop,
                                   const std::function<void()>& on_wait) const {
  const fs::path path = root_ / ".locks" / folder(name).filename() / (digest.hex + ".lock");
  FACET_TRY_STATUS(make_folders(path.parent_path()));
  const auto until = std::chrono::steady_clock::now() + kLockWaitMax;
  bool is_first = true;
  while (!stop.stop_requested()) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (file.get() < 0) return file_error(path, "opened", errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      // Who held it may have removed it: a lock on a file that nobody else will open locks nothing.
      if (is_same_file(file, path)) return file;
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return file_error(path, "locked", errno);
    if (std::chrono::steady_clock::now() > until) {
      return Error{Code::timeout, "'" + path.string() + "' has been locked for 24 hours"};
    }
    if (std::exchange(is_first, false) && on_wait) on_wait();
    std::this_thread::sleep_for(kLockPoll);
  }
  return Error{Code::cancelled, "interrupted while waiting for '" + path.string() + "'"};
}

}  // namespace facet::agent::hub
