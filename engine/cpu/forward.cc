#include "engine/cpu/forward.h"

#include "base/check.h"
#include "engine/cpu/workspace.h"

#include <algorithm>
#include <iterator>

namespace facet::engine {
namespace {

/// Bytes of weights that one part of a loop reads when there are few tokens: enough that handing it
/// out costs nothing, few enough that the last parts end together.
constexpr std::int64_t kPartBytes = 96 << 10;

/// Tokens from which on a part is a number of weight rows, not of their bytes.
constexpr std::int64_t kFewTokens = 6;

/// Weight rows of a part when there are many tokens: a multiple of what the kernels turn at once,
/// and several times as much, because the next rows are prefetched.
constexpr std::int64_t kPartRowsStep = 32;
constexpr std::int64_t kPartRowsMax = 128;

}  // namespace

/// A workspace for the duration of one call.
class Forward::Lease {
 public:
  explicit Lease(const Forward& owner) : owner_(owner) {
    const std::lock_guard lock(owner.free_mutex_);
    if (owner.free_.empty()) {
      work_ = std::make_unique<Workspace>();
      work_->scratch.resize(static_cast<std::size_t>(owner.pool_.threads()));
      work_->parts.resize(work_->scratch.size());
    } else {
      work_ = std::move(owner.free_.back());
      owner.free_.pop_back();
    }
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    const std::lock_guard lock(owner_.free_mutex_);
    owner_.free_.push_back(std::move(work_));
  }
  Workspace& operator*() { return *work_; }

