// The Ops of each instruction set, and the choice among them, made once when an engine is loaded.
#pragma once

#include "base/result.h"
#include "engine/ops.h"

#include <string_view>
#include <vector>

namespace facet::engine {

// Immutable tables, without the functions for packed activations. Calling their functions on a
// processor without the instructions is undefined: go through choose_ops. avx512 and avx2 are null
// in builds for other architectures.
const Ops* avx512_ops();
const Ops* avx2_ops();
const Ops* portable_ops();

/// The functions of Ops for one form of packed activations, which have instruction sets of their
/// own.
struct PackedOps {
  void (*matmul)(const MatmulArgs& args) = nullptr;
  void (*pack)(const PackArgs& args) = nullptr;
  /// As in Ops, where this form has the fastest arithmetic; else null.
  const char* arithmetic = nullptr;
  std::int64_t (*busy)(std::int64_t rounds) = nullptr;
};
PackedOps amx_int8_ops();
PackedOps amx_bf16_ops();
PackedOps avx512_vnni_ops();
PackedOps avx512_bf16_ops();
PackedOps avx2_packed_ops();
PackedOps portable_packed_ops();

/// Asks Linux for the tiles of AMX, for this process; false when it refuses.
bool ask_for_tiles();

/// The tables that this processor and its operating system can run, best first; never empty.
std::vector<const Ops*> usable_ops();

/// The best usable table, or the one named by `forced` ("avx512", "avx2", "portable") when it is
/// not empty: invalid_argument for any other name, unsupported where this machine cannot run it.
Result<const Ops*> choose_ops(std::string_view forced);

}  // namespace facet::engine
