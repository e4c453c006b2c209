#include "base/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace facet {
namespace {

Error system_error(const std::filesystem::path& path, const char* action, int number) {
  const Code code = number == ENOENT || number == ENOTDIR ? Code::not_found
                    : number == EACCES                    ? Code::permission_denied
                                                          : Code::unavailable;
  return Error{
      code, std::string("cannot ") + action + " " + path.string() + ": " + std::strerror(number)};
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return system_error(path, "open", errno);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    const int number = errno;
    ::close(descriptor);
    return system_error(path, "inspect", number);
  }
  if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
    ::close(descriptor);
    return Error{
        Code::invalid_data,
        path.string() + (S_ISREG(status.st_mode) ? " is empty" : " is not a regular file")};
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int number = errno;
  ::close(descriptor);
  if (data == MAP_FAILED) return system_error(path, "map", number);
  return MappedFile(data, size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

MappedFile::~MappedFile() {
  unmap();
}

void MappedFile::unmap() noexcept {
  // munmap takes a mutable pointer although it does not write through it.
  if (data_ != nullptr) ::munmap(const_cast<void*>(data_), size_);
  data_ = nullptr;
}

}  // namespace facet
