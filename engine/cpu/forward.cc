#include "engine/cpu/forward.h"

#include "base/check.h"

#include <algorithm>
#include <cstring>

namespace facet::engine {
namespace {

/// Multiply-adds below which handing a loop to other threads costs more than it gains: a few
/// microseconds of one core.
constexpr std::int64_t kPartWork = 1 << 16;

struct Angles {
  double theta = 0.0;
  double divisor = 0.0;
  int head_dim = 0;
  std::vector<float> cos;  // (tokens, head_dim / 2)
  std::vector<float> sin;
};

void grow(std::vector<float>& to, std::int64_t floats) {
  if (to.size() < static_cast<std::size_t>(floats)) to.resize(static_cast<std::size_t>(floats));
}

/// Cuts `items` of `work_each` into parts of about kPartWork and runs body(begin, end, worker).
template <class Body>
void parallel(ThreadPool& pool,
              std::int64_t items,
              std::int64_t step,
              std::int64_t work_each,
              const Body& body) {
  const std::int64_t wanted =
      std::max<std::int64_t>(1, kPartWork / std::max<std::int64_t>(1, work_each));
  const std::int64_t each = (wanted + step - 1) / step * step;
  pool.run((items + each - 1) / each, [&](std::int64_t part, int worker) {
    body(part * each, std::min(items, (part + 1) * each), worker);
  });
}

}  // namespace

/// The activations of one chunk, reused from call to call.
struct Forward::Workspace {
  std::int64_t tokens = 0;
  std::int64_t first = 0;   // Position of the first token.
  bool is_image = false;    // Tokens attend to each other in both directions.
  std::vector<float> x;     // (tokens, hidden): the residual stream
  std::vector<float> h;     // (tokens, hidden): normed input and output of a block
  std::vector<float> q;     // (tokens, heads, head_dim)
  std::vector<float> k;     // (tokens, kv_heads, head_dim)
  std::vector<float> v;     // (tokens, kv_heads, head_dim)
  std::vector<float> attn;  // (tokens, heads, head_dim)
  std::vector<float> gate;  // (tokens, ffn)
  std::vector<float> up;    // (tokens, ffn)
  std::vector<Angles> angles;
  std::vector<std::vector<float>> scratch;  // One per worker.

  const Angles& angles_for(const LayerSpec& spec) {
    for (const Angles& known : angles) {
      if (known.theta == spec.rope_theta && known.divisor == spec.rope_divisor &&
          known.head_dim == spec.head_dim) {
        return known;
      }
    }
    Angles made{.theta = spec.rope_theta, .divisor = spec.rope_divisor, .head_dim = spec.head_dim};
    const auto floats = static_cast<std::size_t>(tokens * spec.head_dim / 2);
    made.cos.resize(floats);
    made.sin.resize(floats);
    rope_angles(first,
                tokens,
                spec.head_dim,
                spec.rope_theta,
                spec.rope_divisor,
                made.cos.data(),
                made.sin.data());
    angles.push_back(std::move(made));
    return angles.back();
  }
};

/// A workspace for the duration of one call.
class Forward::Lease {
 public:
  explicit Lease(const Forward& owner) : owner_(owner) {
    const std::lock_guard lock(owner.free_mutex_);
    if (owner.free_.empty()) {
      work_ = std::make_unique<Workspace>();
      work_->scratch.resize(static_cast<std::size_t>(owner.pool_.threads()));
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
                 ThreadPool& pool)
    : config_(config), weights_(weights), ops_(ops), pool_(pool) {
  scratch_cols_ = std::max<std::int64_t>(config.hidden, config.dense_hidden);
  for (const LayerSpec& spec : config.layers) {
    scratch_cols_ = std::max<std::int64_t>({scratch_cols_, spec.ffn, spec.heads * spec.head_dim});
  }
}

Forward::~Forward() = default;

void Forward::matmul(
    const TensorView& w, const float* x, std::int64_t tokens, float* y, Workspace& work) const {
  const std::int64_t cost = w.cols * tokens;
  parallel(pool_, w.rows, kMatmulRows, cost, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<float>& scratch = work.scratch[static_cast<std::size_t>(worker)];
    grow(scratch, kMatmulRows * scratch_cols_);
    ops_.matmul({.w = w,
                 .row_begin = begin,
                 .row_end = end,
                 .x = x,
                 .tokens = tokens,
                 .y = y,
                 .scratch = scratch.data()});
  });
}

void Forward::embed_tokens(std::span<const TokenId> ids, Workspace& work) const {
  const std::int64_t hidden = config_.hidden;
  work.tokens = static_cast<std::int64_t>(ids.size());
  work.angles.clear();
  grow(work.x, work.tokens * hidden);
  grow(work.h, work.tokens * hidden);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    FACET_CHECK(ids[t] >= 0 && ids[t] < config_.vocabulary);
    ops_.embed_row(weights_.embedding.type,
                   weights_.embedding.row(ids[t]),
                   hidden,
                   config_.embedding_scale,
                   work.x.data() + static_cast<std::int64_t>(t) * hidden);
  }
}

void Forward::project_and_store(std::size_t index,
                                KvCache& cache,
                                std::size_t cache_layer,
                                Workspace& work) const {
  const LayerSpec& spec = config_.layers[index];
  const LayerWeights& layer = weights_.layers[index];
  const std::int64_t tokens = work.tokens;
  const std::int64_t q_width = std::int64_t{spec.heads} * spec.head_dim;
  const std::int64_t kv_width = std::int64_t{spec.kv_heads} * spec.head_dim;
  grow(work.q, tokens * q_width);
  grow(work.attn, tokens * q_width);
  grow(work.k, tokens * kv_width);
  grow(work.v, tokens * kv_width);
  matmul(layer.q, work.h.data(), tokens, work.q.data(), work);
  matmul(layer.k, work.h.data(), tokens, work.k.data(), work);
  matmul(layer.v, work.h.data(), tokens, work.v.data(), work);

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
    const auto row_bytes = static_cast<std::size_t>(kv_width) * sizeof(float);
    for (std::int64_t t = begin; t < end; ++t) {
      std::memcpy(cache.key(cache_layer, work.first + t), work.k.data() + t * kv_width, row_bytes);
      std::memcpy(
          cache.value(cache_layer, work.first + t), work.v.data() + t * kv_width, row_bytes);
    }
  };
  parallel(pool_, tokens, 1, 4 * (q_width + kv_width), finish);
}

