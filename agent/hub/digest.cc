#include "agent/hub/digest.h"

#include "base/file_descriptor.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <vector>

namespace facet::agent::hub {

namespace {

constexpr std::size_t kBlockBytes = 1U << 20U;

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Error failed(const std::filesystem::path& path) {
  return Error{Code::unavailable,
               "'" + path.string() + "' cannot be read: " + std::strerror(errno)};
}

std::string finish(EVP_MD_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  FACET_CHECK(EVP_DigestFinal_ex(context, bytes.data(), &size) == 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) hex += {kDigits[bytes[i] >> 4U], kDigits[bytes[i] & 15U]};
  return hex;
}

}  // namespace

std::optional<FileDigest> digest_from_hex(std::string_view hex) {
  const bool is_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (!is_hex || (hex.size() != 40 && hex.size() != 64)) return std::nullopt;
  return FileDigest{.kind = hex.size() == 64 ? DigestKind::sha256 : DigestKind::git_sha1,
                    .hex = std::string(hex)};
}

Result<std::string> digest_of_file(const std::filesystem::path& path,
                                   DigestKind kind,
                                   const std::stop_token& stop,
                                   const std::function<void(std::int64_t)>& on_bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status = {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return failed(path);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const EVP_MD* algorithm = kind == DigestKind::sha256 ? EVP_sha256() : EVP_sha1();
  if (!context || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) {
    return Error{Code::internal, "OpenSSL has no digest for '" + path.string() + "'"};
  }
  if (kind == DigestKind::git_sha1) {
    const std::string head = "blob " + std::to_string(status.st_size) + '\0';
    FACET_CHECK(EVP_DigestUpdate(context.get(), head.data(), head.size()) == 1);
  }
  std::vector<unsigned char> block(kBlockBytes);
  std::int64_t done = 0;
  while (!stop.stop_requested()) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) return finish(context.get());
    FACET_CHECK(EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(got)) == 1);
    done += got;
    if (on_bytes) on_bytes(done);
  }
  return Error{Code::cancelled, "interrupted while checking '" + path.string() + "'"};
}

}  // namespace facet::agent::hub
