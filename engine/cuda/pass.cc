#include "engine/cuda/pass.h"

#include "base/check.h"
#include "engine/cuda/decode.h"
#include "engine/cuda/feed.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace facet::engine::cuda {
namespace {

/// Puts slices into passes that have room for them.
class Cutter {
 public:
  explicit Cutter(const PassLimits& limits) : limits_(limits) {}

  void add(const StepItem& item, std::int64_t tokens) {
    const bool is_text = !item.ids.empty();
    const std::int64_t pointers = page_pointers(*item.cache, tokens);
    for (std::int64_t begin = 0; begin < tokens;) {
      const std::int64_t rows = rows_max(is_text);
      if (!has_room(is_text, is_text ? 1 : tokens, rows, pointers)) open(is_text);
      Pass& pass = passes_.back();
      const std::int64_t count = std::min(tokens - begin, rows - pass.rows);
      pass.slices.push_back({.item = &item,
                             .begin = begin,
                             .tokens = count,
                             .row = pass.rows,
                             .position = item.cache->size() + begin,
                             .is_last = begin + count == tokens,
                             .sees_all = !is_text});
      pass.rows += count;
      pass.has_image = pass.has_image || !is_text;
      pointers_ += pointers;
      begin += count;
    }
  }

  std::vector<Pass> finish() {
    for (Pass& pass : passes_) {
      pass.kind = kind_of(pass);
      pass.launch_rows = pass.rows;
      if (pass.kind != PassKind::batch) continue;
      const std::int64_t steps = (pass.rows + kBatchRowsStep - 1) / kBatchRowsStep;
      pass.launch_rows = std::min(steps * kBatchRowsStep, limits_.batch_rows_max);
    }
    return std::move(passes_);
  }

 private:
  [[nodiscard]] PassKind kind_of(const Pass& pass) const {
    if (pass.rows <= kDecodeRowsMax) {
      const bool is_lone_image = limits_.is_deterministic && pass.has_image;
      return is_lone_image ? PassKind::prompt : PassKind::decode;
    }
    const bool has_few_each =
        std::all_of(pass.slices.begin(), pass.slices.end(), [](const Slice& slice) {
          return slice.tokens <= kBatchItemRowsMax;
        });
    const bool is_batch = has_few_each && !pass.has_image && pass.rows <= limits_.batch_rows_max;
    return is_batch ? PassKind::batch : PassKind::prompt;
  }
  [[nodiscard]] bool has_room(bool is_text,
                              std::int64_t tokens,
                              std::int64_t rows,
                              std::int64_t pointers) const {
    if (passes_.empty() || is_text_ != is_text_pass(is_text)) return false;
    return passes_.back().rows + tokens <= rows &&
           pointers_ + pointers <= limits_.page_pointers_max &&
           passes_.back().slices.size() < kSequencesMax;
  }
  /// Text and images share passes unless bits must not depend on company.
  [[nodiscard]] bool is_text_pass(bool is_text) const {
    return is_text || !limits_.is_deterministic;
  }
  [[nodiscard]] std::int64_t rows_max(bool is_text) const {
    return limits_.is_deterministic && is_text
               ? std::min<std::int64_t>(kDecodeRowsMax, limits_.rows_max)
               : limits_.rows_max;
  }
  void open(bool is_text) {
    passes_.emplace_back();
    pointers_ = 0;
    is_text_ = is_text_pass(is_text);
  }

  const PassLimits& limits_;
  std::vector<Pass> passes_;
  std::int64_t pointers_ = 0;
  bool is_text_ = true;
};

}  // namespace

std::int64_t tokens_of(const StepItem& item, std::int64_t hidden) {
  return item.ids.empty() ? std::ssize(item.image_rows) / hidden : std::ssize(item.ids);
}

std::int64_t page_pointers(const KvCache& cache, std::int64_t tokens) {
  const std::int64_t end = (cache.size() + tokens + kPageTokens - 1) / kPageTokens;
  std::int64_t out = 0;
  for (std::size_t l = 0; l < cache.layers(); ++l) out += end - cache.first_held(l) / kPageTokens;
  return out;
}

