#include "agent/hub/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

namespace facet::agent::hub {

namespace {

struct Block {
  std::uint32_t network;
  int bits;
};

/// What the IANA registry of special IPv4 addresses says is not global, and multicast.
constexpr std::array<Block, 16> kNotPublic{{{0x00000000U, 8},    // 0.0.0.0/8
                                            {0x0A000000U, 8},    // 10.0.0.0/8
                                            {0x64400000U, 10},   // 100.64.0.0/10
                                            {0x7F000000U, 8},    // 127.0.0.0/8
                                            {0xA83F8110U, 32},   // 168.63.129.16, a cloud's own
                                            {0xA9FE0000U, 16},   // 169.254.0.0/16
                                            {0xAC100000U, 12},   // 172.16.0.0/12
                                            {0xC0000000U, 24},   // 192.0.0.0/24
                                            {0xC0000200U, 24},   // 192.0.2.0/24
                                            {0xC0586300U, 24},   // 192.88.99.0/24
                                            {0xC0A80000U, 16},   // 192.168.0.0/16
                                            {0xC6120000U, 15},   // 198.18.0.0/15
                                            {0xC6336400U, 24},   // 198.51.100.0/24
                                            {0xCB007100U, 24},   // 203.0.113.0/24
                                            {0xE0000000U, 4},    // 224.0.0.0/4
                                            {0xF0000000U, 4}}};  // 240.0.0.0/4

bool is_public_v4(std::uint32_t address) {
  return std::none_of(kNotPublic.begin(), kNotPublic.end(), [&](const Block& block) {
    const std::uint32_t mask = ~std::uint32_t{0} << static_cast<unsigned>(32 - block.bits);
    return (address & mask) == block.network;
  });
}

std::uint32_t word_at(const std::array<std::uint8_t, 16>& bytes, std::size_t at) {
  return (std::uint32_t{bytes[at]} << 24U) | (std::uint32_t{bytes[at + 1]} << 16U) |
         (std::uint32_t{bytes[at + 2]} << 8U) | std::uint32_t{bytes[at + 3]};
}

bool is_public_v6(const std::array<std::uint8_t, 16>& bytes) {
  const std::uint32_t first = word_at(bytes, 0);
  // NAT64 (64:ff9b::/96) carries an IPv4 address in its end, 6to4 (2002::/16) behind its prefix.
  if (first == 0x0064FF9BU && word_at(bytes, 4) == 0 && word_at(bytes, 8) == 0) {
    return is_public_v4(word_at(bytes, 12));
  }
  if (first >> 16U == 0x2002U) return is_public_v4((first << 16U) | (word_at(bytes, 4) >> 16U));
  // Everything global is in 2000::/3, but for Teredo (2001:0::/32) and documentation (2001:db8::).
  // Mapped IPv4 (::ffff:0:0/96), loopback, unique local, link-local and multicast are outside of
  // it.
  return first >> 29U == 1U && first != 0x20010000U && first != 0x20010DB8U;
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr address{};
  const bool is_v4 = ::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
  return is_v4 && ntohl(address.s_addr) >> 24U == 127U;
}

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return is_public_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof v6);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return is_public_v6(bytes);
}

}  // namespace facet::agent::hub
