// current_time: what time it is, from a clock that is passed in.
#pragma once

#include "base/clock.h"
#include "tools/builtin/time_zone.h"
#include "tools/tool.h"

#include <memory>

namespace facet::tools {

/// Tool `current_time`, optional `timezone` (IANA name or offset; UTC when left out): the result is
/// {"time":"2026-11-21T08:00:00+01:00","weekday":"Saturday"}.
std::shared_ptr<const Tool> make_current_time(std::shared_ptr<const Clock> clock,
                                              TimeZoneOptions options = {});

}  // namespace facet::tools
