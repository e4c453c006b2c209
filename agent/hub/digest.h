// Digests of files as a hub names them: SHA-256 of a large file, git's SHA-1 of a small one. By
// OpenSSL: gigabytes are hashed, and its code uses the instructions that processors have for it.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace facet::agent::hub {

enum class DigestKind {
  sha256,    ///< Of the bytes.
  git_sha1,  ///< Of "blob <bytes>\0" and the bytes: what git calls the object.
};

struct FileDigest {
  DigestKind kind = DigestKind::sha256;
  std::string hex;  ///< 64 or 40 lower-case digits; also the name of the blob in the cache.
};

/// By its length; nullopt for anything but 40 or 64 lower-case hexadecimal digits.
std::optional<FileDigest> digest_from_hex(std::string_view hex);

/// Hashes a file; `on_bytes` hears how much is done. unavailable when it cannot be read, cancelled.
Result<std::string> digest_of_file(const std::filesystem::path& path,
                                   DigestKind kind,
                                   const std::stop_token& stop,
                                   const std::function<void(std::int64_t)>& on_bytes = {});

}  // namespace facet::agent::hub
