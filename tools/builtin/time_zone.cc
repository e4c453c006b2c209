#include "tools/builtin/time_zone.h"

#include "base/byte_reader.h"
#include "base/json.h"
#include "base/mapped_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace facet::tools {
namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kOffsetMax = 26 * kHour;  ///< RFC 8536, 3.2: less than 26 hours.

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Error broken(const std::string& what) {
  return {Code::invalid_data, "the time zone " + what};
}

/// "+05:30", "-0800", "+2", with or without "UTC" or "GMT" in front.
std::optional<std::int64_t> fixed_offset(std::string_view zone) {
  if (zone == "UTC" || zone == "GMT" || zone == "Z" || zone == "z") return 0;
  if (zone.substr(0, 3) == "UTC" || zone.substr(0, 3) == "GMT") zone.remove_prefix(3);
  if (zone.empty() || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
  const std::int64_t sign = zone[0] == '-' ? -1 : 1;
  std::string digits;
  for (const char c : zone.substr(1)) {
    if (c == ':' && (digits.size() == 1 || digits.size() == 2) &&
        zone.size() - 1 > digits.size() + 1) {
      if (digits.size() == 1) digits.insert(0, "0");
      continue;
    }
    if (!is_digit(c)) return std::nullopt;
    digits += c;
  }
  if (digits.size() == 1) digits.insert(0, "0");
  if (digits.size() == 2) digits += "00";
  if (digits.size() != 4) return std::nullopt;
  const std::int64_t hours = (digits[0] - '0') * 10 + (digits[1] - '0');
  const std::int64_t minutes = (digits[2] - '0') * 10 + (digits[3] - '0');
  if (hours > 18 || minutes > 59) return std::nullopt;
  return sign * (hours * kHour + minutes * 60);
}

/// Letters, digits and "_+-" in parts that begin with a letter: nothing that leaves the folder.
bool is_zone_name(std::string_view zone) {
  if (zone.empty() || zone.size() > 64) return false;
  bool part_begins = true;
  for (const char c : zone) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const bool other = is_digit(c) || c == '_' || c == '+' || c == '-';
    if (part_begins ? !letter : !(letter || other || c == '/')) return false;
    part_begins = c == '/';
  }
  return !part_begins;
}

/// Reads the pieces of a POSIX TZ rule from left to right.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return text_.empty(); }
  [[nodiscard]] char peek() const { return text_.empty() ? '\0' : text_[0]; }
  bool take(char c) {
    if (peek() != c || text_.empty()) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// "CET" or "<+03>".
  bool name() {
    const std::size_t before = text_.size();
    if (take('<')) {
      const std::size_t end = text_.find('>');
      if (end == std::string_view::npos) return false;
      text_.remove_prefix(end + 1);
      return true;
    }
    while ((peek() >= 'A' && peek() <= 'Z') || (peek() >= 'a' && peek() <= 'z')) {
      text_.remove_prefix(1);
    }
    return before - text_.size() >= 3;
  }
  std::optional<std::int64_t> number() {
    if (!is_digit(peek())) return std::nullopt;
    std::int64_t value = 0;
    for (int digits = 0; is_digit(peek()); ++digits) {
      if (digits >= 4) return std::nullopt;
      value = value * 10 + (peek() - '0');
      text_.remove_prefix(1);
    }
    return value;
  }
  /// [+-]hh[:mm[:ss]] in seconds.
  std::optional<std::int64_t> time() {
    const std::int64_t sign = take('-') ? -1 : 1;
    if (sign > 0) take('+');
    auto total = number();
    if (!total) return std::nullopt;
    *total *= kHour;
    for (std::int64_t unit = 60; unit > 0 && take(':'); unit /= 60) {
      const auto part = number();
      if (!part) return std::nullopt;
      *total += *part * unit;
    }
    return sign * *total;
  }

 private:
  std::string_view text_;
};