Result<std::vector<Pass>> cut_into_passes(std::span<const StepItem> items,
                                          const PassLimits& limits) {
  Cutter cutter(limits);
  for (const StepItem& item : items) {
    const std::int64_t tokens = tokens_of(item, limits.hidden);
    if (item.ids.empty() && tokens > limits.rows_max) {
      return Error{Code::invalid_argument,
                   "an image of " + std::to_string(tokens) + " tokens; a pass on this device has " +
                       std::to_string(limits.rows_max)};
    }
    cutter.add(item, tokens);
  }
  return cutter.finish();
}

Result<PassTables> PassTables::create(const WorkspaceLayout& layout, std::byte* base) {
  PassTables out(layout, base);
  FACET_TRY(out.inputs_, PinnedBuffer::allocate(static_cast<std::size_t>(layout.prompt.all.bytes)));
  const std::int64_t tables =
      layout.pointers.offset + layout.pointers.bytes - layout.sequences.offset;
  FACET_TRY(out.tables_, PinnedBuffer::allocate(static_cast<std::size_t>(tables)));
  return out;
}

const SequencePages* PassTables::sequences(std::size_t index) const {
  const auto* first = reinterpret_cast<const SequencePages*>(base_ + layout_->sequences.offset);
  return first + static_cast<std::int64_t>(index) * stride_;
}

void PassTables::fill_tiles(const Slice& slice, std::int32_t sequence, int tile_tokens) {
  auto* tiles = reinterpret_cast<AttentionTile*>(
      inputs_.data() + (layout_->prompt.tiles.offset - layout_->prompt.all.offset));
  for (std::int64_t t = 0; t < slice.tokens; t += tile_tokens) {
    const std::int64_t rows = std::min<std::int64_t>(tile_tokens, slice.tokens - t);
    const std::int64_t end = slice.position + (slice.sees_all ? slice.tokens : t + rows);
    tiles[tiles_++] = {.row = static_cast<std::int32_t>(slice.row + t),
                       .rows = static_cast<std::int32_t>(rows),
                       .sequence = sequence,
                       .position = static_cast<std::int32_t>(slice.position + t),
                       .end_max = static_cast<std::int32_t>(end)};
  }
}

void PassTables::fill_rows(const Pass& pass, int tile_tokens) {
  const InputPlaces& places = layout_->inputs_of(pass.kind);
  const auto numbers = [&](const Place& place) {
    return reinterpret_cast<std::int32_t*>(inputs_.data() + (place.offset - places.all.offset));
  };
  std::int32_t* const ids = numbers(places.ids);
  std::int32_t* const position = numbers(places.position);
  std::int32_t* const end = numbers(places.end);
  std::int32_t* const sequence = numbers(places.sequence);
  tiles_ = 0;
  for (std::size_t s = 0; s < pass.slices.size(); ++s) {
    const Slice& slice = pass.slices[s];
    for (std::int64_t t = 0; t < slice.tokens; ++t) {
      const std::int64_t row = slice.row + t;
      const std::int64_t last = slice.sees_all ? slice.tokens - 1 : t;
      ids[row] = slice.is_image() ? 0 : slice.item->ids[static_cast<std::size_t>(slice.begin + t)];
      position[row] = static_cast<std::int32_t>(slice.position + t);
      end[row] = static_cast<std::int32_t>(slice.position + last + 1);
      sequence[row] = static_cast<std::int32_t>(s);
    }
    if (pass.kind == PassKind::prompt) {
      fill_tiles(slice, static_cast<std::int32_t>(s), tile_tokens);
    }
  }
  for (std::int32_t* const column : {ids, position, end, sequence}) {
    std::fill(column + pass.rows, column + pass.launch_rows, 0);
  }
}