 private:
  const Forward& owner_;
  std::unique_ptr<Workspace> work_;
};

Forward::Forward(const ModelConfig& config,
                 const ModelWeights& weights,
                 const Ops& ops,
                 ThreadPool& pool,
                 const ForwardOptions& options)
    : config_(config),
      weights_(weights),
      ops_(ops),
      pool_(pool),
      is_packed_(!options.float_activations) {
  scratch_cols_ = std::max<std::int64_t>(config.hidden, config.dense_hidden);
  for (const LayerSpec& spec : config.layers) {
    scratch_cols_ =
        std::max<std::int64_t>({scratch_cols_, spec.ffn, std::int64_t{spec.heads} * spec.head_dim});
  }
}

Forward::~Forward() = default;

Activations Forward::form_of(const TensorView& w) const {
  if (!is_packed_) return Activations::f32;
  const Activations form = ops_.form(w.type);
  if (form != Activations::bf16) return form;
  return ops_.matmul_bf16 != nullptr && w.cols % 32 == 0 ? form : Activations::f32;
}

std::int64_t Forward::rows_per_part(const TensorView& w, std::int64_t tokens) const {
  const std::int64_t fair = w.rows / (2 * std::int64_t{pool_.threads()});
  if (tokens > kFewTokens) {
    return std::clamp(fair / kPartRowsStep * kPartRowsStep, kPartRowsStep, kPartRowsMax);
  }
  const std::int64_t rows = std::min(kPartBytes / std::max<std::int64_t>(1, w.row_bytes()), fair);
  return std::max(kMatmulRows, rows / kMatmulRows * kMatmulRows);
}

void Forward::matmul_rows(const TensorView& w,
                          std::int64_t begin,
                          std::int64_t end,
                          const Rows& rows,
                          float* y,
                          std::int64_t y_stride,
                          std::vector<float>& scratch) const {
  grow(scratch, matmul_scratch_floats(scratch_cols_));
  const Activations form = form_of(w);
  const auto matmul = form == Activations::int8   ? ops_.matmul_int8
                      : form == Activations::bf16 ? ops_.matmul_bf16
                                                  : ops_.matmul;
  matmul({.w = w,
          .row_begin = begin,
          .row_end = end,
          .x = rows.x,
          .packed = rows.packed[static_cast<std::size_t>(form)],
          .tokens = rows.tokens,
          .y = y,
          .y_stride = y_stride,
          .scratch = scratch.data()});
}

void Forward::multiply(std::span<const Product> products, const Rows& rows, Workspace& work) const {
  std::int64_t parts = 0;
  for (const Product& product : products) {
    const std::int64_t each = rows_per_part(product.w, rows.tokens);
    parts += (product.w.rows + each - 1) / each;
  }
  pool_.run_in_ranges(parts, [&](std::int64_t part, int worker) {
    std::vector<float>& scratch = work.scratch[static_cast<std::size_t>(worker)];
    for (const Product& product : products) {
      const TensorView& w = product.w;
      const std::int64_t each = rows_per_part(w, rows.tokens);
      const std::int64_t count = (w.rows + each - 1) / each;
      if (part < count) {
        const std::int64_t begin = part * each;
        const std::int64_t end = std::min(w.rows, begin + each);
        return matmul_rows(w, begin, end, rows, product.y + begin, w.rows, scratch);
      }
      part -= count;
    }
  });
}

Forward::Rows Forward::rows_of(const float* x,
                               std::int64_t tokens,
                               std::initializer_list<const TensorView*> weights,
                               Workspace& work) const {
  Rows out{.x = x, .tokens = tokens};
  for (const TensorView* w : weights) {
    const Activations form = form_of(*w);
    const std::byte*& packed = out.packed[static_cast<std::size_t>(form)];
    if (form == Activations::f32 || packed != nullptr) continue;
    const std::int64_t cols = w->cols;
    std::byte* const to =
        grow(work.packed[static_cast<std::size_t>(form)], packed_bytes(form, tokens, cols));
    const auto body = [&](std::int64_t begin, std::int64_t end, int) {
      pack(form,
           {.x = x + begin * cols,
            .x_stride = cols,
            .tokens = end - begin,
            .cols = cols,
            .end = cols,
            .to = to + packed_bytes(form, begin, cols)});
    };
    parallel(pool_, tokens, kPackedTokens, 4 * cols, body);
    packed = to;
  }
  return out;
}

void Forward::pack(Activations form, const PackArgs& args) const {
  if (form == Activations::int8) return ops_.pack_int8(args);
  ops_.pack_bf16(args);
}

void Forward::linear(
    const TensorView& w, const float* x, std::int64_t tokens, float* y, Workspace& work) const {
  const Product product{w, y};
  multiply(std::span(&product, 1), rows_of(x, tokens, {&w}, work), work);
}

void Forward::take_items(std::span<const StepItem> items, Workspace& work) const {
  const std::int64_t hidden = config_.hidden;
  work.chunks.clear();
  work.angles.clear();
  work.tokens = 0;
  for (const StepItem& item : items) {
    const auto values = static_cast<std::int64_t>(item.image_rows.size());
    FACET_CHECK(item.cache != nullptr && item.cache->layers() == config_.layers.size());
    FACET_CHECK(item.ids.empty() != (values == 0) && values % hidden == 0);
    const std::int64_t tokens = values == 0 ? std::ssize(item.ids) : values / hidden;
    work.chunks.push_back({.cache = item.cache,
                           .row = work.tokens,
                           .first = item.cache->size(),
                           .tokens = tokens,
                           .is_image = values != 0});
    work.tokens += tokens;
  }
  grow(work.x, work.tokens * hidden);
  grow(work.h, work.tokens * hidden);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::int64_t row = work.chunks[i].row;
    const std::span<const float> image = items[i].image_rows;
    std::copy(image.begin(), image.end(), work.x.begin() + row * hidden);
    embed_tokens(items[i].ids, row, work);
  }
}

void Forward::embed_tokens(std::span<const TokenId> ids, std::int64_t row, Workspace& work) const {
  const std::int64_t hidden = config_.hidden;
  for (const TokenId id : ids) {
    FACET_CHECK(id >= 0 && id < config_.vocabulary);
    ops_.embed_row(weights_.embedding.type,
                   weights_.embedding.row(id),
                   hidden,
                   config_.embedding_scale,
                   work.x.data() + row++ * hidden);
  }
}

