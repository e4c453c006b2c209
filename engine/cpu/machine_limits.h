// What this machine can do at most: the figures that measured speeds are compared with.
#pragma once

#include "engine/ops.h"

namespace facet::engine {

struct MachineLimits {
  double read_gb_per_s = 0.0;         ///< Memory read, by all threads together.
  double arithmetic_gop_per_s = 0.0;  ///< Multiplies and adds of `arithmetic`, in registers.
  const char* arithmetic = "";        ///< Ops::arithmetic: which instructions.
};

/// Measures for about half a second on `threads` threads, the best of several runs each. Reads a
/// buffer of 256 MiB; where that much cannot be had, read_gb_per_s is 0.
MachineLimits measure_machine_limits(const Ops& ops, int threads);

}  // namespace facet::engine
