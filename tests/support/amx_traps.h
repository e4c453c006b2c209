// AMX on processors that lack it: each of its instructions raises SIGILL there, and a handler does
// what the processor would have done. So the object code that ships is run, not a copy of it.
#pragma once

#include <cstdint>

namespace facet::test {

/// Whether this is a processor without AMX on which AmxTraps can work (x86-64).
bool can_trap_amx();

/// While one lives, AMX instructions run in software in every thread, about a microsecond each:
/// LDTILECFG, TILERELEASE, TILEZERO, TILELOADD, TILESTORED, TDPBSSD and TDPBF16PS as in Intel's
/// Software Developer's Manual, volume 2. What the processor refuses (a tile that is not
/// configured, shapes that do not fit, a tile used twice) and any other instruction of AMX ends the
/// process with a message. REQUIRES: can_trap_amx(), and none alive yet.
class AmxTraps {
 public:
  AmxTraps();
  AmxTraps(const AmxTraps&) = delete;
  AmxTraps& operator=(const AmxTraps&) = delete;
  ~AmxTraps();

  /// Instructions that were run so far, in all threads.
  [[nodiscard]] std::int64_t executed() const;
};

}  // namespace facet::test
