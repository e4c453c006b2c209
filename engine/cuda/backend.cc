#include "engine/cuda/backend.h"

#include "base/check.h"
#include "engine/cuda/ahead.h"
#include "engine/cuda/candidates.h"
#include "engine/cuda/device_work.h"
#include "engine/cuda/forward.h"
#include "engine/cuda/page_pool.h"
#include "engine/cuda/pass.h"
#include "engine/cuda/vision.h"
#include "engine/cuda/wanted_rows.h"
#include "engine/cuda/weights.h"
#include "engine/cuda/workspace.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace facet::engine::cuda {
namespace {

/// How a step that can be recorded ends. What comes later has all of what comes earlier.
enum class StepEnd : std::uint8_t { layers, logits, candidates };

/// A recorded step is kept for every number of rows that are launched, and every end.
using RecordingKey = std::pair<std::int64_t, StepEnd>;

/// Memory of the pool as pages hold on to it: the device's memory lives while one of them does.
std::shared_ptr<std::byte[]> share(std::shared_ptr<DeviceBuffer> pool, std::byte* begin) {
  return {begin, [pool = std::move(pool)](std::byte*) {}};
}

}  // namespace

struct CudaBackend::Parts {
  ModelConfig config;
  BackendOptions options;
  DeviceInfo device;
  MemoryPlan plan;
  WorkspaceLayout layout;
  // Pages may outlive the backend; they keep these two.
  std::shared_ptr<DeviceWork> work = std::make_shared<DeviceWork>();
  std::shared_ptr<DeviceBuffer> pool;
  std::byte* workspace = nullptr;
  DeviceWeights weights;
  std::optional<PagePool> pages;
  std::optional<PassTables> tables;
  std::optional<CandidateTables> candidates;
  std::optional<Forward> forward;
  std::optional<VisionTower> vision;
  PinnedBuffer logits;  ///< (decode_rows, vocabulary): on their way to the caller.
  QueueMark read;       ///< Behind what the host waits for, where the device goes on.
  std::optional<StepAhead> ahead;
  AheadPause pause;
  std::uint64_t next_number = 1;  ///< Of a row of a step ahead.
  /// Null: made once launch by launch, and not recorded yet.
  std::map<RecordingKey, std::optional<RecordedWork>> recordings;
  BackendStats stats;

  Status take_memory(const ModelWeights& weights, ThreadPool& threads);
  /// choices_of(), where this kind of step and this backend go on by themselves.
  std::vector<NextChoice> choices(std::span<const ItemRow> items, const Pass& pass);
  Status run(const Pass& pass, std::span<const NextChoice> choices);
  Status run_begun(const StepAhead& step,
                   std::span<const ItemRow> items,
                   std::span<const NextChoice> choices);
  Status finish(const Pass& pass,
                std::span<const WantedRow> wanted,
                std::span<const NextChoice> choices);
  Status run_prompt(const Pass& pass, std::span<const WantedRow> wanted);
  Status enqueue_step(const Pass& pass, StepEnd end);
  Status replay(const Pass& pass, StepEnd end);
  Status find(std::int64_t rows, bool overlaps);
  Status read_rows(std::span<const WantedRow> rows);
  Status read_logits(std::span<const WantedRow> rows);
  Status pool_text(const Pass& pass, const KvCache& cache, std::vector<float>& out);
  Result<std::vector<float>> dense(const PackedMatrix& w, std::span<const float> x);
};

namespace {

StepEnd end_of(std::span<const WantedRow> rows) {
  if (rows.empty()) return StepEnd::layers;
  return wants_candidates(rows) ? StepEnd::candidates : StepEnd::logits;
}

}  // namespace

