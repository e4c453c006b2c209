#include "tools/builtin/current_time.h"

#include "tools/typed.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace facet::tools {
namespace {

struct TimeArgs {
  std::optional<std::string> timezone;
};
FACET_FIELDS(TimeArgs,
             FACET_FIELD(timezone,
                         "For example Europe/Berlin; UTC when left out.",
                         {.is_free = true}))

struct TimeResult {
  std::string time;
  std::string weekday;
};
FACET_FIELDS(TimeResult, FACET_FIELD(time, ""), FACET_FIELD(weekday, ""))

/// ISO 8601 with the offset; "Z" for UTC. Seconds of an offset, as before 1900, are cut.
TimeResult describe(std::int64_t unix_seconds, std::int64_t offset) {
  namespace chrono = std::chrono;
  static constexpr std::array<const char*, 7> kWeekdays{
      "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  const chrono::sys_seconds local{chrono::seconds(unix_seconds + offset)};
  const auto day = chrono::floor<chrono::days>(local);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(local - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(),
                text.size(),
                "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string time = text.data();
  if (offset == 0) {
    time += "Z";
  } else {
    const int minutes = static_cast<int>(std::abs(offset) / 60);
    std::snprintf(text.data(),
                  text.size(),
                  "%c%02d:%02d",
                  offset < 0 ? '-' : '+',
                  minutes / 60,
                  minutes % 60);
    time += text.data();
  }
  return {.time = std::move(time), .weekday = kWeekdays[chrono::weekday(day).c_encoding()]};
}

}  // namespace

std::shared_ptr<const Tool> make_current_time(std::shared_ptr<const Clock> clock,
                                              TimeZoneOptions options) {
  return make_tool<TimeArgs>(
      "current_time",
      "Tells the current date and time.",
      [clock = std::move(clock),
       options = std::move(options)](const TimeArgs& args) -> Result<TimeResult> {
        const std::int64_t now = clock->unix_ms() / 1000;
        FACET_TRY(const std::int64_t offset,
                  zone_offset_seconds(args.timezone.value_or("UTC"), now, options));
        return describe(now, offset);
      });
}

}  // namespace facet::tools
