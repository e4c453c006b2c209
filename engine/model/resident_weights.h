// Weights copied out of their files into memory of huge pages (2 MiB).
//
// A step reads every weight once. Through 4 KiB pages of a mapped file that costs a walk through
// the page tables for each of them, twice as long in a virtual machine: docs/cpu-speed.md has what
// it costs. The copy takes as much memory as the weights; the file's own pages can be dropped then.
#pragma once

#include "base/result.h"
#include "engine/model/model.h"

#include <cstdint>
#include <memory>
#include <string>

namespace facet::engine {

/// What the system would allow, as far as it says.
struct HugePageSupport {
  bool is_offered = false;           ///< Huge pages for memory that asks for them.
  std::int64_t bytes_available = 0;  ///< Without pushing others out; a container's limit counts.
};
HugePageSupport huge_page_support();

/// Smaller models are read out of the caches, or nearly.
inline constexpr std::int64_t kHugePagesWorthwhile = std::int64_t{16} << 20;

/// Empty when weights of `bytes` should be copied; else why not: no huge pages, or not enough
/// memory (a quarter more than the weights is asked for).
std::string why_not_resident(std::int64_t bytes, const HugePageSupport& support);

/// Bytes of the matrices that make_resident would copy.
std::int64_t matrix_bytes(const ModelWeights& weights);

/// Copies every matrix of `weights` and turns the views to the copies, which live as long as the
/// owner that is returned. `threads` copy. `drops_source`: the matrices lie in mapped files, whose
/// pages are given back on the way, so that hardly more than one copy is held at any time.
/// unavailable, and nothing has changed, when the system refuses.
Result<std::shared_ptr<const void>> make_resident(ModelWeights& weights,
                                                  int threads,
                                                  bool drops_source);

}  // namespace facet::engine
