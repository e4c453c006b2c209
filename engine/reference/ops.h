// The reference Ops: scalar loops that follow the equations of engine/ops.h word by word, summed in
// double. Slow on purpose; the oracle of all kernel tests.
#pragma once

#include "engine/ops.h"

namespace facet::engine {

/// Immutable; thread-safe.
const Ops& reference_ops();

}  // namespace facet::engine