CudaBackend::CudaBackend(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

CudaBackend::~CudaBackend() {
  // Graphs, streams and pinned memory are the device's: give them back as its user.
  const std::lock_guard lock(parts_->work->mutex);
  static_cast<void>(use_device(parts_->options.device));
  // A step that nobody asked for may still be under way, on memory that goes now.
  static_cast<void>(parts_->work->queue.wait());
}

Result<std::unique_ptr<CudaBackend>> CudaBackend::create(const ModelConfig& config,
                                                         const ModelWeights& weights,
                                                         const BackendOptions& options,
                                                         ThreadPool& pool) {
  FACET_TRY_STATUS(check_options(config, options));
  FACET_TRY(DeviceInfo device, open_device(options.device));
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  parts->options = options;
  const std::string where = "cuda:" + std::to_string(device.index) + " (" + device.name + ")";
  auto plan = plan_memory(config, weights, options.plan, device.free_bytes);
  if (!plan) return plan.error().with_context(where);
  FACET_TRY_STATUS(choose_units(parts->options, where));
  parts->device = std::move(device);
  parts->plan = *plan;
  parts->layout = lay_out(workspace_shape(config, weights, options.plan));
  if (Status taken = parts->take_memory(weights, pool); !taken) {
    return taken.error().with_context(where);
  }
  parts->options.vision_weights = nullptr;
  parts->options.plan.vision = nullptr;
  return std::unique_ptr<CudaBackend>(new CudaBackend(std::move(parts)));
}

Status CudaBackend::Parts::take_memory(const ModelWeights& model, ThreadPool& threads) {
  const std::lock_guard lock(work->mutex);
  work->device = options.device;
  FACET_TRY(work->queue, WorkQueue::create());
  FACET_TRY(read, QueueMark::create());
  FACET_TRY(DeviceBuffer memory,
            DeviceBuffer::allocate(static_cast<std::size_t>(plan.pool_bytes())));
  pool = std::make_shared<DeviceBuffer>(std::move(memory));
  workspace = pool->data() + plan.weight_bytes;
  std::byte* const page_begin = workspace + plan.workspace_bytes;
  FACET_TRY(
      weights,
      upload_weights(
          config, model, options.plan.weights, pool->data(), threads, *work, options.made_rows));
  pages.emplace(share(pool, page_begin), plan.page_bytes, work);
  if (plan.vision_bytes > 0) {
    FACET_CHECK(options.vision_weights != nullptr);
    FACET_TRY(vision,
              VisionTower::create(*options.plan.vision,
                                  *options.vision_weights,
                                  page_begin + plan.page_bytes,
                                  options.prompt_units,
                                  threads,
                                  *work));
  }
  FACET_TRY(tables, PassTables::create(layout, workspace));
  FACET_TRY(candidates, CandidateTables::create(layout, workspace));
  const std::int64_t pinned = 4 * layout.shape.decode_rows * layout.shape.vocabulary;
  FACET_TRY(logits, PinnedBuffer::allocate(static_cast<std::size_t>(pinned) + 4));
  int splits = 1;
  for (const LayerSpec& spec : config.layers) {
    splits = std::max(splits, attend_splits(spec.kv_heads, device.multiprocessors));
  }
  forward.emplace(config,
                  weights,
                  layout,
                  workspace,
                  *tables,
                  *work,
                  ForwardOptions{.kv_type = options.plan.kv_type,
                                 .splits = std::min(splits, kSplitsMax),
                                 .multiprocessors = device.multiprocessors,
                                 .units = options.prompt_units});
  return forward->prepare();
}

/// Logits of `rows`, where their own place is; by one wait for each decode_rows of them.
Status CudaBackend::Parts::read_logits(std::span<const WantedRow> rows) {
  const auto row_bytes = static_cast<std::size_t>(config.vocabulary) * sizeof(float);
  const auto each = static_cast<std::size_t>(layout.shape.decode_rows);
  for (std::size_t at = 0; at < rows.size(); at += each) {
    const auto part = rows.subspan(at, std::min(each, rows.size() - at));
    for (std::size_t i = 0; i < part.size(); ++i) {
      const float* const from = forward->logits() + part[i].row * config.vocabulary;
      FACET_TRY_STATUS(work->queue.copy_to_host(logits.data() + i * row_bytes, from, row_bytes));
    }
    FACET_TRY_STATUS(work->queue.wait());
    for (std::size_t i = 0; i < part.size(); ++i) {
      std::memcpy(part[i].logits, logits.data() + i * row_bytes, row_bytes);
    }
  }
  return ok();
}

/// Everything that came of `rows` of logits(): at least one, ascending. One wait, but for more than
/// decode_rows of them whose logits are wanted.
Status CudaBackend::Parts::read_rows(std::span<const WantedRow> rows) {
  const std::int64_t count = rows.back().row + 1;
  const bool has_candidates = wants_candidates(rows);
  if (has_candidates)
    FACET_TRY_STATUS(candidates->enqueue_read(static_cast<std::size_t>(count), *work));
  std::vector<WantedRow> with_logits;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(with_logits), [](const auto& row) {
    return row.logits != nullptr;
  });
  FACET_TRY_STATUS(with_logits.empty() ? work->queue.wait() : read_logits(with_logits));
  if (has_candidates) candidates->take(candidates_of(rows, count));
  return ok();
}

Status CudaBackend::Parts::find(std::int64_t rows, bool overlaps) {
  return find_candidates(
      candidates->args(forward->logits(), static_cast<int>(rows), forward->find_counters()),
      {.stream = work->queue.handle(), .overlaps = overlaps});
}

