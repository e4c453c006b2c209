// attend() of decode.h.
#include "engine/cuda/attend.cuh"
#include "engine/cuda/product.h"

#include <string>

namespace facet::engine::cuda {
namespace {

/// Softmax of one head over a step by warp `head`: scores become probabilities, and the running
/// maximum and sum of the warp move on. `value_scale`, of this lane's position,
/// goes into its probability. Returns what earlier sums shrink by.
__device__ float soften(float* scores,
                        int head,
                        float scale,
                        float value_scale,
                        bool is_admitted,
                        float& highest,
                        float& weight) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float* at = scores + head * kStepPositions + lane;
  float score = 0.0F;
  for (unsigned i = 0; i < kScoreParts; ++i) score += at[i * kHeadsPerBlock * kStepPositions];
  score = is_admitted ? score * scale : -INFINITY;
  const float higher = fmaxf(highest, warp_max(score));
  // A step with nothing admitted does not exist, so `higher` is a number unless a score was not.
  const float p = is_admitted ? expf(score - higher) : 0.0F;
  const float shrink = expf(highest - higher);
  weight = weight * shrink + warp_sum(p);
  highest = higher;
  at[0] = is_admitted ? p * value_scale : 0.0F;
  return shrink;
}

/// Adds up the lanes' sums of all heads, in the order of their places, and leaves them divided by
/// nothing at `out` (heads, dim) with stride `out_stride`.
template <int kHeads>
__device__ void gather(const float (&sums)[kHeads][kChunk],
                       const ValueLane& lane,
                       int heads,
                       int dim,
                       float* buffer,
                       float* out,
                       std::int64_t out_stride,
                       const float* factors) {
  const int chunks = (dim + kChunk - 1) / kChunk;
  const int width = chunks * kChunk;
  __syncthreads();
  if (lane.is_used) {
    for (int h = 0; h < kHeads; ++h) {
      float* to = buffer + (lane.place * kHeads + h) * width + lane.chunk * kChunk;
      for (int i = 0; i < kChunk; ++i) to[i] = sums[h][i];
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < heads * dim; i += kThreads) {
    const int h = i / dim;
    const int d = i % dim;
    float sum = 0.0F;
    for (int place = 0; place < lane.places; ++place) {
      sum += buffer[(place * kHeads + h) * width + d];
    }
    out[h * out_stride + d] = sum * factors[h];
  }
}

/// Merges the splits of the block's heads: each is (maximum, weight, sums).
__device__ void merge(const AttendArgs& args, const AttendBlock& block, float* weights) {
  const int dim = args.pages.head_dim;
  const int splits = block.stretch.splits;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t each = dim + 2;
  const auto part_of = [&](int head, int split) {
    const std::int64_t row_head = static_cast<std::int64_t>(block.row) * args.heads + head;
    return args.scratch + (row_head * args.splits + split) * each;
  };
  for (int h = warp; h < block.heads; h += kWarps) {
    float highest = -INFINITY;
    for (int s = lane; s < splits; s += kWarp) {
      highest = fmaxf(highest, part_of(block.head + h, s)[0]);
    }
    highest = warp_max(highest);
    float total = 0.0F;
    for (int s = lane; s < splits; s += kWarp) {
      const float* part = part_of(block.head + h, s);
      const float factor = expf(part[0] - highest);
      weights[h * kSplitsMax + s] = factor;
      total += factor * part[1];
    }
    total = warp_sum(total);
    for (int s = lane; s < splits; s += kWarp) weights[h * kSplitsMax + s] /= total;
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < block.heads * dim; i += kThreads) {
    const int h = i / dim;
    const int d = i % dim;
    float sum = 0.0F;
#pragma unroll 8
    for (int s = 0; s < splits; ++s) {
      sum = fmaf(weights[h * kSplitsMax + s], part_of(block.head + h, s)[2 + d], sum);
    }
    args.out[(static_cast<std::int64_t>(block.row) * args.heads + block.head + h) * dim + d] = sum;
  }
}

/// Queries of the block's heads to shared memory.
__device__ void load_query(const AttendArgs& args, const AttendBlock& block, float* query) {
  const int dim = args.pages.head_dim;
  const float* from =
      args.q + (static_cast<std::int64_t>(block.row) * args.heads + block.head) * dim;
  for (int i = static_cast<int>(threadIdx.x); i < block.heads * dim; i += kThreads) {
    query[i / dim * (dim + 4) + i % dim] = from[i];
  }
}

/// grid: (splits, kv_heads * parts of its group, rows)
template <class T, int kHeads, bool has_matrix>
__global__ __launch_bounds__(kThreads,
                             kHeads == 8 && kArchitecture >= 1200
                                 ? 1
                                 : 2) void attend_kernel(const AttendArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  if (args.rows.end[blockIdx.z] == 0) return;
  const int group = args.heads / args.pages.kv_heads;
  const int parts = (group + kHeads - 1) / kHeads;
  AttendBlock block{.row = static_cast<int>(blockIdx.z),
                    .kv_head = static_cast<int>(blockIdx.y) / parts};
  const int first_head = static_cast<int>(blockIdx.y) % parts * kHeads;
  block.head = block.kv_head * group + first_head;
  block.heads = min(kHeads, group - first_head);
  const int split = static_cast<int>(blockIdx.x);
  block.stretch = stretch_of(args, block.row, split);
  if (split >= block.stretch.splits) return;

  unsigned char* shared = dynamic_shared<unsigned char>();
  const int dim = args.pages.head_dim;
  const AttendMap map = attend_map(sizeof(T), static_cast<unsigned>(dim));
  float* scores = reinterpret_cast<float*>(shared + map.scores);
  float* query = reinterpret_cast<float*>(shared + map.query);
  const auto stage = [&](std::int64_t step) {
    return shared + (map.stages == 2 ? static_cast<unsigned>(step % 2) * 2 * map.plane : 0);
  };
  fetch_step<T>(args, block, map, block.stretch.begin, stage(block.stretch.begin));
  load_query(args, block, query);
  __syncthreads();
  const MatrixScores matrix_scores(query, has_matrix ? block.heads : 0, dim);
  const ValueLane lane = value_lane(dim);
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  __shared__ float shrinks[kHeadsPerBlock];
  float sums[kHeads][kChunk] = {};
  float highest = -INFINITY;
  float weight = 0.0F;

  for (std::int64_t step = block.stretch.begin; step < block.stretch.end; ++step) {
    const unsigned char* keys = stage(step);
    if (map.stages == 2 && step + 1 < block.stretch.end) {
      fetch_step<T>(args, block, map, step + 1, stage(step + 1));
    } else {
      cp_async_commit();
    }
    if (map.stages == 2) {
      cp_async_wait<1>();
    } else {
      cp_async_wait<0>();
    }
    __syncthreads();
    if constexpr (has_matrix) {
      matrix_scores.template score<T>(keys, map.stride, block.heads, scores);
    } else {
      plain_scores<T>(keys, map.stride, query, block.heads, dim, scores);
    }
    __syncthreads();
    const std::int64_t position = step * kStepPositions;
    const std::int64_t own = position + static_cast<int>(threadIdx.x) % kWarp;
    if (warp < block.heads) {
      const bool is_admitted = own >= block.stretch.first && own < block.stretch.last;
      float key_scale = args.scale;
      float value_scale = 1.0F;
      if constexpr (sizeof(T) == 1) {
        const auto* scales = reinterpret_cast<const float*>(keys + map.scales);
        key_scale *= scales[threadIdx.x % kWarp];
        value_scale = scales[threadIdx.x % kWarp + map.plane / 4];
      }
      const float shrink =
          soften(scores, warp, key_scale, value_scale, is_admitted, highest, weight);
      if (threadIdx.x % kWarp == 0) shrinks[warp] = shrink;
    }
    __syncthreads();
#pragma unroll
    for (int h = 0; h < kHeads; ++h) {
      const float shrink = h < block.heads ? shrinks[h] : 0.0F;
#pragma unroll
      for (int i = 0; i < kChunk; ++i) sums[h][i] *= shrink;
    }
    const std::int64_t begin = block.stretch.first - position;
    const std::int64_t end = block.stretch.last - position;
    add_values<T, kHeads>(keys + map.plane,
                          map.stride,
                          scores,
                          lane,
                          begin > 0 ? static_cast<int>(begin) : 0,
                          end < kStepPositions ? static_cast<int>(end) : kStepPositions,
                          sums);
    // The stage is free for the step after the next one, or with one stage for the next.
    __syncthreads();
    if (map.stages == 1 && step + 1 < block.stretch.end) {
      fetch_step<T>(args, block, map, step + 1, stage(step + 1));
    }
  }
  if (warp < block.heads && threadIdx.x % kWarp == 0) {
    shrinks[warp] = block.stretch.splits == 1 ? 1.0F / weight : 1.0F;
  }
  const std::int64_t at = static_cast<std::int64_t>(block.row) * args.heads + block.head;
  float* buffer = reinterpret_cast<float*>(shared);
  if (block.stretch.splits == 1) {
    gather<kHeads>(sums, lane, block.heads, dim, buffer, args.out + at * dim, dim, shrinks);
    return;
  }
  const std::int64_t each = dim + 2;
  float* own = args.scratch + (at * args.splits + split) * each;
  if (warp < block.heads && threadIdx.x % kWarp == 0) {
    own[warp * args.splits * each] = highest;
    own[warp * args.splits * each + 1] = weight;
  }
  gather<kHeads>(sums, lane, block.heads, dim, buffer, own + 2, args.splits * each, shrinks);
  __shared__ bool is_last;
  __threadfence();
  __syncthreads();
  std::uint32_t* counter = args.counters + block.row * gridDim.y + blockIdx.y;
  if (threadIdx.x == 0) {
    is_last = atomicAdd(counter, 1U) + 1 == static_cast<std::uint32_t>(block.stretch.splits);
    if (is_last) *counter = 0;
  }
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  merge(args, block, reinterpret_cast<float*>(shared + map.weights));
}

template <class T, int kHeads>
Status launch_heads(const AttendArgs& args, const LaunchConfig& config) {
  if constexpr (sizeof(T) <= 2) {
    if (args.pages.head_dim % 32 == 0) {
      return launch("attend", attend_kernel<T, kHeads, true>, config, args);
    }
  }
  return launch("attend", attend_kernel<T, kHeads, false>, config, args);
}

template <class T>
Status launch_type(const AttendArgs& args, const LaunchOrder& order) {
  const int group = args.heads / args.pages.kv_heads;
  const int each = group <= 1 ? 1 : group <= 2 ? 2 : group <= 4 ? 4 : kHeadsPerBlock;
  const int parts = (group + each - 1) / each;
  const LaunchConfig config{
      .grid = dim3(static_cast<unsigned>(args.splits),
                   static_cast<unsigned>(args.pages.kv_heads * parts),
                   static_cast<unsigned>(args.rows.rows)),
      .block = dim3(kThreads),
      .shared_bytes = attend_map(sizeof(T), static_cast<unsigned>(args.pages.head_dim)).total,
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  if (each == 1) return launch_heads<T, 1>(args, config);
  if (each == 2) return launch_heads<T, 2>(args, config);
  if (each == 4) return launch_heads<T, 4>(args, config);
  return launch_heads<T, 8>(args, config);
}

}  // namespace

int attend_splits(int kv_heads, int multiprocessors) {
  const int wanted = multiprocessors / kv_heads;
  return wanted < 1 ? 1 : wanted < kSplitsMax ? wanted : kSplitsMax;
}

int attend_splits_of_batch(int rows, int kv_heads, int multiprocessors) {
  constexpr int kBlocksEach = 16;  // Two at a time, eight times over.
  const int blocks = rows * kv_heads;
  const int wanted = (kBlocksEach * multiprocessors + blocks - 1) / blocks;
  const int most = kDecodeRowsMax * kSplitsMax / rows;
  const int limit = most < kSplitsMax ? most : kSplitsMax;
  return wanted < limit ? wanted : limit;
}

Status attend(const AttendArgs& args, const LaunchOrder& order) {
  if (args.rows.rows == 0) return ok();
  const int dim = args.pages.head_dim;
  // Scales lie behind the bytes of a row.
  const bool has_odd_scales = kv_has_scales(args.pages.type) && args.pages.kv_heads * dim % 4 != 0;
  if (has_odd_scales || dim < 2 || dim > 256 || dim % 2 != 0 || args.pages.kv_heads < 1 ||
      args.heads % args.pages.kv_heads != 0 || args.splits < 1 || args.splits > kSplitsMax) {
    return Error{Code::invalid_argument,
                 "CUDA attention: head_dim " + std::to_string(dim) + ", " +
                     std::to_string(args.heads) + " heads on " +
                     std::to_string(args.pages.kv_heads) + ", " + std::to_string(args.splits) +
                     " splits"};
  }
  if (args.pages.type == KvType::bf16) return launch_type<__nv_bfloat16>(args, order);
  if (args.pages.type == KvType::int8) return launch_type<signed char>(args, order);
  if (args.pages.type == KvType::fp8) return launch_type<Fp8>(args, order);
  return launch_type<float>(args, order);
}

}  // namespace facet::engine::cuda
