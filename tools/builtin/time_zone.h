// Time zones: how many seconds a place is ahead of UTC at a moment, from the system's zone files
// (TZif, RFC 8536). The C library's own functions keep the zone in a global, so they are not used.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace facet::tools {

struct TimeZoneOptions {
  std::string folder = "/usr/share/zoneinfo";
  std::uint64_t file_bytes_max = 1U << 20U;
};

/// The offset of `zone` from UTC in seconds at `unix_seconds`. `zone` is "UTC", "Z", an offset
/// ("+05:30", "-0800", "UTC+2") or an IANA name ("Europe/Berlin"). Moments after a file's last
/// transition follow its rule string. invalid_argument for a name that is none; not_found for an
/// unknown zone; invalid_data for a broken file.
Result<std::int64_t> zone_offset_seconds(std::string_view zone,
                                         std::int64_t unix_seconds,
                                         const TimeZoneOptions& options = {});

/// The offset by a POSIX TZ rule such as "CET-1CEST,M3.5.0,M10.5.0/3", with rules of the form
/// Mm.w.d only. invalid_data for anything else.
Result<std::int64_t> rule_offset_seconds(std::string_view rule, std::int64_t unix_seconds);

}  // namespace facet::tools
