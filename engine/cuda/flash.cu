// flash_attend() of prefill.h.
#include "engine/cuda/flash.cuh"

#include <string>

namespace facet::engine::cuda {
namespace {

/// Blocks of a multiprocessor that registers are kept low enough for.
constexpr int flash_blocks(int dim) {
  return dim == 256 ? 1 : dim == 128 ? 3 : 4;
}

/// grid: (tiles, kv_heads); the last tiles, which see most, first.
template <class T, int dim>
__global__ __launch_bounds__(kFlashThreads,
                             flash_blocks(dim)) void flash_kernel(const FlashArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  unsigned char* queries = dynamic_shared<unsigned char>();
  unsigned char* stages = queries + kFlashRows * dim * 2;
  constexpr int kPlane = kFlashStep * dim * 2;
  const AttentionTile tile = args.tiles[gridDim.x - 1 - blockIdx.x];
  const auto kv_head = static_cast<int>(blockIdx.y);
  const int group = args.heads / args.pages.kv_heads;
  const auto span_at = [&](int token) {
    return span_of(args.span, tile.position + token, args.rows.end[tile.row + token]);
  };
  // Spans move on with the rows, at both ends.
  const RowSpan lowest = span_at(0);
  const RowSpan highest = span_at(tile.rows - 1);
  const int begin = lowest.first / kFlashStep;
  const int end = (highest.last + kFlashStep - 1) / kFlashStep;
  const auto stage = [&](int step) { return stages + step % 2 * 2 * kPlane; };

  fetch_queries<dim>(args, tile, kv_head, queries);
  fetch_flash<T, dim>(args, tile, begin, highest.last, kv_head, stage(begin));
  RowSpan spans[2];
  for (int half = 0; half < 2; ++half) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row = static_cast<int>(threadIdx.x) / kWarp * 16 + half * 8 + lane / 4;
    if (row < tile.rows * group) spans[half] = span_at(row / group);
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
  rows.store(args, tile, kv_head);
}

template <class T, int dim>
Status launch_flash(const FlashArgs& args, const LaunchOrder& order) {
  const LaunchConfig config{
      .grid =
          dim3(static_cast<unsigned>(args.tile_count), static_cast<unsigned>(args.pages.kv_heads)),
      .block = dim3(kFlashThreads),
      .shared_bytes = static_cast<std::size_t>((kFlashRows + 4 * kFlashStep) * dim * 2),
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  return launch("flash_attend", flash_kernel<T, dim>, config, args);
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

bool flash_has(int heads, int kv_heads, int head_dim, KvType /*type*/) {
  const bool has_dim = head_dim == 64 || head_dim == 128 || head_dim == 256;
  return has_dim && heads % kv_heads == 0 && heads / kv_heads <= kFlashRows;
}

Status flash_attend(const FlashArgs& args, const LaunchOrder& order) {
  if (args.tile_count == 0) return ok();
  const LayerPages& pages = args.pages;
  if (!flash_has(args.heads, pages.kv_heads, pages.head_dim, pages.type)) {
    return Error{Code::invalid_argument,
                 "CUDA flash attention: head_dim " + std::to_string(pages.head_dim) + ", " +
                     std::to_string(args.heads) + " heads on " + std::to_string(pages.kv_heads)};
  }
  if (pages.type == KvType::bf16) return launch_type<__nv_bfloat16>(args, order);
  if (pages.type == KvType::int8) return launch_type<signed char>(args, order);
  if (pages.type == KvType::fp8) return launch_type<Fp8>(args, order);
  return launch_type<float>(args, order);
}

}  // namespace facet::engine::cuda
