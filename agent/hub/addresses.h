// Which hosts and addresses lie on this machine or inside this network.
#pragma once

#include <string_view>

struct sockaddr;

namespace facet::agent::hub {

/// "localhost", 127.0.0.0/8 in its usual spelling, "::1": the spellings a person uses. No name that
/// merely resolves to one.
bool is_loopback_host(std::string_view host);

/// False for loopback, private, link-local, shared (RFC 6598), multicast, reserved and unspecified
/// addresses of either family, the IPv4 addresses that an IPv6 one may carry included, and for any
/// other family.
bool is_public_address(const sockaddr& address);

}  // namespace facet::agent::hub