Status CudaBackend::Parts::enqueue_step(const Pass& pass, StepEnd end) {
  const bool is_batch = pass.kind == PassKind::batch;
  const std::int64_t rows = pass.launch_rows;
  FACET_TRY_STATUS(forward->embed_tokens(pass));
  FACET_TRY_STATUS(is_batch ? forward->batch_layers(rows)
                            : forward->decode_layers(static_cast<int>(rows)));
  if (end == StepEnd::layers) return ok();
  FACET_TRY_STATUS(is_batch ? forward->batch_logits(rows)
                            : forward->decode_logits(static_cast<int>(rows)));
  return end == StepEnd::logits ? ok() : find(rows, true);
}

/// The launches of a step, by its recording. The first step of the batch kind of each size is made
/// launch by launch, so that cuBLASLt loads what it needs outside of a recording.
Status CudaBackend::Parts::replay(const Pass& pass, StepEnd end) {
  if (!options.with_graphs || pass.has_image) return enqueue_step(pass, end);
  const auto [at, is_new] = recordings.try_emplace({pass.launch_rows, end});
  std::optional<RecordedWork>& recording = at->second;
  if (is_new && pass.kind == PassKind::batch) return enqueue_step(pass, end);
  if (!recording) {
    FACET_TRY(recording,
              RecordedWork::record(work->queue, [&] { return enqueue_step(pass, end); }));
    ++stats.recorded;
  }
  ++stats.replayed;
  return recording->enqueue(work->queue);
}

Status CudaBackend::Parts::run_prompt(const Pass& pass, std::span<const WantedRow> wanted) {
  FACET_TRY_STATUS(forward->embed_tokens(pass));
  FACET_TRY_STATUS(forward->prompt_layers(pass.rows));
  // Where bits must not depend on company, the product of few rows, whoever else wants logits.
  const auto each = static_cast<std::size_t>(options.is_deterministic ? layout.shape.decode_rows
                                                                      : layout.shape.batch_rows);
  for (std::size_t at = 0; at < wanted.size(); at += each) {
    const auto part = wanted.subspan(at, std::min(each, wanted.size() - at));
    std::vector<std::int64_t> rows;
    for (const WantedRow& row : part) rows.push_back(row.row);
    FACET_TRY_STATUS(forward->prompt_logits(rows));
    std::vector<WantedRow> there(part.begin(), part.end());
    for (std::size_t i = 0; i < there.size(); ++i) there[i].row = static_cast<std::int64_t>(i);
    if (wants_candidates(there)) {
      FACET_TRY_STATUS(candidates->fill(candidates_of(there, std::ssize(there)), *work));
      FACET_TRY_STATUS(find(std::ssize(there), false));
    }
    FACET_TRY_STATUS(read_rows(there));
  }
  return wanted.empty() ? work->queue.wait() : ok();
}

std::vector<NextChoice> CudaBackend::Parts::choices(std::span<const ItemRow> items,
                                                    const Pass& pass) {
  if (!options.runs_ahead || pass.kind == PassKind::prompt || pass.has_image) return {};
  std::vector<NextChoice> out = choices_of(items, pass.rows);
  if (out.empty() || !pause.is_over()) return {};
  const bool has_room = reserve_ahead(items, layout.shape.page_pointers, pages->free_bytes());
  return has_room ? out : std::vector<NextChoice>();
}

/// Behind a step whose candidates are found: hands them over. With `choices`, one for each row of
/// it, the device begins the next step before the host waits for this one.
Status CudaBackend::Parts::finish(const Pass& pass,
                                  std::span<const WantedRow> wanted,
                                  std::span<const NextChoice> choices) {
  if (choices.empty()) return wanted.empty() ? work->queue.wait() : read_rows(wanted);
  // Copies that the host prepares come before the mark: at the next one they are done.
  FACET_TRY_STATUS(tables->feed(pass.kind, choices, candidates->found(), *work));
  FACET_TRY_STATUS(candidates->enqueue_read(choices.size(), *work));
  FACET_TRY_STATUS(work->queue.set(read));
  StepAhead next{.pass = {.rows = pass.rows, .launch_rows = pass.launch_rows, .kind = pass.kind},
                 .number = std::exchange(next_number, next_number + choices.size())};
  FACET_TRY_STATUS(replay(next.pass, StepEnd::logits));
  ++stats.begun;
  FACET_TRY_STATUS(read.wait());
  candidates->take(candidates_of(wanted, pass.rows));
  for (std::size_t i = 0; i < choices.size(); ++i) next.ids.push_back(candidates->next(i));
  ahead = std::move(next);
  return ok();
}

