// find_candidates() of sampling.h. Blocks take 2,048 logits each and leave the best of them; the
// last block of a row merges these.
//
// For the best k of a block's keys each thread first says its best one of eight. The k-th largest
// of these is below no more than 8 k keys, as only k threads have one that is not smaller: these
// are gathered and sorted, a hundred or two where 2,048 would be.
//
// A candidate is one 64-bit key, so that sorting is comparing: above the logit in an order that
// integers have, below the complement of the id, so that the lowest id comes first among equals.
// Key 0 is no candidate.
#include "engine/cuda/block.cuh"
#include "engine/cuda/sampling.h"

#include <cfloat>
#include <string>

namespace facet::engine::cuda {
namespace {

constexpr auto kKeys = static_cast<int>(kFindBlockLogits);
constexpr int kKeysEach = kKeys / kThreads;
/// Keys that are sorted for kCandidatesMax of them, at most.
constexpr auto kGatheredMax = static_cast<unsigned>(kKeysEach * kCandidatesMax);

/// Above every candidate: a logit that is NaN or +infinity.
constexpr std::uint64_t kBroken = ~std::uint64_t{0};

__device__ std::uint64_t key_of(float logit, std::int64_t id) {
  // Equal floats have equal keys: -0 counts as 0.
  const std::uint32_t bits = logit == 0.0F ? 0U : __float_as_uint(logit);
  const std::uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<std::uint64_t>(ordered) << 32U |
         (0xFFFFFFFFU - static_cast<std::uint32_t>(id));
}
__device__ float logit_of(std::uint64_t key) {
  const auto ordered = static_cast<std::uint32_t>(key >> 32U);
  return __uint_as_float((ordered & 0x80000000U) != 0 ? ordered & 0x7FFFFFFFU : ~ordered);
}
__device__ std::int32_t id_of(std::uint64_t key) {
  return static_cast<std::int32_t>(0xFFFFFFFFU - static_cast<std::uint32_t>(key));
}

/// Largest first; `count` is a power of two. Batcher's bitonic sort by all threads of the block.
__device__ void sort_keys(std::uint64_t* keys, int count) {
  for (int size = 2; size <= count; size *= 2) {
    for (int stride = size / 2; stride > 0; stride /= 2) {
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < count / 2; i += kThreads) {
        const int low = 2 * i - (i & (stride - 1));
        const int high = low + stride;
        const bool is_descending = (low & size) == 0;
        const std::uint64_t a = keys[low];
        const std::uint64_t b = keys[high];
        if ((a < b) != is_descending) continue;
        keys[low] = b;
        keys[high] = a;
      }
    }
  }
  __syncthreads();
}

/// The best `count` of kKeys keys, largest first, at their front; behind them up to kCandidatesMax
/// zeros or smaller keys. Keys that are not broken or 0 are different.
__device__ void select_best(std::uint64_t* keys, int count) {
  __shared__ std::uint64_t tops[kThreads];
  __shared__ unsigned gathered;
  __syncthreads();
  std::uint64_t own[kKeysEach];
  std::uint64_t top = 0;
#pragma unroll
  for (int i = 0; i < kKeysEach; ++i) {
    own[i] = keys[static_cast<int>(threadIdx.x) + i * kThreads];
    top = own[i] > top ? own[i] : top;
  }
  tops[threadIdx.x] = top;
  if (threadIdx.x == 0) gathered = 0;
  sort_keys(tops, kThreads);
  const std::uint64_t bound = tops[count - 1];
#pragma unroll
  for (int i = 0; i < kKeysEach; ++i) {
    if (own[i] == 0 || own[i] < bound) continue;
    // Only broken keys can be more, and one of them says it all.
    const unsigned at = atomicAdd(&gathered, 1U);
    if (at < kGatheredMax) keys[at] = own[i];
  }
  __syncthreads();
  const auto found = static_cast<int>(gathered < kGatheredMax ? gathered : kGatheredMax);
  int size = kCandidatesMax;
  while (size < found) size *= 2;
  for (int i = found + static_cast<int>(threadIdx.x); i < size; i += kThreads) keys[i] = 0;
  sort_keys(keys, size);
}

/// The key of a logit after penalty and mask; 0 where it is not a candidate.
__device__ std::uint64_t candidate(const RowWish& row,
                                   float logit,
                                   std::int64_t id,
                                   bool is_recent) {
  if (!(logit < INFINITY)) return kBroken;
  if (logit == -INFINITY) return 0;
  if (is_recent && row.repetition_penalty != 1.0F) {
    logit = logit > 0.0F ? logit / row.repetition_penalty : logit * row.repetition_penalty;
    logit = fminf(fmaxf(logit, -FLT_MAX), FLT_MAX);
  }
  if (row.mask != nullptr && (row.mask[id / 64] >> (id % 64) & 1U) == 0) return 0;
  return key_of(logit, id);
}

/// The candidates among logits [first, first + kKeys), in no order.
__device__ void load_keys(
    const FindArgs& args, const RowWish& row, int index, std::int64_t first, std::uint64_t* keys) {
  __shared__ std::uint32_t recent[kKeys / 32];
  for (int i = static_cast<int>(threadIdx.x); i < kKeys / 32; i += kThreads) recent[i] = 0;
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < row.recent_count; i += kThreads) {
    const std::int64_t at = row.recent[i] - first;
    if (at >= 0 && at < kKeys) atomicOr(&recent[at / 32], 1U << (at % 32));
  }
  __syncthreads();
  const float* logits = args.logits + index * args.vocabulary;
  for (int i = static_cast<int>(threadIdx.x); i < kKeys; i += kThreads) {
    const std::int64_t id = first + i;
    const bool is_recent = (recent[i / 32] >> (i % 32) & 1U) != 0;
    keys[i] = id < row.ids_end ? candidate(row, logits[id], id, is_recent) : 0;
  }
}

