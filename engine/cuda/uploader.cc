#include "engine/cuda/uploader.h"

#include "base/check.h"
#include "engine/cuda/workspace.h"

#include <algorithm>
#include <cstring>

namespace facet::engine::cuda {
namespace {

/// Bytes that are repacked before they are copied.
constexpr std::int64_t kStageBytes = std::int64_t{32} << 20;

/// Rows that one thread repacks at a time.
constexpr std::int64_t kRowsEach = 4 * kPanelRows;

/// Bytes of `rows` rows, a multiple of kPanelRows or all, without what follows the last one.
std::int64_t rows_bytes(Layout layout, std::int64_t rows, std::int64_t cols) {
  const std::int64_t bytes = matrix_bytes(layout, rows, cols);
  return layout == Layout::fp8 ? bytes - 4 * rows : bytes;
}

}  // namespace

Result<Uploader> Uploader::create(std::byte* to,
                                  ThreadPool& pool,
                                  DeviceWork& work,
                                  std::int64_t made_rows) {
  FACET_CHECK(made_rows >= 0 && made_rows % kPanelRows == 0);
  Uploader out(to, pool, work, made_rows);
  FACET_TRY(out.stage_, PinnedBuffer::allocate(static_cast<std::size_t>(kStageBytes)));
  return out;
}

Result<PackedMatrix> Uploader::matrix(const TensorView& from, Layout layout) {
  const PackedMatrix out{.layout = layout, .rows = from.rows, .cols = from.cols, .data = to_};
  const std::int64_t row_bytes = rows_bytes(layout, kPanelRows, from.cols) / kPanelRows;
  const std::int64_t each =
      std::max<std::int64_t>(1, kStageBytes / ((row_bytes + 4) * kPanelRows)) * kPanelRows;
  const bool is_repeated = made_rows_ > 0 && made_rows_ < from.rows;
  const std::int64_t rows = is_repeated ? made_rows_ : from.rows;
  for (std::int64_t begin = 0; begin < rows; begin += each) {
    FACET_TRY_STATUS(stripe(from, layout, begin, std::min(rows, begin + each)));
  }
  if (is_repeated) {
    const std::int64_t all = rows_bytes(layout, from.rows, from.cols);
    FACET_TRY_STATUS(repeat(to_, rows_bytes(layout, rows, from.cols), all));
    if (layout == Layout::fp8) FACET_TRY_STATUS(repeat(to_ + all, 4 * rows, 4 * from.rows));
  }
  to_ += aligned_bytes(matrix_bytes(layout, from.rows, from.cols));
  return out;
}

Result<const float*> Uploader::vector(std::span<const float> from) {
  const auto bytes = static_cast<std::int64_t>(from.size_bytes());
  FACET_CHECK(bytes <= kStageBytes);
  FACET_TRY(std::byte * stage, next_stage(bytes));
  std::memcpy(stage, from.data(), from.size_bytes());
  FACET_TRY_STATUS(work_->queue.copy_to_device(to_, stage, from.size_bytes()));
  const auto* out = reinterpret_cast<const float*>(to_);
  to_ += aligned_bytes(bytes);
  return out;
}

Status Uploader::repeat(std::byte* at, std::int64_t made, std::int64_t all) {
  while (made < all) {
    const std::int64_t more = std::min(made, all - made);
    FACET_TRY_STATUS(work_->queue.copy_on_device(at + made, at, static_cast<std::size_t>(more)));
    made += more;
  }
  return ok();
}

Status Uploader::finish() {
  return work_->queue.wait();
}

Result<std::byte*> Uploader::next_stage(std::int64_t bytes) {
  if (used_ + bytes > kStageBytes) {
    FACET_TRY_STATUS(work_->queue.wait());
    used_ = 0;
  }
  std::byte* const out = stage_.data() + used_;
  used_ += aligned_bytes(bytes);
  return out;
}

Status Uploader::stripe(const TensorView& from,
                        Layout layout,
                        std::int64_t begin,
                        std::int64_t end) {
  const std::int64_t rows = end - begin;
  const TensorView part{
      .type = from.type, .rows = rows, .cols = from.cols, .data = from.row(begin)};
  const std::int64_t bytes = matrix_bytes(layout, rows, from.cols);
  FACET_TRY(std::byte * stage, next_stage(bytes));
  pool_->run((rows + kRowsEach - 1) / kRowsEach, [&](std::int64_t i, int /*worker*/) {
    repack(part, layout, i * kRowsEach, std::min(rows, (i + 1) * kRowsEach), stage);
  });
  const std::int64_t body = rows_bytes(layout, rows, from.cols);
  FACET_TRY_STATUS(work_->queue.copy_to_device(
      to_ + rows_bytes(layout, begin, from.cols), stage, static_cast<std::size_t>(body)));
  if (body == bytes) return ok();
  // The scales of all rows follow the last row.
  std::byte* const scales = to_ + rows_bytes(layout, from.rows, from.cols) + 4 * begin;
  return work_->queue.copy_to_device(scales, stage + body, static_cast<std::size_t>(4 * rows));
}

}  // namespace facet::engine::cuda
