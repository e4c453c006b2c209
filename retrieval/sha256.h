// SHA-256 (FIPS 180-4) by OpenSSL, for content hashes and cache checksums. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace facet::retrieval {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest sha256(std::span<const std::byte> bytes);
Sha256Digest sha256(std::string_view bytes);

/// 64 lower-case hexadecimal digits.
std::string sha256_hex(const Sha256Digest& digest);

}  // namespace facet::retrieval
