// flash_attend() of prefill.h.
#include "engine/cuda/flash.cuh"

#include <algorithm>
#include <string>

namespace facet::engine::cuda {
namespace {

/// Blocks of a multiprocessor that registers are kept low enough for.
constexpr int flash_blocks(int dim) {
  return dim == 256 ? 1 : dim == 128 ? 3 : 4;
}

/// grid: (tiles, kv_heads, splits); the last tiles, which see most, first.
template <class T, int dim, bool is_split>
__global__ __launch_bounds__(kFlashThreads,
                             flash_blocks(dim)) void flash_kernel(const FlashArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  unsigned char* queries = dynamic_shared<unsigned char>();
  unsigned char* stages = queries + kFlashRows * dim * 2;
  constexpr int kPlane = kFlashStep * dim * 2;
  const auto tile_index = static_cast<int>(gridDim.x - 1 - blockIdx.x);
  const AttentionTile tile = args.tiles[tile_index];
  const auto kv_head = static_cast<int>(blockIdx.y);
  const int group = args.heads / args.pages.kv_heads;
  const RowSpan lowest = tile_span(args, tile, 0);
  const RowSpan highest = tile_span(args, tile, tile.rows - 1);
  FlashRange range = flash_range(args, lowest, highest);
  if constexpr (is_split) {
    const auto part = static_cast<int>(blockIdx.z);
    if (part >= range.parts) return;
    const int steps = range.end - range.begin;
    range.end = range.begin + steps * (part + 1) / range.parts;
    range.begin += steps * part / range.parts;
  }
  const int begin = range.begin;
  const int end = range.end;
  const auto stage = [&](int step) { return stages + step % 2 * 2 * kPlane; };

  fetch_queries<dim>(args, tile, kv_head, queries);
  fetch_flash<T, dim>(args, tile, begin, highest.last, kv_head, stage(begin));
  RowSpan spans[2];
  for (int half = 0; half < 2; ++half) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row = static_cast<int>(threadIdx.x) / kWarp * 16 + half * 8 + lane / 4;
    if (row < tile.rows * group) spans[half] = tile_span(args, tile, row / group);
  }
  FlashRows<dim> rows;
  const float scale = args.scale * 1.4426950408889634F;
  for (int step = begin; step < end; ++step) {
    if (step + 1 < end) {
      fetch_flash<T, dim>(args, tile, step + 1, highest.last, kv_head, stage(step + 1));
    } else {
      cp_async_commit();
    }
    cp_async_wait<1>();
    __syncthreads();
    rows.score(queries, stage(step));
    const int at = step * kFlashStep;
    const bool is_inside = at >= highest.first && at + kFlashStep <= lowest.last;
    if (!is_inside) rows.mask(at, spans);
    rows.soften(scale);
    rows.add(stage(step) + kPlane);
    __syncthreads();
  }
  if constexpr (is_split) {
    const auto part = static_cast<int>(blockIdx.z);
    rows.store_part(flash_part(args, tile_index, kv_head, part, dim));
  } else {
    rows.store(args, tile, kv_head);
  }
}

/// Adds up the parts. grid: (tiles, kv_heads)
template <int dim>
__global__ __launch_bounds__(kFlashThreads) void join_kernel(const FlashArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  const auto tile_index = static_cast<int>(blockIdx.x);
  const AttentionTile tile = args.tiles[tile_index];
  const auto kv_head = static_cast<int>(blockIdx.y);
  const int group = args.heads / args.pages.kv_heads;
  const int parts =
      flash_range(args, tile_span(args, tile, 0), tile_span(args, tile, tile.rows - 1)).parts;
  const float* from = flash_part(args, tile_index, kv_head, 0, dim);
  constexpr std::int64_t kEach = flash_part_floats(dim);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int row = static_cast<int>(threadIdx.x) / kWarp; row < tile.rows * group;
       row += kFlashThreads / kWarp) {
    float highest = -INFINITY;
    for (int part = 0; part < parts; ++part) {
      highest = fmaxf(highest, from[part * kEach + kFlashRows * dim + row]);
    }
    float factors[kFlashSplitsMax];
    float weight = 0.0F;
#pragma unroll
    for (int part = 0; part < kFlashSplitsMax; ++part) {
      factors[part] = 0.0F;
      if (part >= parts) continue;
      // A part that admits nothing has the factor 0.
      factors[part] = exp2f(from[part * kEach + kFlashRows * dim + row] - highest);
      weight = fmaf(factors[part], from[part * kEach + kFlashRows * (dim + 1) + row], weight);
    }
    const std::int64_t token = tile.row + row / group;
    std::uint16_t* to = args.out + (token * args.heads + kv_head * group + row % group) * dim;
    for (int d = 2 * lane; d < dim; d += 2 * kWarp) {
      float2 sum = make_float2(0.0F, 0.0F);
#pragma unroll
      for (int part = 0; part < kFlashSplitsMax; ++part) {
        if (part >= parts) continue;
        const auto value = *reinterpret_cast<const float2*>(from + part * kEach + row * dim + d);
        sum.x = fmaf(factors[part], value.x, sum.x);
        sum.y = fmaf(factors[part], value.y, sum.y);
      }
      *reinterpret_cast<std::uint32_t*>(to + d) = pack_bf16(sum.x / weight, sum.y / weight);
    }
  }
}

