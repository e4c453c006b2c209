#include "tools/builtin/current_time.h"

#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using facet::Code;
using facet::ManualClock;
using facet::tools::rule_offset_seconds;
using facet::tools::zone_offset_seconds;

constexpr std::int64_t kSummer2026 = 1'782'907'200;  // 2026-07-01T12:00:00Z
constexpr std::int64_t kWinter2026 = 1'795'262'400;  // 2026-11-21T12:00:00Z
constexpr std::int64_t kHour = 3600;

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xFFU);
  return out;
}

/// A TZif file of version 2 with one change at `when` from +1 h to +2 h, and `rule`.
std::string zone_file(std::int64_t when, const std::string& rule) {
  const std::string head = "TZif2" + std::string(15, '\0');
  const std::string empty = big_endian(0, 4);
  std::string out = head + empty + empty + empty + empty + empty + empty;
  out += head + empty + empty + empty + big_endian(1, 4) + big_endian(2, 4) + big_endian(8, 4);
  out += big_endian(static_cast<std::uint64_t>(when), 8) + '\x01';
  out += big_endian(3600, 4) + '\0' + '\0' + big_endian(7200, 4) + '\x01' + '\x04';
  return out + std::string("AAA\0BBB\0", 8) + "\n" + rule + "\n";
}

}  // namespace

TEST_CASE("the clock is shown as ISO 8601 with its weekday", "[tools][unit]") {
  const auto clock = std::make_shared<ManualClock>();  // 2023-11-14T22:13:20Z
  const auto tool = facet::tools::make_current_time(clock);
  const auto call = [&](const char* arguments) {
    const auto result = tool->call(nlohmann::ordered_json::parse(arguments), {});
    return result ? facet::dump_json(*result) : "error: " + result.error().message;
  };
  CHECK(call("{}") == R"({"time":"2023-11-14T22:13:20Z","weekday":"Tuesday"})");
  CHECK(call(R"({"timezone":"+02:00"})") ==
        R"({"time":"2023-11-15T00:13:20+02:00","weekday":"Wednesday"})");
  CHECK(call(R"({"timezone":"-0330"})") ==
        R"({"time":"2023-11-14T18:43:20-03:30","weekday":"Tuesday"})");
  CHECK(call(R"({"timezone":"../../etc/passwd"})").find("error: ") == 0);
}

TEST_CASE("offsets are read in the usual spellings", "[tools][unit]") {
  const auto row = GENERATE(table<std::string, std::int64_t>({
      {"UTC", 0},
      {"Z", 0},
      {"GMT", 0},
      {"+2", 2 * kHour},
      {"UTC+2", 2 * kHour},
      {"+05:30", 5 * kHour + 1800},
      {"-0800", -8 * kHour},
      {"+5:45", 5 * kHour + 2700},
  }));
  const auto offset = zone_offset_seconds(std::get<0>(row), 0);
  REQUIRE(offset.has_value());
  CHECK(*offset == std::get<1>(row));
}

TEST_CASE("what is no time zone is refused", "[tools][unit]") {
  const auto row = GENERATE(table<std::string, Code>({
      {"", Code::invalid_argument},
      {"+", Code::invalid_argument},
      {"+19", Code::invalid_argument},
      {"+01:75", Code::invalid_argument},
      {"../UTC", Code::invalid_argument},
      {"/etc/passwd", Code::invalid_argument},
      {"Europe//Berlin", Code::invalid_argument},
      {"Europe/", Code::invalid_argument},
      {"Mittelerde/Bree", Code::not_found},
  }));
  facet::test::TempDir folder;
  const auto offset = zone_offset_seconds(std::get<0>(row), 0, {.folder = folder.path().string()});
  REQUIRE_FALSE(offset.has_value());
  CHECK(offset.error().code == std::get<1>(row));
}

TEST_CASE("rules give the offset on both sides of every change", "[tools][unit]") {
  const std::string berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
  // 2026: daylight time from March 29 01:00 UTC until October 25 01:00 UTC.
  CHECK(*rule_offset_seconds(berlin, 1'774'745'999) == kHour);
  CHECK(*rule_offset_seconds(berlin, 1'774'746'000) == 2 * kHour);
  CHECK(*rule_offset_seconds(berlin, 1'792'889'999) == 2 * kHour);
  CHECK(*rule_offset_seconds(berlin, 1'792'890'000) == kHour);
  // The southern hemisphere: daylight time spans the new year.
  const std::string sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
  CHECK(*rule_offset_seconds(sydney, kSummer2026) == 10 * kHour);
  CHECK(*rule_offset_seconds(sydney, kWinter2026) == 11 * kHour);
  CHECK(*rule_offset_seconds("<-03>3", kSummer2026) == -3 * kHour);
  CHECK(*rule_offset_seconds("IST-5:30", kSummer2026) == 5 * kHour + 1800);
  CHECK_FALSE(rule_offset_seconds("CET-1CEST,J60,J300", kSummer2026).has_value());
  CHECK_FALSE(rule_offset_seconds("", kSummer2026).has_value());
  CHECK_FALSE(rule_offset_seconds("CET-1CEST,M13.5.0,M10.5.0/3", kSummer2026).has_value());
}

TEST_CASE("zone files give the offset before, after and beyond their changes", "[tools][unit]") {
  facet::test::TempDir folder;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder.path() / name, std::ios::binary) << bytes;
  };
  const auto offset = [&](const std::string& name, std::int64_t when) {
    return zone_offset_seconds(name, when, {.folder = folder.path().string()});
  };
  write("Plain", zone_file(1000, ""));
  CHECK(*offset("Plain", 999) == kHour);
  CHECK(*offset("Plain", 1000) == 2 * kHour);
  write("Ruled", zone_file(1000, "AAA-5"));
  CHECK(*offset("Ruled", 999) == kHour);
  CHECK(*offset("Ruled", 1000) == 5 * kHour);
  const std::string whole = zone_file(1000, "");
  for (std::size_t length = 1; length + 2 < whole.size(); ++length) {
    write("Cut", whole.substr(0, length));
    CHECK_FALSE(offset("Cut", 0).has_value());
  }
  write("Text", std::string(200, 'x'));
  REQUIRE_FALSE(offset("Text", 0).has_value());
  CHECK(offset("Text", 0).error().code == Code::invalid_data);
}

TEST_CASE("the system's own zone files are read", "[tools][unit]") {
  if (!std::filesystem::exists("/usr/share/zoneinfo/Europe/Berlin")) {
    WARN("skipped: no tzdata on this system");
    return;
  }
  CHECK(*zone_offset_seconds("Europe/Berlin", kSummer2026) == 2 * kHour);
  CHECK(*zone_offset_seconds("Europe/Berlin", kWinter2026) == kHour);
  CHECK(*zone_offset_seconds("America/New_York", kSummer2026) == -4 * kHour);
  CHECK(*zone_offset_seconds("Asia/Kolkata", kSummer2026) == 5 * kHour + 1800);
  // 2100-07-01: beyond the last stored change.
  CHECK(*zone_offset_seconds("Europe/Berlin", 4'118'040'000) == 2 * kHour);
}