void Forward::attend(std::size_t index,
                     const KvCache& cache,
                     std::size_t cache_layer,
                     Workspace& work) const {
  const LayerSpec& spec = config_.layers[index];
  const std::int64_t group = spec.heads / spec.kv_heads;
  const std::int64_t last = work.first + work.tokens;
  const std::int64_t ahead = work.is_image ? work.tokens : spec.window;
  const std::int64_t keys_max = spec.window == 0 ? last : std::min(last, spec.window + ahead);
  const KvPages pages = cache.pages(cache_layer);
  // One item is one kv head of one token: its query heads read the same keys from cache.
  const auto body = [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<float>& scratch = work.scratch[static_cast<std::size_t>(worker)];
    grow(scratch, group * keys_max);
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t t = item / spec.kv_heads;
      const std::int64_t kv_head = item % spec.kv_heads;
      const std::int64_t position = work.first + t;
      const std::int64_t at = (t * spec.heads + kv_head * group) * spec.head_dim;
      AttentionArgs args{.q = work.q.data() + at,
                         .heads = static_cast<int>(group),
                         .kv = pages,
                         .kv_head = static_cast<int>(kv_head),
                         .first = 0,
                         .end = position + 1,
                         .scale = spec.attention_scale,
                         .out = work.attn.data() + at,
                         .scratch = scratch.data()};
      if (spec.window != 0) args.first = std::max<std::int64_t>(0, position - spec.window + 1);
      if (!spec.causal) {
        args.end = spec.window == 0 ? last : std::min<std::int64_t>(last, position + spec.window);
      }
      if (work.is_image) args.end = last;
      ops_.attention(args);
    }
  };
  parallel(pool_, work.tokens * spec.kv_heads, 1, 2 * group * keys_max * spec.head_dim, body);
}

void Forward::norm_and_add(const std::vector<float>& norm, Workspace& work) const {
  const std::int64_t hidden = config_.hidden;
  parallel(pool_, work.tokens, 1, 4 * hidden, [&](std::int64_t begin, std::int64_t end, int) {
    float* h = work.h.data() + begin * hidden;
    ops_.rms_norm(h, norm.data(), config_.norm_eps, end - begin, hidden, h);
    ops_.add(work.x.data() + begin * hidden, h, (end - begin) * hidden);
  });
}

