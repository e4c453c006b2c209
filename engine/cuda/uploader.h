// Uploader: weights on their way from a file's views to device memory.
#pragma once

#include "base/result.h"
#include "engine/cpu/thread_pool.h"
#include "engine/cuda/device_work.h"
#include "engine/cuda/matrix.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace facet::engine::cuda {

/// Puts one thing after the other into a piece of device memory, each at a multiple of
/// kPieceAlignment, through a stage that is emptied when it is full. Borrows pool and work, whose
/// mutex must be held. Not thread-safe.
class Uploader {
 public:
  /// `made_rows` above 0, for benchmarks: of each matrix only so many rows are read (a multiple of
  /// kPanelRows, at most 32 MiB of them), and the device repeats them to its end.
  static Result<Uploader> create(std::byte* to,
                                 ThreadPool& pool,
                                 DeviceWork& work,
                                 std::int64_t made_rows = 0);

  /// `layout` as repack takes it.
  Result<PackedMatrix> matrix(const TensorView& from, Layout layout);
  /// REQUIRES: at most 32 MiB.
  Result<const float*> vector(std::span<const float> from);
  /// Waits until all is there.
  Status finish();

 private:
  Uploader(std::byte* to, ThreadPool& pool, DeviceWork& work, std::int64_t made_rows)
      : to_(to), pool_(&pool), work_(&work), made_rows_(made_rows) {}

  /// Memory that no copy reads any more.
  Result<std::byte*> next_stage(std::int64_t bytes);
  /// Rows [begin, end) of a matrix, repacked as a matrix of their own.
  Status stripe(const TensorView& from, Layout layout, std::int64_t begin, std::int64_t end);
  /// Fills [at, at + all) with what its first `made` bytes are.
  Status repeat(std::byte* at, std::int64_t made, std::int64_t all);

  std::byte* to_;
  ThreadPool* pool_;
  DeviceWork* work_;
  std::int64_t made_rows_;
  PinnedBuffer stage_;
  std::int64_t used_ = 0;
};

}  // namespace facet::engine::cuda