/// When daylight time begins or ends: week `week` (5 is the last) of `month`, on `weekday`.
struct RuleDay {
  unsigned month = 1;
  unsigned week = 1;
  unsigned weekday = 0;
  std::int64_t seconds = 2 * kHour;

  /// In local seconds since 1970.
  [[nodiscard]] std::int64_t in_year(std::chrono::year year) const {
    using std::chrono::sys_days;
    const std::chrono::month in_month(month);
    const std::chrono::weekday on_day(weekday);
    const sys_days day = week == 5 ? sys_days(year / in_month / on_day[std::chrono::last])
                                   : sys_days(year / in_month / on_day[week]);
    return day.time_since_epoch().count() * kDay + seconds;
  }
};

std::optional<RuleDay> rule_day(RuleReader& reader) {
  if (!reader.take(',') || !reader.take('M')) return std::nullopt;
  const auto month = reader.number();
  if (!month || !reader.take('.')) return std::nullopt;
  const auto week = reader.number();
  if (!week || !reader.take('.')) return std::nullopt;
  const auto weekday = reader.number();
  if (!weekday || *month < 1 || *month > 12 || *week < 1 || *week > 5 || *weekday > 6) {
    return std::nullopt;
  }
  RuleDay out{.month = static_cast<unsigned>(*month),
              .week = static_cast<unsigned>(*week),
              .weekday = static_cast<unsigned>(*weekday)};
  if (reader.take('/')) {
    const auto time = reader.time();
    if (!time) return std::nullopt;
    out.seconds = *time;
  }
  return out;
}

/// The parts of a TZif file that give an offset.
struct ZoneData {
  std::vector<std::int64_t> transitions;
  std::vector<std::uint8_t> types;
  std::vector<std::int32_t> offsets;
  std::string rule;
};

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8U | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

std::int64_t big_endian_64(std::span<const std::byte> bytes, std::size_t at) {
  const std::uint64_t high = big_endian(bytes, at);
  return std::bit_cast<std::int64_t>(high << 32U | big_endian(bytes, at + 4));
}

/// The six counts of a TZif header, in the order of RFC 8536, 3.1.
struct Header {
  char version = '\0';
  std::uint64_t isutc = 0, isstd = 0, leap = 0, time = 0, type = 0, chars = 0;

  [[nodiscard]] std::uint64_t body_bytes(std::uint64_t time_bytes) const {
    return time * (time_bytes + 1) + type * 6 + chars + leap * (time_bytes + 4) + isstd + isutc;
  }
};

Result<Header> read_header(ByteReader& reader) {
  FACET_TRY(const auto bytes, reader.read_bytes(44, "header"));
  const bool magic =
      std::to_integer<char>(bytes[0]) == 'T' && std::to_integer<char>(bytes[1]) == 'Z' &&
      std::to_integer<char>(bytes[2]) == 'i' && std::to_integer<char>(bytes[3]) == 'f';
  if (!magic) return broken("file does not begin with TZif");
  return Header{.version = std::to_integer<char>(bytes[4]),
                .isutc = big_endian(bytes, 20),
                .isstd = big_endian(bytes, 24),
                .leap = big_endian(bytes, 28),
                .time = big_endian(bytes, 32),
                .type = big_endian(bytes, 36),
                .chars = big_endian(bytes, 40)};
}