void Forward::feed_forward(std::size_t index, Workspace& work) const {
  const LayerWeights& layer = weights_.layers[index];
  const std::int64_t ffn = config_.layers[index].ffn;
  grow(work.gate, work.tokens * ffn);
  grow(work.up, work.tokens * ffn);
  matmul(layer.gate, work.h.data(), work.tokens, work.gate.data(), work);
  matmul(layer.up, work.h.data(), work.tokens, work.up.data(), work);
  parallel(pool_, work.tokens, 1, 16 * ffn, [&](std::int64_t begin, std::int64_t end, int) {
    float* gate = work.gate.data() + begin * ffn;
    ops_.gelu_mul(gate, work.up.data() + begin * ffn, (end - begin) * ffn, gate);
  });
  matmul(layer.down, work.gate.data(), work.tokens, work.h.data(), work);
}

void Forward::layer(std::size_t index,
                    KvCache& cache,
                    std::size_t cache_layer,
                    Workspace& work) const {
  const LayerWeights& layer = weights_.layers[index];
  const auto norm = [&](const std::vector<float>& w) {
    ops_.rms_norm(
        work.x.data(), w.data(), config_.norm_eps, work.tokens, config_.hidden, work.h.data());
  };
  norm(layer.attn_norm);
  project_and_store(index, cache, cache_layer, work);
  attend(index, cache, cache_layer, work);
  matmul(layer.o, work.attn.data(), work.tokens, work.h.data(), work);
  norm_and_add(layer.post_attn_norm, work);
  norm(layer.ffn_norm);
  feed_forward(index, work);
  norm_and_add(layer.post_ffn_norm, work);
}

void Forward::append(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) const {
  FACET_CHECK(!ids.empty() && cache.layers() == config_.layers.size());
  Lease lease(*this);
  Workspace& work = *lease;
  work.is_image = false;
  work.first = cache.size();
  embed_tokens(ids, work);
  run(cache, logits, work);
}

void Forward::append_image(std::span<const float> rows,
                           KvCache& cache,
                           std::span<float> logits) const {
  const auto hidden = static_cast<std::size_t>(config_.hidden);
  FACET_CHECK(!rows.empty() && rows.size() % hidden == 0);
  FACET_CHECK(cache.layers() == config_.layers.size());
  Lease lease(*this);
  Workspace& work = *lease;
  work.is_image = true;
  work.first = cache.size();
  work.tokens = static_cast<std::int64_t>(rows.size() / hidden);
  work.angles.clear();
  grow(work.x, work.tokens * config_.hidden);
  grow(work.h, work.tokens * config_.hidden);
  std::copy(rows.begin(), rows.end(), work.x.begin());
  run(cache, logits, work);
}

void Forward::run(KvCache& cache, std::span<float> logits, Workspace& work) const {
  cache.reserve(work.tokens);
  for (std::size_t l = 0; l < config_.layers.size(); ++l) layer(l, cache, l, work);
  cache.commit(work.tokens);
  if (logits.empty()) return;
  const auto rows = static_cast<std::int64_t>(logits.size()) / config_.vocabulary;
  FACET_CHECK(rows == 1 || rows == work.tokens);
  const float* last = work.x.data() + (work.tokens - rows) * config_.hidden;
  ops_.rms_norm(
      last, weights_.output_norm.data(), config_.norm_eps, rows, config_.hidden, work.h.data());
  TensorView head = weights_.embedding;
  head.rows = config_.vocabulary;  // Rows beyond it are placeholders, not tokens.
  matmul(head, work.h.data(), rows, logits.data(), work);
}

std::vector<float> Forward::embed(std::span<const TokenId> ids) const {
  FACET_CHECK(!ids.empty() && config_.is_embedder);
  Lease lease(*this);
  Workspace& work = *lease;
  work.is_image = false;
  work.first = 0;
  embed_tokens(ids, work);
  for (std::size_t l = 0; l < config_.layers.size(); ++l) {
    // Nothing is appended later, so each layer's keys and values live for that layer only.
    KvCache cache(std::span(&config_.layers[l], 1));
    cache.reserve(work.tokens);
    layer(l, cache, 0, work);
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
    matmul(*dense, out.data(), 1, next.data(), work);
    out = std::move(next);
  }
  l2_normalize(out.data(), static_cast<std::int64_t>(out.size()));
  return out;
}

}  // namespace facet::engine
