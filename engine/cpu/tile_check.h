// A look at the tiles of AMX before they are trusted with a model.
#pragma once

#include "engine/cpu/instruction_sets.h"

namespace facet::engine {

/// True when products on tiles agree with what they must give: in int8 the bits of AVX-512 VNNI, in
/// bf16 the sums in double within 1e-5, and the same bits for few tokens as among many. Takes
/// microseconds. Hypervisors and emulators can report instructions that they do not carry out
/// right; and few who change this code have a processor with AMX to try it on. REQUIRES: the
/// processor runs what the tables need, and AVX-512 BF16.
bool tiles_agree(const PackedOps& int8, const PackedOps& bf16);

}  // namespace facet::engine
