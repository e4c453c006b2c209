#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/tile_check.h"

#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace facet::engine {
namespace {

bool runs_avx512() {
#if defined(__x86_64__)
  // GCC's check asks the operating system too (XGETBV): the wide registers must be saved.
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#else
  return false;
#endif
}

bool runs_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
#else
  return false;
#endif
}

}  // namespace

/// The one table of an instruction set: `base` with the functions for packed activations.
Ops with_packed(const Ops* base, const PackedOps& int8, const PackedOps& bf16) {
  Ops out = base == nullptr ? Ops{} : *base;
  out.matmul_int8 = int8.matmul;
  out.pack_int8 = int8.pack;
  out.matmul_bf16 = bf16.matmul;
  out.pack_bf16 = bf16.pack;
  if (int8.busy != nullptr) {
    out.arithmetic = int8.arithmetic;
    out.busy = int8.busy;
  }
  return out;
}

Ops amx_table(const Ops& avx512) {
  Ops out = avx512;
  out.name = "amx";
  out.matmul_int8 = amx_int8_ops().matmul;
  out.matmul_bf16 = amx_bf16_ops().matmul;
  return out;
}

bool runs_avx512_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

bool runs_vnni() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

bool runs_amx() {
#if defined(__x86_64__)
  static const bool runs = [] {
    // CPUID leaf 7: not every compiler knows these names. The kernel refuses where it does not save
    // the tiles.
    constexpr unsigned kBf16 = 1U << 22U;
    constexpr unsigned kTile = 1U << 24U;
    constexpr unsigned kInt8 = 1U << 25U;
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    return (d & kTile) != 0 && (d & kInt8) != 0 && (d & kBf16) != 0 && runs_avx512() &&
           runs_vnni() && runs_avx512_bf16() && ask_for_tiles() &&
           tiles_agree(amx_int8_ops(), amx_bf16_ops());
  }();
  return runs;
#else
  return false;
#endif
}

#if !defined(__x86_64__)
PackedOps amx_int8_ops() {
  return {};
}
PackedOps amx_bf16_ops() {
  return {};
}
const Ops* avx512_ops() {
  return nullptr;
}
const Ops* avx2_ops() {
  return nullptr;
}
PackedOps avx512_vnni_ops() {
  return {};
}
PackedOps avx512_bf16_ops() {
  return {};
}
PackedOps avx2_packed_ops() {
  return {};
}
#endif

std::vector<const Ops*> usable_ops() {
  // What only returns a table is compiled for the table's instructions too, and may use them: it is
  // called where they are there. AVX-512 without VNNI (Skylake) takes the packed products of AVX2.
  static const Ops avx512 = runs_avx512()
                                ? with_packed(avx512_ops(),
                                              runs_vnni() ? avx512_vnni_ops() : avx2_packed_ops(),
                                              runs_avx512_bf16() ? avx512_bf16_ops() : PackedOps{})
                                : Ops{};
  static const Ops amx = runs_amx() ? amx_table(avx512) : Ops{};
  static const Ops avx2 = runs_avx2() ? with_packed(avx2_ops(), avx2_packed_ops(), {}) : Ops{};
  static const Ops portable = with_packed(portable_ops(), portable_packed_ops(), {});
  std::vector<const Ops*> out;
  if (runs_amx()) out.push_back(&amx);
  if (runs_avx512()) out.push_back(&avx512);
  if (runs_avx2()) out.push_back(&avx2);
  out.push_back(&portable);
  return out;
}

Result<const Ops*> choose_ops(std::string_view forced) {
  const std::vector<const Ops*> usable = usable_ops();
  if (forced.empty()) return usable.front();
  for (const Ops* ops : usable) {
    if (forced == ops->name) return ops;
  }
  const std::string name(forced);
  if (forced == "amx" || forced == "avx512" || forced == "avx2") {
    return Error{Code::unsupported,
                 "FACET_CPU=" + name + ": this processor or its operating system cannot run it"};
  }
  return Error{Code::invalid_argument,
               "FACET_CPU=" + name + ": expected amx, avx512, avx2 or portable"};
}

}  // namespace facet::engine