void Forward::project_and_store(std::size_t index, std::size_t cache_layer, Workspace& work) const {
  const LayerSpec& spec = config_.layers[index];
  const LayerWeights& layer = weights_.layers[index];
  const std::int64_t tokens = work.tokens;
  const std::int64_t q_width = std::int64_t{spec.heads} * spec.head_dim;
  const std::int64_t kv_width = std::int64_t{spec.kv_heads} * spec.head_dim;
  grow(work.q, tokens * q_width);
  grow(work.attn, tokens * q_width);
  grow(work.k, tokens * kv_width);
  grow(work.v, tokens * kv_width);
  const Product products[] = {
      {layer.q, work.q.data()}, {layer.k, work.k.data()}, {layer.v, work.v.data()}};
  multiply(products, rows_of(work.h.data(), tokens, {&layer.q, &layer.k, &layer.v}, work), work);

  const Angles& angles = work.angles_for(spec);
  const std::int64_t half = spec.head_dim / 2;
  const auto finish = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    const std::int64_t n = end - begin;
    float* q = work.q.data() + begin * q_width;
    float* k = work.k.data() + begin * kv_width;
    const float* cos = angles.cos.data() + begin * half;
    const float* sin = angles.sin.data() + begin * half;
    const float eps = config_.norm_eps;
    ops_.rms_norm(q, layer.q_norm.data(), eps, n * spec.heads, spec.head_dim, q);
    ops_.rms_norm(k, layer.k_norm.data(), eps, n * spec.kv_heads, spec.head_dim, k);
    ops_.rope(q, cos, sin, n, spec.heads, spec.head_dim);
    ops_.rope(k, cos, sin, n, spec.kv_heads, spec.head_dim);
    for (std::int64_t t = begin; t < end; ++t) {
      const Chunk& chunk = work.chunk_of(t);
      chunk.cache->write(cache_layer,
                         chunk.first + t - chunk.row,
                         work.k.data() + t * kv_width,
                         work.v.data() + t * kv_width);
    }
  };
  parallel(pool_, tokens, 1, 4 * (q_width + kv_width), finish);
}

void Forward::add_and_norm(const std::vector<float>* added,
                           const std::vector<float>* next,
                           Workspace& work) const {
  const std::int64_t hidden = config_.hidden;
  parallel(pool_, work.tokens, 1, 8 * hidden, [&](std::int64_t begin, std::int64_t end, int) {
    const std::int64_t n = end - begin;
    float* h = work.h.data() + begin * hidden;
    float* x = work.x.data() + begin * hidden;
    if (added != nullptr) {
      ops_.rms_norm(h, added->data(), config_.norm_eps, n, hidden, h);
      ops_.add(x, h, n * hidden);
    }
    if (next != nullptr) ops_.rms_norm(x, next->data(), config_.norm_eps, n, hidden, h);
  });
}

void Forward::feed_forward(std::size_t index, Workspace& work) const {
  const LayerWeights& layer = weights_.layers[index];
  const std::int64_t ffn = config_.layers[index].ffn;
  const std::int64_t tokens = work.tokens;
  const Rows rows = rows_of(work.h.data(), tokens, {&layer.gate, &layer.up}, work);
  const Activations form = form_of(layer.down);
  Rows wide{.tokens = tokens};
  std::byte* const packed = grow(work.packed_wide, packed_bytes(form, tokens, ffn));
  if (form == Activations::f32) {
    grow(work.wide, tokens * ffn);
    wide.x = work.wide.data();
  } else {
    wide.packed[static_cast<std::size_t>(form)] = packed;
  }
  // A part is the same rows of both, so that gelu finds in the cache what it needs, and what it
  // makes is rounded there too: gate and up as a whole, and its output as f32, are nowhere.
  const std::int64_t each =
      (rows_per_part(layer.gate, tokens) + kQuantBlock - 1) / kQuantBlock * kQuantBlock;
  pool_.run_in_ranges((ffn + each - 1) / each, [&](std::int64_t part, int worker) {
    std::vector<float>& scratch = work.scratch[static_cast<std::size_t>(worker)];
    std::vector<float>& memory = work.parts[static_cast<std::size_t>(worker)];
    const std::int64_t begin = part * each;
    const std::int64_t end = std::min(ffn, begin + each);
    const std::int64_t width = end - begin;
    grow(memory, 2 * tokens * width);
    float* const gate = memory.data();
    float* const up = gate + tokens * width;
    matmul_rows(layer.gate, begin, end, rows, gate, width, scratch);
    matmul_rows(layer.up, begin, end, rows, up, width, scratch);
    if (form == Activations::f32) {
      for (std::int64_t t = 0; t < tokens; ++t) {
        float* to = work.wide.data() + t * ffn + begin;
        ops_.gelu_mul(gate + t * width, up + t * width, width, to);
      }
      return;
    }
    ops_.gelu_mul(gate, up, tokens * width, gate);
    pack(form,
         {.x = gate,
          .x_stride = width,
          .tokens = tokens,
          .cols = ffn,
          .begin = begin,
          .end = end,
          .to = packed});
  });
  const Product down{layer.down, work.h.data()};
  multiply(std::span(&down, 1), wide, work);
}

