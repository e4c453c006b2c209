#include "retrieval/source_tree.h"

#include "base/file_descriptor.h"
#include "base/utf8.h"
#include "retrieval/store_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 256U << 10U;

struct Folder {
  fs::path path;
  int depth = 0;
};

class Scanner {
 public:
  Scanner(const fs::path& excluded, const ScanLimits& limits)
      : excluded_(excluded), limits_(limits) {}

  Status scan_root(const fs::path& root, SourceTree& tree) {
    root_ = root;
    tree_ = &tree;
    std::error_code code;
    const fs::file_status status = fs::symlink_status(root, code);
    if (!fs::is_directory(status)) {
      add_file(root, status);
      return ok();
    }
    std::vector<Folder> open = {{root, 0}};
    while (!open.empty()) {
      const Folder folder = std::move(open.back());
      open.pop_back();
      FACET_TRY_STATUS(scan_folder(folder, open));
    }
    return ok();
  }

 private:
  Status scan_folder(const Folder& folder, std::vector<Folder>& open) {
    std::error_code code;
    fs::directory_iterator entries(folder.path, code);
    for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
      const fs::path path = entries->path();
      if (path.filename().string().starts_with('.') || is_excluded(path)) continue;
      std::error_code status_code;
      const fs::file_status status = entries->symlink_status(status_code);
      if (!fs::is_directory(status)) {
        add_file(path, status);
      } else if (folder.depth + 1 >= limits_.depth_max) {
        fail(path,
             Code::limit_exceeded,
             "folders nest deeper than " + std::to_string(limits_.depth_max));
        tree_->unreadable.push_back(path);
      } else {
        open.push_back({path, folder.depth + 1});
      }
      if (tree_->files.size() > limits_.files_max) {
        return Error{
            Code::limit_exceeded,
            root_.string() + ": has more than " + std::to_string(limits_.files_max) + " files"};
      }
    }
    if (code) {
      fail(folder.path, Code::unavailable, "cannot read the folder: " + code.message());
      tree_->unreadable.push_back(folder.path);
    }
    return ok();
  }

  /// The store's folder; where that is a root itself, the files that the store keeps in it.
  [[nodiscard]] bool is_excluded(const fs::path& path) const {
    if (path == excluded_) return true;
    if (path.parent_path() != excluded_) return false;
    const std::string name = path.filename().string();
    return name.starts_with(kDatabaseFile) || name.starts_with(kVectorsFile) || name == kLockFile;
  }

  void add_file(const fs::path& path, const fs::file_status& status) {
    if (!is_utf8(path.string())) {
      fail(path, Code::invalid_data, "its name is not UTF-8");
    } else if (fs::is_symlink(status)) {
      fail(path, Code::unsupported, "symbolic links are not followed");
    } else if (!fs::is_regular_file(status)) {
      fail(path, Code::unsupported, "it is not a regular file");
    } else {
      tree_->files.push_back({path, name_of(path), root_.filename().string()});
    }
  }

  [[nodiscard]] std::string name_of(const fs::path& path) const {
    if (path == root_) return path.filename().generic_string();
    return path.lexically_relative(root_).generic_string();
  }

  void fail(const fs::path& path, Code code, std::string message) {
    const std::string name = to_valid_utf8(name_of(path));
    tree_->failed.push_back({name, Error{code, name + ": " + std::move(message)}});
  }

  fs::path excluded_;
  ScanLimits limits_;
  fs::path root_;
  SourceTree* tree_ = nullptr;
};

/// `path` made absolute, its folder's links resolved; the last part may be missing.
Result<fs::path> canonical_root(const fs::path& path) {
  std::error_code code;
  fs::path canonical = fs::weakly_canonical(fs::absolute(path, code), code);
  if (code) {
    return Error{Code::unavailable, path.string() + ": cannot resolve: " + code.message()};
  }
  if (!canonical.has_filename()) canonical = canonical.parent_path();
  return canonical;
}

}  // namespace

bool is_within(const fs::path& path, const fs::path& folder) {
  const auto ends = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return ends.first == folder.end();
}

Result<SourceTree> scan_roots(std::span<const fs::path> roots,
                              const fs::path& excluded,
                              const std::function<bool(const fs::path&)>& known_root,
                              const ScanLimits& limits) {
  SourceTree tree;
  for (const fs::path& root : roots) {
    FACET_TRY(fs::path canonical, canonical_root(root));
    std::error_code code;
    if (!fs::exists(canonical, code) && !known_root(canonical)) {
      return Error{Code::not_found, root.string() + ": does not exist"};
    }
    tree.roots.push_back(std::move(canonical));
  }
  Scanner scanner(excluded, limits);
  for (const fs::path& root : tree.roots) {
    std::error_code code;
    if (fs::exists(root, code)) FACET_TRY_STATUS(scanner.scan_root(root, tree));
  }
  // Roots may overlap: a file counts once, under the root that was named first.
  std::stable_sort(tree.files.begin(),
                   tree.files.end(),
                   [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  tree.files.erase(
      std::unique(tree.files.begin(),
                  tree.files.end(),
                  [](const SourceFile& a, const SourceFile& b) { return a.path == b.path; }),
      tree.files.end());
  std::sort(
      tree.failed.begin(), tree.failed.end(), [](const FailedDocument& a, const FailedDocument& b) {
        return a.document < b.document;
      });
  return tree;
}

Result<SourceBytes> read_source(const fs::path& path, std::uint64_t bytes_max) {
  const auto fail = [](Code code, std::string message) { return Error{code, std::move(message)}; };
  // O_NONBLOCK: a FIFO that was swapped in after the scan must not hang the run.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  const int fd = file.get();
  if (fd < 0) {
    const Code code = errno == ENOENT   ? Code::not_found
                      : errno == EACCES ? Code::permission_denied
                                        : Code::unavailable;
    return fail(code, std::string("cannot open: ") + std::strerror(errno));
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail(Code::unavailable, "cannot read its attributes");
  if (!S_ISREG(info.st_mode)) return fail(Code::unsupported, "it is not a regular file");
  SourceBytes out;
  out.mtime_ns = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  const auto too_large = [&](std::uint64_t bytes) {
    return fail(Code::limit_exceeded,
                std::to_string(bytes) + " bytes exceed the limit of " + std::to_string(bytes_max));
  };
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > bytes_max) return too_large(size);
  out.bytes.reserve(size);
  std::string buffer(kReadBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return fail(Code::unavailable, std::string("cannot read: ") + std::strerror(errno));
    if (count == 0) return out;
    out.bytes.append(buffer, 0, static_cast<std::size_t>(count));
    if (out.bytes.size() > bytes_max) return too_large(out.bytes.size());
  }
}

}  // namespace facet::retrieval
