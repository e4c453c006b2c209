#include "base/private_file.h"

#include "base/file_descriptor.h"

#include <cerrno>
#include <fcntl.h>
#include <system_error>

namespace facet {

Status make_private_file(const std::filesystem::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() >= 0 || errno == EEXIST) return ok();
  const int number = errno;
  return Error{
      number == ENOENT || number == ENOTDIR ? Code::not_found : Code::unavailable,
      "'" + path.string() + "' cannot be created: " + std::generic_category().message(number)};
}

}  // namespace facet