void Forward::layer(std::size_t index, std::size_t cache_layer, Workspace& work) const {
  const LayerWeights& layer = weights_.layers[index];
  add_and_norm(nullptr, &layer.attn_norm, work);
  project_and_store(index, cache_layer, work);
  attend(index, cache_layer, work);
  linear(layer.o, work.attn.data(), work.tokens, work.h.data(), work);
  add_and_norm(&layer.post_attn_norm, &layer.ffn_norm, work);
  feed_forward(index, work);
  add_and_norm(&layer.post_ffn_norm, nullptr, work);
}

Status Forward::step(std::span<const StepItem> items) {
  FACET_CHECK(!items.empty());
  Lease lease(*this);
  Workspace& work = *lease;
  take_items(items, work);
  for (const Chunk& chunk : work.chunks) FACET_TRY_STATUS(chunk.cache->reserve(chunk.tokens));
  for (std::size_t l = 0; l < config_.layers.size(); ++l) layer(l, l, work);
  for (const Chunk& chunk : work.chunks) chunk.cache->commit(chunk.tokens);
  write_logits(items, work);
  return ok();
}

void Forward::write_logits(std::span<const StepItem> items, Workspace& work) const {
  const std::int64_t vocabulary = config_.vocabulary;
  const std::int64_t hidden = config_.hidden;
  const float* const norm = weights_.output_norm.data();
  std::int64_t rows = 0;
  const StepItem* last = nullptr;
  bool is_one = true;
  for (std::size_t i = 0; i < items.size(); ++i) {
    FACET_CHECK(items[i].candidates.empty());
    if (items[i].logits.empty()) continue;
    const Chunk& chunk = work.chunks[i];
    const std::int64_t count = std::ssize(items[i].logits) / vocabulary;
    FACET_CHECK(count * vocabulary == std::ssize(items[i].logits));
    FACET_CHECK(count == 1 || count == chunk.tokens);
    const float* from = work.x.data() + (chunk.row + chunk.tokens - count) * hidden;
    ops_.rms_norm(from, norm, config_.norm_eps, count, hidden, work.h.data() + rows * hidden);
    rows += count;
    is_one = last == nullptr;
    last = &items[i];
  }
  if (last == nullptr) return;
  TensorView head = weights_.embedding;
  head.rows = config_.vocabulary;  // Rows beyond it are placeholders, not tokens.
  if (is_one) return linear(head, work.h.data(), rows, last->logits.data(), work);
  grow(work.logits, rows * vocabulary);
  linear(head, work.h.data(), rows, work.logits.data(), work);
  const float* from = work.logits.data();
  for (const StepItem& item : items) {
    std::copy_n(from, item.logits.size(), item.logits.data());
    from += item.logits.size();
  }
}

Result<std::vector<float>> Forward::embed(std::span<const TokenId> ids) {
  FACET_CHECK(!ids.empty() && config_.is_embedder);
  Lease lease(*this);
  Workspace& work = *lease;
  work.chunks = {{.tokens = std::ssize(ids)}};
  work.tokens = std::ssize(ids);
  work.angles.clear();
  grow(work.x, work.tokens * config_.hidden);
  grow(work.h, work.tokens * config_.hidden);
  embed_tokens(ids, 0, work);
  for (std::size_t l = 0; l < config_.layers.size(); ++l) {
    // Nothing is appended later, so each layer's keys and values live for that layer only.
    KvCache cache(std::span(&config_.layers[l], 1));
    FACET_TRY_STATUS(cache.reserve(work.tokens));
    work.chunks.front().cache = &cache;
    layer(l, 0, work);
  }
  const std::int64_t hidden = config_.hidden;
  ops_.rms_norm(work.x.data(),
                weights_.output_norm.data(),
                config_.norm_eps,
                work.tokens,
                hidden,
                work.h.data());
  std::vector<float> out(static_cast<std::size_t>(hidden));
  mean_pool(work.h.data(), work.tokens, hidden, out.data());
  for (const TensorView* dense : {&weights_.dense2, &weights_.dense3}) {
    if (dense->empty()) continue;
    std::vector<float> next(static_cast<std::size_t>(dense->rows));
    linear(*dense, out.data(), 1, next.data(), work);
    out = std::move(next);
  }
  l2_normalize(out.data(), static_cast<std::int64_t>(out.size()));
  return out;
}

}  // namespace facet::engine