/// What `items` want of a step that is under way.
Status CudaBackend::Parts::run_begun(const StepAhead& step,
                                     std::span<const ItemRow> items,
                                     std::span<const NextChoice> choices) {
  ++stats.passes;
  ++stats.taken;
  std::vector<WantedRow> wanted;
  for (const auto& [item, row] : items) {
    WantedRow want{.row = row};
    if (!item->logits.empty()) want.logits = item->logits.data();
    if (!item->candidates.empty()) want.candidates = item->candidates.data();
    if (want.logits != nullptr || want.candidates != nullptr) wanted.push_back(want);
  }
  std::sort(wanted.begin(), wanted.end(), [](const WantedRow& a, const WantedRow& b) {
    return a.row < b.row;
  });
  if (wants_candidates(wanted)) {
    const std::int64_t rows = step.pass.launch_rows;
    FACET_TRY_STATUS(candidates->fill(candidates_of(wanted, rows), *work));
    FACET_TRY_STATUS(find(rows, false));
  }
  if (!choices.empty()) {
    Pass pass = step.pass;
    pass.slices = slices_of(items);
    pass.tokens_ahead = 1;
    FACET_TRY_STATUS(tables->fill_pages(pass, *work));
  }
  return finish(step.pass, wanted, choices);
}

Status CudaBackend::Parts::run(const Pass& pass, std::span<const NextChoice> choices) {
  ++stats.passes;
  FACET_TRY_STATUS(tables->fill(pass, nullptr, forward->tile_tokens(), *work));
  const std::vector<WantedRow> wanted = wanted_rows(pass, config.vocabulary);
  if (pass.kind == PassKind::prompt) return run_prompt(pass, wanted);
  const StepEnd end = end_of(wanted);
  if (end == StepEnd::candidates) {
    // Every row that is launched is looked for, so every one must say what it wants.
    FACET_TRY_STATUS(candidates->fill(candidates_of(wanted, pass.launch_rows), *work));
  }
  FACET_TRY_STATUS(replay(pass, end));
  return finish(pass, wanted, choices);
}

Status CudaBackend::step(std::span<const StepItem> items) {
  FACET_CHECK(!items.empty());
  Parts& p = *parts_;
  FACET_CHECK(!p.config.is_embedder);
  const std::lock_guard lock(p.work->mutex);
  FACET_TRY_STATUS(p.work->begin());
  const std::int64_t hidden = p.config.hidden;
  const PassLimits limits{.rows_max = p.layout.shape.rows,
                          .batch_rows_max = p.layout.shape.batch_rows,
                          .page_pointers_max = p.layout.shape.page_pointers,
                          .hidden = hidden,
                          .is_deterministic = p.options.is_deterministic};
  for (const StepItem& item : items) {
    FACET_CHECK(item.cache != nullptr && tokens_of(item, hidden) > 0);
    FACET_TRY_STATUS(item.cache->reserve(tokens_of(item, hidden)));
  }
  // Whatever comes now, a step that nobody asks for is of no use later.
  const std::optional<StepAhead> begun = std::exchange(p.ahead, std::nullopt);
  auto [there, rest] = take_items(begun, items);
  if (begun) p.pause.note(!there.empty());
  FACET_TRY(std::vector<Pass> passes, cut_into_passes(rest, limits));
  const bool may_go_on = passes.size() + (there.empty() ? 0 : 1) == 1;
  if (!there.empty()) {
    const auto choices = may_go_on ? p.choices(there, begun->pass) : std::vector<NextChoice>();
    FACET_TRY_STATUS(p.work->noted(p.run_begun(*begun, there, choices)));
  }
  for (Pass& pass : passes) {
    std::vector<ItemRow> rows;
    for (const Slice& slice : pass.slices) rows.push_back({.item = slice.item, .row = slice.row});
    const auto choices = may_go_on ? p.choices(rows, pass) : std::vector<NextChoice>();
    pass.tokens_ahead = choices.empty() ? 0 : 1;
    FACET_TRY_STATUS(p.work->noted(p.run(pass, choices)));
    if (p.ahead) there = std::move(rows);
  }
  for (const StepItem& item : items) item.cache->commit(tokens_of(item, hidden));
  if (!p.ahead) return ok();
  for (const auto& [item, row] : there) {
    item->cache->set_ahead(p.ahead->number + static_cast<std::uint64_t>(row));
  }
  return ok();
}

