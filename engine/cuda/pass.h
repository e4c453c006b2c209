// One pass as the host prepares it: which rows of which items it has, and the tables by which the
// kernels find tokens, positions and pages.
#pragma once

#include "base/result.h"
#include "engine/backend.h"
#include "engine/cuda/device_work.h"
#include "engine/cuda/workspace.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine::cuda {

/// Tokens [begin, begin + tokens) of an item that follow each other in its sequence.
struct Slice {
  const StepItem* item = nullptr;
  std::int64_t begin = 0;
  std::int64_t tokens = 0;
  std::int64_t row = 0;       ///< Of the first token, in the pass.
  std::int64_t position = 0;  ///< Of the first token, in the sequence.
  bool is_last = false;       ///< The item ends here.
  bool sees_all = false;      ///< Its tokens see each other in both directions.
  [[nodiscard]] bool is_image() const { return item->ids.empty(); }
};

struct Pass {
  std::vector<Slice> slices;
  std::int64_t rows = 0;
  /// Rows that are launched. Those beyond `rows`, in passes of the batch kind, are padding: token 0
  /// with `end` 0, so that nothing is attended to and no key is written, and nobody reads what
  /// comes of it.
  std::int64_t launch_rows = 0;
  PassKind kind = PassKind::prompt;
  bool has_image = false;
  /// Positions behind each slice whose pages the tables name too; the caches hold these.
  std::int64_t tokens_ahead = 0;
};

/// Rows that one item may have in a pass of the batch kind: a token and what is guessed behind it.
/// More, and reading the keys once for all of them, as prompts do, is worth more.
inline constexpr std::int64_t kBatchItemRowsMax = 16;

struct PassLimits {
  std::int64_t rows_max = 0;
  std::int64_t batch_rows_max = 0;  ///< Of a pass of the batch kind; 0: none is made.
  std::int64_t page_pointers_max = 0;
  std::int64_t hidden = 0;
  /// True: text goes kDecodeRowsMax rows at a time, whoever else is there, so that a sequence's
  /// bits do not depend on how it is cut.
  bool is_deterministic = false;
};

/// Tokens of an item: ids, or rows of an image.
std::int64_t tokens_of(const StepItem& item, std::int64_t hidden);

/// Pointers to pages that a pass of `tokens` more tokens of this cache needs in its tables.
std::int64_t page_pointers(const KvCache& cache, std::int64_t tokens);

/// Cuts `items`, whose caches have room for them, into passes, in order: text where a pass is full,
/// images never. invalid_argument for an image of more than rows_max tokens.
Result<std::vector<Pass>> cut_into_passes(std::span<const StepItem> items,
                                          const PassLimits& limits);

/// What the kernels read about a pass, on its way to the device. Not thread-safe.
class PassTables {
 public:
  /// `base`: the workspace in device memory.
  static Result<PassTables> create(const WorkspaceLayout& layout, std::byte* base);

  /// Enqueues what the pass needs; what is there already is not copied again. The pages are those
  /// of the caches, or for an embedder those of `shared` for every layer. REQUIRES: the queue has
  /// done all copies of earlier passes.
  Status fill(const Pass& pass, const KvCache* shared, int tile_tokens, DeviceWork& work);

  /// The same for the pages alone, where the tokens and positions are there (feed).
  Status fill_pages(const Pass& pass, DeviceWork& work);

  /// The choices among `found` become the tokens of the pass that was filled last (of the decode or
  /// the batch kind, `choices` for its rows), one position further: one launch.
  Status feed(PassKind kind,
              std::span<const NextChoice> choices,
              RowFound* found,
              DeviceWork& work);

  [[nodiscard]] int tiles() const { return tiles_; }
  /// SequencePages of layer `index`.
  [[nodiscard]] const SequencePages* sequences(std::size_t index) const;

 private:
  PassTables(const WorkspaceLayout& layout, std::byte* base) : layout_(&layout), base_(base) {}

  void fill_rows(const Pass& pass, int tile_tokens);
  void fill_tiles(const Slice& slice, std::int32_t sequence, int tile_tokens);
  void list_pages(const Pass& pass, const KvCache* shared);
  Status update_pages(DeviceWork& work);
  /// Copies `bytes` to `place` when the device has others there; `known` of them it has.
  Status update(std::span<const std::byte> bytes,
                const Place& place,
                std::int64_t& known,
                DeviceWork& work);

  const WorkspaceLayout* layout_;  // Outlives it.
  std::byte* base_;
  PinnedBuffer inputs_;  ///< As InputPlaces::all of the pass's kind.
  PinnedBuffer tables_;  ///< As sequences and pointers, which follow each other.
  int tiles_ = 0;
  std::int64_t stride_ = 0;  ///< Sequences of a layer's table.
  std::vector<SequencePages> sequences_;
  std::vector<std::byte*> pointers_;
  std::int64_t known_sequences_ = 0;  ///< Bytes of tables_ that the device has, from its beginning,
  std::int64_t known_pointers_ = 0;   ///< and from the pointers' beginning.
};

}  // namespace facet::engine::cuda
