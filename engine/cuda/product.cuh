// The product kernel of a decode step, written once over the layouts of weights (tiles.cuh).
//
// A block of eight warps takes items (a panel of 16 weight rows, or for gelu the panels of gate and
// up) one after the other, as many blocks as stay on the device at once. The warps share the
// columns: warp w has tiles w, w + 8, ... of every item, as one stream that flows through a ring in
// shared memory by asynchronous copies, across items and ahead of everything else: the ring is
// filled before the kernel waits for its predecessor. Bytes under way per multiprocessor: two
// blocks times eight warps times kStages times about 1 KiB, 64 KiB; Little's law asks for about 40
// KB on an H200 (4.3 TB/s, 132 multiprocessors, about 1 us).
//
// Sums are closed after every slice of kSliceCols columns: the eight warps' sums are added in the
// order of the warps, and the slices in their order, whatever the grid and the number of tokens.
#pragma once

#include "engine/cuda/activations.cuh"
#include "engine/cuda/qkv_finish.cuh"
#include "engine/cuda/super_tiles.cuh"

#include <cstdint>

namespace facet::engine::cuda {

/// Where a warp's stream of tiles stands.
struct Cursor {
  int item = 0;
  int panel = 0;
  int tile = 0;
};

/// The matrix and the panel in it of panel `panel` of item `item`.
struct PanelPlace {
  const ProductPart* part = nullptr;
  int panel = 0;
};
template <int panels>
__device__ inline PanelPlace panel_place(const ProductArgs& args, int item, int panel) {
  if constexpr (panels == 2) return {&args.parts[panel], item};
  const ProductPart* part = &args.parts[0];
  for (int i = 1; i < args.part_count && item >= part->panels; ++i) {
    item -= part->panels;
    ++part;
  }
  return {part, item};
}

/// Starts the copies of one tile into a slot of the ring. Row-major layouts: lane (g, t) fetches
/// 16 bytes of row g and of row g + 8; rows that do not exist are the last one again.
template <Layout layout>
__device__ inline void fetch_tile(
    const ProductArgs& args, const PanelPlace& place, int tile, int lane, unsigned char* slot) {
  constexpr int kBytes = static_cast<int>(tile_bytes(layout));
  const std::byte* data = place.part->data;
  if constexpr (is_tiled(layout)) {
    const std::byte* from =
        data + (static_cast<std::int64_t>(place.panel) * args.tiles + tile) * kBytes;
    for (int i = lane * 16; i < kBytes; i += kWarp * 16) cp_async_16(slot + i, from + i);
  } else {
    const std::int64_t stride = static_cast<std::int64_t>(args.tiles) * 64;
    for (int i = 0; i < 2; ++i) {
      const int row = min(place.panel * 16 + lane / 4 + 8 * i, place.part->rows - 1);
      const std::byte* from = data + row * stride + tile * 64 + lane % 4 * 16;
      cp_async_16(slot + i * 512 + lane * 16, from);
    }
  }
}

/// The tiles of this block, for all its items.
struct TileRange {
  int begin = 0;
  int end = 0;
};
__device__ inline TileRange tile_range(const ProductArgs& args) {
  if (!args.is_split) return {0, args.tiles};
  const int begin = static_cast<int>(blockIdx.y) * args.tiles_per_slice;
  return {begin, min(begin + args.tiles_per_slice, args.tiles)};
}

/// One warp's ring.
template <Layout layout, int panels>
class TileStream {
 public:
  static constexpr int kStages = Tile<layout>::kStages;
  static constexpr int kBytes = static_cast<int>(tile_bytes(layout));
  static constexpr unsigned kRingBytes = static_cast<unsigned>(kWarps * kStages * kBytes);

  __device__ TileStream(const ProductArgs& args, TileRange range, unsigned char* ring)
      : args_(args),
        range_(range),
        warp_(static_cast<int>(threadIdx.x) / kWarp),
        lane_(static_cast<int>(threadIdx.x) % kWarp),
        ring_(ring + warp_ * kStages * kBytes) {
    next_ = {.item = static_cast<int>(blockIdx.x), .panel = 0, .tile = range.begin + warp_};
    if (next_.tile >= range.end) next_.item = args.items;
    for (int stage = 0; stage < kStages; ++stage) fetch(stage);
  }

  /// The oldest tile, for all lanes of the warp.
  __device__ const unsigned char* front() {
    cp_async_wait<kStages - 1>();
    __syncwarp();
    return ring_ + slot_ * kBytes;
  }
  /// Done with it.
  __device__ void pop() {
    __syncwarp();
    fetch(slot_);
    slot_ = slot_ + 1 == kStages ? 0 : slot_ + 1;
  }

