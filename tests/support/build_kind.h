// How much slower than a user's this build on this machine is, for the tests that hold a time.
#pragma once

#include "tests/support/catch.h"

#include <cstdlib>
#include <thread>

namespace facet::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

/// The factor on a bound of processor time: 1 in a build for users on a machine with little else to
/// do. Sanitizers check every access of a debug build: 30. Where more programs want to run than
/// there are cores, they also share caches and clock, and processor time grows (1.4 times was seen
/// with three on two cores): 3, with a warning.
inline double slowdown() {
  double out = kIsSanitized ? 30.0 : 1.0;
  double load = 0.0;
  const double cores = std::thread::hardware_concurrency();
  if (::getloadavg(&load, 1) == 1 && load > cores) {
    WARN("the machine is busy (load " << load << "): the bound on time is three times as wide");
    out *= 3.0;
  }
  return out;
}

}  // namespace facet::test
