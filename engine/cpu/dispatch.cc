#include "engine/cpu/instruction_sets.h"

#include <string>

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

#if !defined(__x86_64__)
const Ops* avx512_ops() {
  return nullptr;
}
const Ops* avx2_ops() {
  return nullptr;
}
#endif

std::vector<const Ops*> usable_ops() {
  std::vector<const Ops*> out;
  if (runs_avx512()) out.push_back(avx512_ops());
  if (runs_avx2()) out.push_back(avx2_ops());
  out.push_back(portable_ops());
  return out;
}

Result<const Ops*> choose_ops(std::string_view forced) {
  const std::vector<const Ops*> usable = usable_ops();
  if (forced.empty()) return usable.front();
  for (const Ops* ops : usable) {
    if (forced == ops->name) return ops;
  }
  const std::string name(forced);
  if (forced == "avx512" || forced == "avx2") {
    return Error{Code::unsupported,
                 "FACET_CPU=" + name + ": this processor or its operating system cannot run it"};
  }
  return Error{Code::invalid_argument, "FACET_CPU=" + name + ": expected avx512, avx2 or portable"};
}

}  // namespace facet::engine