 private:
  __device__ void fetch(int slot) {
    if (next_.item < args_.items) {
      fetch_tile<layout>(args_,
                         panel_place<panels>(args_, next_.item, next_.panel),
                         next_.tile,
                         lane_,
                         ring_ + slot * kBytes);
      if (panels > 1 && next_.panel + 1 < panels) {
        ++next_.panel;
      } else {
        next_.panel = 0;
        next_.tile += kWarps;
        if (next_.tile >= range_.end) {
          next_.tile = range_.begin + warp_;
          next_.item += static_cast<int>(gridDim.x);
        }
      }
    }
    cp_async_commit();
  }

  const ProductArgs& args_;
  TileRange range_;
  int warp_;
  int lane_;
  unsigned char* ring_;
  Cursor next_;
  int slot_ = 0;
};

/// A lane's sums to where the block adds them up: sums[warp][panel][column][row].
template <int columns>
__device__ inline void put_sums(
    const Sums<columns>& from, float* to, int panel, int panels, const Lane& lane) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  float* at = to + (warp * panels + panel) * columns * 16;
  if constexpr (columns == 1) {
    if (lane.t != 0) return;
    at[lane.g] = from.at[0][0];
    at[lane.g + 8] = from.at[0][2];
  } else {
    for (int n = 0; n < Sums<columns>::kGroups; ++n) {
      for (int i = 0; i < 4; ++i) {
        at[(8 * n + 2 * lane.t + i % 2) * 16 + lane.g + i / 2 * 8] = from.at[n][i];
      }
    }
  }
}

/// The scale of a weight row (fp8), or 1.
template <Layout layout>
__device__ inline float row_scale(const ProductArgs& args, const PanelPlace& place, int row) {
  if constexpr (layout != Layout::fp8) return 1.0F;
  const std::int64_t bytes = static_cast<std::int64_t>(place.part->rows) * args.tiles * 64;
  return reinterpret_cast<const float*>(place.part->data + bytes)[row] * kFp8Factor;
}

/// Where the sums of a role begin in a row of QkvTail::scratch, and in its counters.
__device__ inline int heads_before(const QkvTail& tail, QkvRole role) {
  if (role == QkvRole::q) return 0;
  return role == QkvRole::k ? tail.heads : tail.heads + tail.kv_heads;
}
__device__ inline std::int64_t scratch_width(const QkvTail& tail) {
  return static_cast<std::int64_t>(tail.heads + 2 * tail.kv_heads) * tail.head_dim;
}

/// Last block of a head: finishes it for all tokens, a warp for each.
__device__ inline void finish_heads(const QkvTail& tail, QkvRole role, int first_head, int count) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int dim = tail.head_dim;
  for (int i = warp; i < tail.rows.rows * count; i += kWarps) {
    const int row = i / count;
    const int head = first_head + i % count;
    const float* from =
        tail.scratch + row * scratch_width(tail) + (heads_before(tail, role) + head) * dim;
    const float* cos = tail.cos + row * (dim / 2);
    const float* sin = tail.sin + row * (dim / 2);
    if (role == QkvRole::q) {
      float* to = tail.q_out + (static_cast<std::int64_t>(row) * tail.heads + head) * dim;
      finish_head(
          from, tail.q_norm, cos, sin, dim, tail.eps, [&](int e, float value) { to[e] = value; });
    } else if (role == QkvRole::k) {
      store_key(tail.pages, tail.rows, row, head, from, tail.k_norm, cos, sin, tail.eps);
    } else {
      store_value(tail.pages, tail.rows, row, head, from);
    }
  }
}

/// True where a value can be stored element by element, without the rest of its head.
__device__ inline bool is_direct(const QkvTail& tail, QkvRole role) {
  return role == QkvRole::v && !kv_has_scales(tail.pages.type);
}

/// A panel of the qkv product is done: counts the panels of its head, and finishes the head with
/// the last one. Panels of 16 rows lie inside of a head; where heads are narrower or odd, all heads
/// of the matrix count as one.
__device__ inline void close_panel(const QkvTail& tail, const PanelPlace& place) {
  const QkvRole role = place.part->role;
  if (is_direct(tail, role)) return;
  const int heads = role == QkvRole::q ? tail.heads : tail.kv_heads;
  const bool has_whole_panels = tail.head_dim % 16 == 0;
  const int head = has_whole_panels ? place.panel * 16 / tail.head_dim : 0;
  const int panels = has_whole_panels ? tail.head_dim / 16 : place.part->panels;
  std::uint32_t* counter = tail.counters + heads_before(tail, role) + head;
  __shared__ bool is_last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    is_last = atomicAdd(counter, 1U) + 1 == static_cast<std::uint32_t>(panels);
    if (is_last) *counter = 0;
  }
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  finish_heads(tail, role, head, has_whole_panels ? 1 : heads);
}