/// The largest key of the block, in every thread.
__device__ std::uint64_t largest_key(const std::uint64_t* keys, std::uint64_t* partial) {
  std::uint64_t largest = 0;
  for (int i = static_cast<int>(threadIdx.x); i < kKeys; i += kThreads) {
    largest = keys[i] > largest ? keys[i] : largest;
  }
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const std::uint64_t other = __shfl_xor_sync(kAllLanes, largest, offset);
    largest = other > largest ? other : largest;
  }
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = largest;
  __syncthreads();
  for (int i = 0; i < kWarps; ++i) largest = partial[i] > largest ? partial[i] : largest;
  return largest;
}

/// The best `count` keys of all parts, largest first, at the front of `keys`.
__device__ void merge_parts(const std::uint64_t* lists, int parts, int count, std::uint64_t* keys) {
  constexpr int kNew = kKeys - kCandidatesMax;
  for (int i = static_cast<int>(threadIdx.x); i < kCandidatesMax; i += kThreads) keys[i] = 0;
  __syncthreads();
  // The best of each part first: most of what comes later is then below the last one kept.
  for (int base = 0; base < parts * count; base += kNew) {
    const std::uint64_t least = keys[count - 1];
    int is_better = 0;
    for (int i = static_cast<int>(threadIdx.x); i < kNew; i += kThreads) {
      const int at = base + i;
      std::uint64_t key = 0;
      if (at < parts * count) key = lists[at % parts * kCandidatesMax + at / parts];
      if (key <= least) key = 0;
      keys[kCandidatesMax + i] = key;
      if (key != 0) is_better = 1;
    }
    if (__syncthreads_or(is_better) != 0) select_best(keys, count);
  }
}

/// grid: (parts, rows)
__global__ __launch_bounds__(kThreads) void find_kernel(const FindArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  __shared__ std::uint64_t keys[kKeys];
  __shared__ std::uint64_t partial[kWarps];
  __shared__ bool is_last;
  const auto index = static_cast<int>(blockIdx.y);
  const auto parts = static_cast<int>(gridDim.x);
  const RowWish row = args.wishes[index];
  const int count = row.wanted < kCandidatesMax ? row.wanted : kCandidatesMax;
  if (count < 1) return;
  load_keys(args, row, index, static_cast<std::int64_t>(blockIdx.x) * kKeys, keys);
  std::uint64_t* lists = args.scratch + static_cast<std::int64_t>(index) * parts * kCandidatesMax;
  std::uint64_t* own = lists + blockIdx.x * kCandidatesMax;
  __syncthreads();
  if (count == 1) {
    const std::uint64_t largest = largest_key(keys, partial);
    if (threadIdx.x == 0) own[0] = largest;
  } else {
    select_best(keys, count);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) own[i] = keys[i];
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    is_last = atomicAdd(args.counters + index, 1U) + 1 == static_cast<std::uint32_t>(parts);
    if (is_last) args.counters[index] = 0;
  }
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  merge_parts(lists, parts, count, keys);
  __syncthreads();
  RowFound& found = args.found[index];
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) {
    if (keys[i] == 0) continue;
    found.best[i].logit = logit_of(keys[i]);
    found.best[i].id = id_of(keys[i]);
  }
  if (threadIdx.x != 0) return;
  int all = 0;
  while (all < count && keys[all] != 0) ++all;
  found.count = keys[0] == kBroken ? -1 : all;
}

std::int64_t parts_of(std::int64_t vocabulary) {
  return (vocabulary + kKeys - 1) / kKeys;
}

}  // namespace

Status find_candidates(const FindArgs& args, const LaunchOrder& order) {
  if (args.rows == 0) return ok();
  if (args.vocabulary < 1 || args.vocabulary > 0x7FFFFFFF) {
    return Error{Code::invalid_argument,
                 "CUDA sampling: a vocabulary of " + std::to_string(args.vocabulary)};
  }
  const LaunchConfig config{.grid = dim3(static_cast<unsigned>(parts_of(args.vocabulary)),
                                         static_cast<unsigned>(args.rows)),
                            .block = dim3(kThreads),
                            .shared_bytes = 0,
                            .stream = order.stream,
                            .overlaps_previous = order.overlaps};
  return launch("find_candidates", find_kernel, config, args);
}

}  // namespace facet::engine::cuda