Status CudaBackend::Parts::pool_text(const Pass& pass,
                                     const KvCache& cache,
                                     std::vector<float>& out) {
  ++stats.passes;
  FACET_TRY_STATUS(tables->fill(pass, &cache, forward->tile_tokens(), *work));
  FACET_TRY_STATUS(forward->embed_tokens(pass));
  FACET_TRY_STATUS(forward->prompt_layers(pass.rows));
  FACET_TRY_STATUS(forward->pool_rows(pass.rows));
  out.resize(static_cast<std::size_t>(config.hidden));
  FACET_TRY_STATUS(
      work->queue.copy_to_host(out.data(), forward->pooled(), out.size() * sizeof(float)));
  return work->queue.wait();
}

Result<std::vector<float>> CudaBackend::Parts::dense(const PackedMatrix& w,
                                                     std::span<const float> x) {
  const std::int64_t wide = std::max(layout.shape.hidden, layout.shape.dense);
  float* const on_device = forward->pooled();
  FACET_TRY_STATUS(work->queue.copy_to_device(on_device, x.data(), x.size_bytes()));
  FACET_TRY_STATUS(forward->dense(w, on_device, on_device + wide));
  const auto parts = static_cast<std::size_t>(multiply_parts(w, 1));
  const auto rows = static_cast<std::size_t>(w.rows);
  std::vector<float> sums(parts * rows);
  FACET_TRY_STATUS(
      work->queue.copy_to_host(sums.data(), on_device + wide, sums.size() * sizeof(float)));
  FACET_TRY_STATUS(work->queue.wait());
  for (std::size_t i = rows; i < sums.size(); ++i) sums[i % rows] += sums[i];
  sums.resize(rows);
  return sums;
}

Result<std::vector<float>> CudaBackend::embed(std::span<const TokenId> ids) {
  Parts& p = *parts_;
  FACET_CHECK(!ids.empty() && p.config.is_embedder);
  const std::lock_guard lock(p.work->mutex);
  FACET_TRY_STATUS(p.work->begin());
  const std::int64_t tokens = std::ssize(ids);
  if (tokens > p.layout.shape.rows) {
    return Error{Code::limit_exceeded,
                 std::to_string(tokens) + " tokens do not fit the " +
                     std::to_string(p.layout.shape.rows) + " of one pass"};
  }
  // Nothing is appended later, so all layers take turns with the pages of the widest one.
  const auto widest = std::max_element(
      p.config.layers.begin(), p.config.layers.end(), [](const auto& a, const auto& b) {
        return a.kv_heads * a.head_dim < b.kv_heads * b.head_dim;
      });
  KvCache cache(std::span(&*widest, 1), p.options.plan.kv_type, page_memory());
  FACET_TRY_STATUS(cache.reserve(tokens));
  const StepItem item{.cache = &cache, .ids = ids};
  const Pass pass{.slices = {{.item = &item, .tokens = tokens, .is_last = true, .sees_all = true}},
                  .rows = tokens,
                  .launch_rows = tokens};
  std::vector<float> out;
  FACET_TRY_STATUS(p.work->noted(p.pool_text(pass, cache, out)));
  for (const PackedMatrix* w : {&p.weights.dense2, &p.weights.dense3}) {
    if (w->data == nullptr) continue;
    auto next = p.dense(*w, out);
    if (!next) return p.work->noted(next.error()).error();
    out = *std::move(next);
  }
  l2_normalize(out.data(), std::ssize(out));
  return out;
}

CandidateLimits CudaBackend::candidate_limits() const {
  return kCandidateLimits;
}
bool CudaBackend::has_vision() const {
  return parts_->vision.has_value();
}
Result<std::vector<float>> CudaBackend::encode_image(std::span<const float> pixels) {
  Parts& p = *parts_;
  FACET_CHECK(p.vision.has_value());
  const std::lock_guard lock(p.work->mutex);
  FACET_TRY_STATUS(p.work->begin());
  auto out = p.vision->encode(pixels);
  if (!out) return p.work->noted(out.error()).error();
  return out;
}
PageMemory& CudaBackend::page_memory() {
  return *parts_->pages;
}
const DeviceInfo& CudaBackend::device() const {
  return parts_->device;
}
const MemoryPlan& CudaBackend::plan() const {
  return parts_->plan;
}
BackendStats CudaBackend::stats() const {
  const std::lock_guard lock(parts_->work->mutex);
  return parts_->stats;
}
std::int64_t CudaBackend::free_page_bytes() const {
  return parts_->pages->free_bytes();
}

}  // namespace facet::engine::cuda