/// Stores output `value` (values[1]: of up) of row `row` of the panel for token `token`.
template <int panels>
__device__ inline void put_output(const ProductArgs& args,
                                  const PanelPlace& place,
                                  int row,
                                  int token,
                                  const float (&values)[panels]) {
  if (row >= place.part->rows) return;
  const std::int64_t at = static_cast<std::int64_t>(token) * args.y_cols + row;
  if constexpr (panels == 2) {
    args.y[at] = gelu_times(values[0], values[1]);
  } else if (args.end == ProductEnd::store) {
    const std::int64_t slice = static_cast<std::int64_t>(args.call_rows) * args.y_cols;
    args.y[blockIdx.y * slice + at] = values[0];
  } else {
    const QkvTail& tail = args.qkv;
    const QkvRole role = place.part->role;
    if (is_direct(tail, role)) {
      kv_store(tail.pages, tail.rows, token, 1, row, values[0]);
    } else {
      const int first = heads_before(tail, role) * tail.head_dim;
      tail.scratch[token * scratch_width(tail) + first + row] = values[0];
    }
  }
}

template <Layout layout, int panels, int columns>
__host__ __device__ constexpr SharedMap product_map(int rows, int cols, int norm_cols) {
  return shared_map(Tile<layout>::kForm,
                    TileStream<layout, panels>::kRingBytes,
                    panels,
                    columns,
                    static_cast<unsigned>(rows),
                    static_cast<unsigned>(cols),
                    static_cast<unsigned>(norm_cols));
}

/// Columns that a block stages: of its slice or of all.
__host__ __device__ constexpr int staged_cols(const ProductArgs& args, int cols_of_tile) {
  const int tiles = args.is_split ? args.tiles_per_slice : args.tiles;
  return (tiles < args.tiles ? tiles : args.tiles) * cols_of_tile;
}

/// Blocks of a multiprocessor that registers are kept low enough for: at batch 1 two of one launch
/// and one of the next.
constexpr int product_blocks(int columns) {
  if (columns == 1) return kArchitecture >= 1200 ? 2 : 3;
  return columns == 16 && kArchitecture < 900 ? 1 : 2;
}

template <Layout layout, int panels, int columns>
__global__ __launch_bounds__(kThreads,
                             product_blocks(columns)) void product_kernel(const ProductArgs args) {
  using Weights = Tile<layout>;
  unsigned char* shared = dynamic_shared<unsigned char>();
  __shared__ float partial[kWarps];
  constexpr int kCols = static_cast<int>(tile_cols(layout));
  const TileRange range = tile_range(args);
  TileStream<layout, panels> stream(args, range, shared);
  grid_dependency_wait();
  grid_dependency_launch();

  const bool has_norm = args.input.norm != nullptr || args.input.delta != nullptr;
  const SharedMap map = product_map<layout, panels, columns>(
      args.rows, staged_cols(args, kCols), has_norm ? args.cols : 0);
  stage_activations<Weights::kForm, columns, Weights::kSums>(
      args, range.begin * kCols, (range.end - range.begin) * kCols, map, shared, partial);
  const Acts acts{.x = shared + map.acts,
                  .stride = map.stride,
                  .d = reinterpret_cast<const float*>(shared + map.d),
                  .s = reinterpret_cast<const std::uint32_t*>(shared + map.s),
                  .rows = args.rows};
  const int thread = static_cast<int>(threadIdx.x);
  const Lane lane{.g = thread % kWarp / 4, .t = thread % 4, .index = thread % kWarp};
  float* sums = reinterpret_cast<float*>(shared + map.sums);

  for (int item = static_cast<int>(blockIdx.x); item < args.items;
       item += static_cast<int>(gridDim.x)) {
    float totals[panels] = {};
    for (int first = range.begin; first < range.end; first += args.tiles_per_slice) {
      Sums<columns> own[panels];
      const int end = min(first + args.tiles_per_slice, range.end);
      for (int tile = first + thread / kWarp; tile < end; tile += kWarps) {
#pragma unroll
        for (int panel = 0; panel < panels; ++panel) {
          const unsigned char* weights = stream.front();
          Weights::template multiply<columns>(weights, acts, tile - range.begin, lane, own[panel]);
          stream.pop();
        }
      }
      for (int panel = 0; panel < panels; ++panel) {
        put_sums<columns>(own[panel], sums, panel, panels, lane);
      }
      __syncthreads();
      if (thread < 16 * columns) {
        for (int panel = 0; panel < panels; ++panel) {
          float sum = sums[panel * columns * 16 + thread];
          for (int warp = 1; warp < kWarps; ++warp) {
            sum += sums[(warp * panels + panel) * columns * 16 + thread];
          }
          totals[panel] += sum;
        }
      }
      __syncthreads();
    }
    const PanelPlace place = panel_place<panels>(args, item, 0);
    const int token = thread / 16;
    if (thread < 16 * columns && token < args.rows) {
      const int row = place.panel * 16 + thread % 16;
      float factor = 1.0F;
      if constexpr (Weights::kForm == ActivationForm::f16) {
        factor = reinterpret_cast<const float*>(shared + map.factor)[token];
      }
      for (int panel = 0; panel < panels; ++panel) {
        const PanelPlace at = panel_place<panels>(args, item, panel);
        totals[panel] *= factor * row_scale<layout>(args, at, min(row, at.part->rows - 1));
      }
      put_output<panels>(args, place, row, token, totals);
    }
    if constexpr (panels == 1) {
      if (args.end == ProductEnd::qkv) close_panel(args.qkv, place);
    }
  }
}