template <class T, int dim>
Status launch_flash(const FlashArgs& args, const LaunchOrder& order) {
  const auto tiles = static_cast<unsigned>(args.tile_count);
  const auto kv_heads = static_cast<unsigned>(args.pages.kv_heads);
  LaunchConfig config{
      .grid = dim3(tiles, kv_heads, static_cast<unsigned>(args.splits)),
      .block = dim3(kFlashThreads),
      .shared_bytes = static_cast<std::size_t>((kFlashRows + 4 * kFlashStep) * dim * 2),
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  if (args.splits == 1) return launch("flash_attend", flash_kernel<T, dim, false>, config, args);
  FACET_TRY_STATUS(launch("flash_attend", flash_kernel<T, dim, true>, config, args));
  config.grid = dim3(tiles, kv_heads);
  config.shared_bytes = 0;
  return launch("flash_join", join_kernel<dim>, config, args);
}

template <class T>
Status launch_type(const FlashArgs& args, const LaunchOrder& order) {
  if (args.pages.head_dim == 64) return launch_flash<T, 64>(args, order);
  if (args.pages.head_dim == 128) return launch_flash<T, 128>(args, order);
  return launch_flash<T, 256>(args, order);
}

}  // namespace

int flash_tile_tokens(int heads, int kv_heads, int /*head_dim*/) {
  return kFlashRows / (heads / kv_heads);
}

std::int64_t flash_scratch_floats(int tile_count, int kv_heads, int head_dim, int splits) {
  return std::int64_t{tile_count} * kv_heads * splits * flash_part_floats(head_dim);
}

int flash_splits(
    int tile_count, int kv_heads, int head_dim, int multiprocessors, std::int64_t floats) {
  if (tile_count == 0) return 1;
  // Two blocks of a multiprocessor at a time.
  const std::int64_t wanted = 2 * multiprocessors / (tile_count * kv_heads);
  const std::int64_t held = floats / flash_scratch_floats(tile_count, kv_heads, head_dim, 1);
  return static_cast<int>(std::clamp<std::int64_t>(std::min(wanted, held), 1, kFlashSplitsMax));
}

bool flash_has(int heads, int kv_heads, int head_dim, KvType /*type*/) {
  const bool has_dim = head_dim == 64 || head_dim == 128 || head_dim == 256;
  return has_dim && heads % kv_heads == 0 && heads / kv_heads <= kFlashRows;
}

Status flash_attend(const FlashArgs& args, const LaunchOrder& order) {
  if (args.tile_count == 0) return ok();
  const LayerPages& pages = args.pages;
  const bool has_splits = args.splits >= 1 && args.splits <= kFlashSplitsMax &&
                          (args.splits == 1 || args.scratch != nullptr);
  if (!has_splits || !flash_has(args.heads, pages.kv_heads, pages.head_dim, pages.type)) {
    return Error{Code::invalid_argument,
                 "CUDA flash attention: head_dim " + std::to_string(pages.head_dim) + ", " +
                     std::to_string(args.heads) + " heads on " + std::to_string(pages.kv_heads) +
                     ", " + std::to_string(args.splits) + " splits"};
  }
  if (pages.type == KvType::bf16) return launch_type<__nv_bfloat16>(args, order);
  if (pages.type == KvType::int8) return launch_type<signed char>(args, order);
  if (pages.type == KvType::fp8) return launch_type<Fp8>(args, order);
  return launch_type<float>(args, order);
}

}  // namespace facet::engine::cuda
