// CUDA devices and what is asked of them, as values; no CUDA header needed to use them.
//
// Errors are unavailable, with what to do: no driver, one that is too old, no device, an index that
// is not there, a device that is busy, too old or not among those that this build has kernels for.
// After an error inside a kernel everything on the device fails; that cannot be mended within the
// process.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace facet::engine::cuda {

struct DeviceInfo {
  int index = 0;
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t free_bytes = 0;  ///< When asked; others may take them.
};

/// The devices of this machine; an error where there is no driver that serves, empty never.
Result<std::vector<DeviceInfo>> list_devices();

/// Makes device `index` the one that the calling thread speaks to, after checking that it exists,
/// answers, and has kernels in this build.
Result<DeviceInfo> open_device(int index);

/// The same for a device that has been opened before, by a thread of its own.
Status use_device(int index);

/// Owns device memory; move-only. Not thread-safe.
class DeviceBuffer {
 public:
  /// unavailable when the device has no room; the message names the bytes.
  static Result<DeviceBuffer> allocate(std::size_t bytes);

  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer();

  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  DeviceBuffer(void* data, std::size_t size) : data_(data), size_(size) {}

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Owns host memory that the device copies from and to by itself; move-only.
class PinnedBuffer {
 public:
  static Result<PinnedBuffer> allocate(std::size_t bytes);

  PinnedBuffer() = default;
  PinnedBuffer(PinnedBuffer&& other) noexcept;
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept;
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;
  ~PinnedBuffer();

  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  PinnedBuffer(void* data, std::size_t size) : data_(data), size_(size) {}

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A place in a queue that the host can wait for; move-only. Not thread-safe.
class QueueMark {
 public:
  static Result<QueueMark> create();

  QueueMark() = default;
  QueueMark(QueueMark&& other) noexcept;
  QueueMark& operator=(QueueMark&& other) noexcept;
  QueueMark(const QueueMark&) = delete;
  QueueMark& operator=(const QueueMark&) = delete;
  ~QueueMark();

  /// Waits for all that stood before the place where it was set last; what comes later goes on. The
  /// first error so far, which stays.
  Status wait() const;

 private:
  friend class WorkQueue;
  explicit QueueMark(void* event) : event_(event) {}
  void* event_ = nullptr;
};

/// A queue of work on the device, done in order; move-only. Not thread-safe.
class WorkQueue {
 public:
  static Result<WorkQueue> create();

  WorkQueue() = default;
  WorkQueue(WorkQueue&& other) noexcept;
  WorkQueue& operator=(WorkQueue&& other) noexcept;
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;
  ~WorkQueue();

  /// A cudaStream_t, as the launchers take it.
  [[nodiscard]] void* handle() const { return stream_; }

  /// Enqueued copies and fills. Host memory must stay as it is until they are done.
  Status copy_to_device(void* to, const void* host, std::size_t bytes);
  Status copy_to_host(void* host, const void* from, std::size_t bytes);
  Status copy_on_device(void* to, const void* from, std::size_t bytes);
  Status fill(void* to, int byte, std::size_t bytes);

  /// Sets the mark behind what was enqueued so far.
  Status set(const QueueMark& mark);
  /// Waits for all that was enqueued; the first error among it, which stays.
  Status wait();

 private:
  explicit WorkQueue(void* stream) : stream_(stream) {}
  void* stream_ = nullptr;
};

/// Work recorded once and enqueued as one launch; move-only.
class RecordedWork {
 public:
  /// What `enqueue` puts into `queue` is recorded and not done. An error of `enqueue` is handed on.
  static Result<RecordedWork> record(WorkQueue& queue, const std::function<Status()>& enqueue);

  RecordedWork(RecordedWork&& other) noexcept;
  RecordedWork& operator=(RecordedWork&& other) noexcept;
  RecordedWork(const RecordedWork&) = delete;
  RecordedWork& operator=(const RecordedWork&) = delete;
  ~RecordedWork();

  Status enqueue(WorkQueue& queue) const;

 private:
  explicit RecordedWork(void* graph) : graph_(graph) {}
  void* graph_ = nullptr;
};

}  // namespace facet::engine::cuda