/// The shared memory of a launch with this many tokens.
template <Layout layout>
std::int64_t product_bytes(const ProductArgs& args) {
  const int cols = staged_cols(args, static_cast<int>(tile_cols(layout)));
  const bool has_norm = args.input.norm != nullptr || args.input.delta != nullptr;
  const int norm_cols = has_norm ? args.cols : 0;
  if (args.end == ProductEnd::gelu_mul) {
    if (args.rows == 1) return product_map<layout, 2, 1>(1, cols, norm_cols).total;
    if (args.rows <= 8) return product_map<layout, 2, 8>(args.rows, cols, norm_cols).total;
    return product_map<layout, 2, 16>(args.rows, cols, norm_cols).total;
  }
  if (args.rows == 1) return product_map<layout, 1, 1>(1, cols, norm_cols).total;
  if (args.rows <= 8) return product_map<layout, 1, 8>(args.rows, cols, norm_cols).total;
  return product_map<layout, 1, 16>(args.rows, cols, norm_cols).total;
}

/// Static shared memory of a block, which counts too where two are to share a multiprocessor. (It
/// keeps 1 KiB for each, and has 1 KiB more than a block may ask for; limits leave out another.)
inline constexpr std::int64_t kStaticBytes = 128;

/// Two blocks for every multiprocessor, or one where shared memory holds no more.
template <Layout layout>
Status launch_product_of(const ProductArgs& args, const LaunchOrder& order) {
  FACET_TRY(const DeviceLimits limits, device_limits());
  const std::int64_t bytes = product_bytes<layout>(args);
  const int blocks = 2 * (bytes + kStaticBytes) <= limits.shared_bytes_max ? 2 : 1;
  const int slices = (args.tiles + args.tiles_per_slice - 1) / args.tiles_per_slice;
  const int grid = blocks * limits.multiprocessors;
  const LaunchConfig config{
      .grid = dim3(static_cast<unsigned>(args.items < grid ? args.items : grid),
                   static_cast<unsigned>(args.is_split ? slices : 1)),
      .block = dim3(kThreads),
      .shared_bytes = static_cast<std::size_t>(bytes),
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  if (args.end == ProductEnd::gelu_mul) {
    if (args.rows == 1) return launch("gate_up", product_kernel<layout, 2, 1>, config, args);
    if (args.rows <= 8) return launch("gate_up", product_kernel<layout, 2, 8>, config, args);
    return launch("gate_up", product_kernel<layout, 2, 16>, config, args);
  }
  const char* name = args.end == ProductEnd::qkv ? "project_qkv" : "multiply_rows";
  if (args.rows == 1) return launch(name, product_kernel<layout, 1, 1>, config, args);
  if (args.rows <= 8) return launch(name, product_kernel<layout, 1, 8>, config, args);
  return launch(name, product_kernel<layout, 1, 16>, config, args);
}

}  // namespace facet::engine::cuda