void PassTables::list_pages(const Pass& pass, const KvCache* shared) {
  const auto layers = static_cast<std::size_t>(layout_->shape.layers);
  auto* const on_device = reinterpret_cast<std::byte**>(base_ + layout_->pointers.offset);
  // A recording holds where the table of each layer begins.
  stride_ = pass.kind == PassKind::decode  ? kDecodeRowsMax
            : pass.kind == PassKind::batch ? pass.launch_rows
                                           : std::ssize(pass.slices);
  sequences_.assign(layers * static_cast<std::size_t>(stride_), {});
  pointers_.clear();
  for (std::size_t l = 0; l < layers; ++l) {
    for (std::size_t s = 0; s < pass.slices.size(); ++s) {
      const Slice& slice = pass.slices[s];
      const KvCache& cache = shared != nullptr ? *shared : *slice.item->cache;
      const KvPages pages = cache.pages(shared != nullptr ? 0 : l);
      const std::int64_t last = slice.position + slice.tokens + pass.tokens_ahead;
      const std::int64_t end = (last + kPageTokens - 1) / kPageTokens;
      sequences_[l * static_cast<std::size_t>(stride_) + s] = {
          .pages = on_device + pointers_.size(), .first_page = pages.first_page};
      pointers_.insert(pointers_.end(), pages.pages, pages.pages + (end - pages.first_page));
      // The layers of an embedder take turns with one set of pages.
      if (shared != nullptr && l > 0) {
        sequences_[l * static_cast<std::size_t>(stride_) + s] = sequences_[s];
        pointers_.resize(pointers_.size() - static_cast<std::size_t>(end - pages.first_page));
      }
    }
  }
}

Status PassTables::update(std::span<const std::byte> bytes,
                          const Place& place,
                          std::int64_t& known,
                          DeviceWork& work) {
  FACET_CHECK(std::ssize(bytes) <= place.bytes);
  std::byte* const mirror = tables_.data() + (place.offset - layout_->sequences.offset);
  const bool is_there =
      std::ssize(bytes) <= known && std::memcmp(mirror, bytes.data(), bytes.size()) == 0;
  if (is_there) return ok();
  std::memcpy(mirror, bytes.data(), bytes.size());
  known = std::ssize(bytes);
  return work.queue.copy_to_device(base_ + place.offset, mirror, bytes.size());
}

Status PassTables::fill(const Pass& pass,
                        const KvCache* shared,
                        int tile_tokens,
                        DeviceWork& work) {
  fill_rows(pass, tile_tokens);
  list_pages(pass, shared);
  const Place& all = layout_->inputs_of(pass.kind).all;
  FACET_TRY_STATUS(work.queue.copy_to_device(
      base_ + all.offset, inputs_.data(), static_cast<std::size_t>(all.bytes)));
  return update_pages(work);
}

Status PassTables::update_pages(DeviceWork& work) {
  FACET_TRY_STATUS(
      update(std::as_bytes(std::span(sequences_)), layout_->sequences, known_sequences_, work));
  return update(std::as_bytes(std::span(pointers_)), layout_->pointers, known_pointers_, work);
}

Status PassTables::fill_pages(const Pass& pass, DeviceWork& work) {
  list_pages(pass, nullptr);
  return update_pages(work);
}

Status PassTables::feed(PassKind kind,
                        std::span<const NextChoice> choices,
                        RowFound* found,
                        DeviceWork& work) {
  FACET_CHECK(kind != PassKind::prompt && choices.size() <= kFeedRowsMax);
  const InputPlaces& places = layout_->inputs_of(kind);
  const auto numbers = [&](const Place& place) {
    return reinterpret_cast<std::int32_t*>(base_ + place.offset);
  };
  FeedArgs args{.rows = static_cast<int>(choices.size()),
                .found = found,
                .ids = numbers(places.ids),
                .position = numbers(places.position),
                .end = numbers(places.end)};
  std::copy(choices.begin(), choices.end(), args.choices);
  return feed_rows(args, {.stream = work.queue.handle()});
}

}  // namespace facet::engine::cuda
