#include "plugins/library.h"

#include "base/file_descriptor.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace facet::plugins {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
constexpr unsigned kMachine = EM_NONE;
#endif

constexpr unsigned kProgramHeadersMax = 64;

Error refused(const std::filesystem::path& path, Code code, const std::string& why) {
  return {code, "plugin " + path.string() + " " + why};
}

/// Who could have put other bytes there.
Status check_rights(const std::filesystem::path& path, const struct stat& file) {
  const auto denied = [&](const std::string& why) {
    return refused(path, Code::permission_denied, why);
  };
  if (!S_ISREG(file.st_mode)) return denied("is not a regular file");
  if ((file.st_mode & S_IWOTH) != 0) return denied("is writable by everybody");
  if (file.st_uid != 0 && file.st_uid != ::geteuid()) {
    return denied("belongs to user " + std::to_string(file.st_uid));
  }
  struct stat folder {};
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  if (::stat(parent.c_str(), &folder) != 0) return denied("is in a folder that cannot be read");
  if ((folder.st_mode & S_IWOTH) != 0 && (folder.st_mode & S_ISVTX) == 0) {
    return denied("is in a folder that everybody may write to");
  }
  return ok();
}

template <typename T>
bool read_at(int fd, std::uint64_t offset, T& out) {
  return ::pread(fd, &out, sizeof(T), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(sizeof(T));
}

/// A shared library of this machine whose segments are all there: the dynamic linker maps a
/// truncated one and dies on the first access.
Status check_elf(const std::filesystem::path& path, int fd, std::uint64_t size) {
  const auto bad = [&](const std::string& why) { return refused(path, Code::invalid_data, why); };
  Elf64_Ehdr header{};
  if (!read_at(fd, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return bad("is not a shared library");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kMachine) {
    return bad("is made for another machine");
  }
  if (header.e_type != ET_DYN) return bad("is an ELF file, but not a shared library");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kProgramHeadersMax) {
    return bad("has a broken ELF header");
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (header.e_phoff > size || !read_at(fd, header.e_phoff + i * sizeof(Elf64_Phdr), segment)) {
      return bad("is truncated");
    }
    if (segment.p_type != PT_LOAD) continue;
    if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset) {
      return bad("is truncated");
    }
  }
  return ok();
}

}  // namespace

Result<std::shared_ptr<const Library>> Library::open(const std::filesystem::path& path,
                                                     std::uint64_t file_bytes_max) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) {
    const int number = errno;
    if (number == ELOOP) {
      return refused(
          path, Code::permission_denied, "is a symbolic link: name the file that it leads to");
    }
    return refused(path,
                   number == ENOENT ? Code::not_found : Code::permission_denied,
                   "cannot be opened: " + std::generic_category().message(number));
  }
  struct stat before {};
  if (::fstat(file.get(), &before) != 0) {
    return refused(path, Code::unavailable, "cannot be examined");
  }
  FACET_TRY_STATUS(check_rights(path, before));
  const auto size = static_cast<std::uint64_t>(before.st_size);
  if (size > file_bytes_max) {
    return refused(
        path,
        Code::limit_exceeded,
        "has " + std::to_string(size) + " bytes; the limit is " + std::to_string(file_bytes_max));
  }
  FACET_TRY_STATUS(check_elf(path, file.get(), size));
  // An absolute path, because dlopen searches the system's folders for a bare name.
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return refused(path, Code::unavailable, "has no absolute path: " + error.message());
  void* handle = ::dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return refused(path,
                   Code::unavailable,
                   "does not load: " + std::string(why == nullptr ? "no reason given" : why));
  }
  auto library = std::shared_ptr<const Library>(new Library(handle));
  struct stat after {};
  const bool same = ::stat(absolute.c_str(), &after) == 0 && before.st_ino == after.st_ino &&
                    before.st_dev == after.st_dev && before.st_size == after.st_size &&
                    before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
                    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec;
  if (!same) return refused(path, Code::permission_denied, "was replaced while it was loaded");
  return library;
}

Library::~Library() {
  ::dlclose(handle_);
}

void* Library::symbol(const char* name) const {
  return ::dlsym(handle_, name);
}

}  // namespace facet::plugins