Result<ZoneData> read_zone(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  FACET_TRY(Header header, read_header(reader));
  if (header.version < '2') return broken("file has version 1, which ends in 2038");
  FACET_TRY_STATUS(reader.skip(header.body_bytes(4), "version 1 body"));
  FACET_TRY(header, read_header(reader));
  ZoneData out;
  FACET_TRY(const auto times, reader.read_bytes(header.time * 8, "transition times"));
  FACET_TRY(const auto types, reader.read_bytes(header.time, "transition types"));
  FACET_TRY(const auto kinds, reader.read_bytes(header.type * 6, "local time types"));
  for (std::size_t i = 0; i < header.time; ++i) {
    out.transitions.push_back(big_endian_64(times, i * 8));
    out.types.push_back(std::to_integer<std::uint8_t>(types[i]));
    if (out.types.back() >= header.type) return broken("file names a local time type it lacks");
  }
  if (!std::is_sorted(out.transitions.begin(), out.transitions.end())) {
    return broken("file has transitions out of order");
  }
  for (std::size_t i = 0; i < header.type; ++i) {
    out.offsets.push_back(std::bit_cast<std::int32_t>(big_endian(kinds, i * 6)));
    if (std::abs(std::int64_t{out.offsets.back()}) >= kOffsetMax)
      return broken("file has an offset beyond 26 hours");
  }
  if (out.offsets.empty()) return broken("file has no local time type");
  FACET_TRY_STATUS(reader.skip(header.chars + header.leap * 12 + header.isstd + header.isutc,
                               "rest of the body"));
  FACET_TRY(out.rule, reader.read_string(reader.remaining(), "rule"));
  std::erase(out.rule, '\n');
  return out;
}

}  // namespace

Result<std::int64_t> rule_offset_seconds(std::string_view rule, std::int64_t unix_seconds) {
  const Error bad = broken("rule " + json_quote(rule) + " is not of a known form");
  RuleReader reader(rule);
  if (!reader.name()) return bad;
  const auto standard_west = reader.time();
  if (!standard_west || std::abs(*standard_west) >= kOffsetMax) return bad;
  const std::int64_t standard = -*standard_west;  // POSIX counts hours west of Greenwich.
  if (reader.at_end()) return standard;
  if (!reader.name()) return bad;
  std::int64_t daylight = standard + kHour;
  if (reader.peek() != ',') {
    const auto west = reader.time();
    if (!west) return bad;
    daylight = -*west;
  }
  const auto begin = rule_day(reader);
  const auto end = rule_day(reader);
  if (!begin || !end || !reader.at_end() || std::abs(daylight) >= kOffsetMax) return bad;
  const std::chrono::sys_seconds moment{std::chrono::seconds(unix_seconds + standard)};
  const std::chrono::year year =
      std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(moment)).year();
  const std::int64_t daylight_from = begin->in_year(year) - standard;
  const std::int64_t daylight_until = end->in_year(year) - daylight;
  const bool is_daylight = daylight_from < daylight_until
                               ? unix_seconds >= daylight_from && unix_seconds < daylight_until
                               : unix_seconds >= daylight_from || unix_seconds < daylight_until;
  return is_daylight ? daylight : standard;
}

Result<std::int64_t> zone_offset_seconds(std::string_view zone,
                                         std::int64_t unix_seconds,
                                         const TimeZoneOptions& options) {
  if (const auto fixed = fixed_offset(zone)) return *fixed;
  if (!is_zone_name(zone)) {
    return Error{Code::invalid_argument,
                 json_quote(zone.substr(0, 64)) +
                     " is no time zone; give a name like Europe/Berlin or an offset like +02:00"};
  }
  const std::string path = options.folder + "/" + std::string(zone);
  std::error_code missing;
  if (!std::filesystem::is_regular_file(path, missing)) {
    const bool none = !std::filesystem::is_directory(options.folder, missing);
    return Error{none ? Code::unavailable : Code::not_found,
                 none ? "this system has no time zone files (Debian package tzdata); give an offset"
                      : "there is no time zone " + json_quote(zone)};
  }
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  if (file.bytes().size() > options.file_bytes_max)
    return broken("file " + std::string(zone) + " is too large");
  auto data = read_zone(file.bytes());
  if (!data) return data.error().with_context("time zone " + std::string(zone));
  const auto after =
      std::upper_bound(data->transitions.begin(), data->transitions.end(), unix_seconds);
  if (after == data->transitions.end() && !data->rule.empty()) {
    return rule_offset_seconds(data->rule, unix_seconds);
  }
  if (after == data->transitions.begin()) return data->offsets[0];
  const auto index = static_cast<std::size_t>(after - data->transitions.begin()) - 1;
  return data->offsets[data->types[index]];
}

}  // namespace facet::tools
