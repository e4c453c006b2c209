#include "engine/cuda/device_limits.h"

#include "engine/cuda/device.h"

#include <algorithm>
#include <chrono>

namespace facet::engine::cuda {
namespace {

constexpr int kRuns = 5;
constexpr int kCopiesOfRun = 16;

}  // namespace

Result<DeviceLimits> measure_device_limits(int index, std::size_t buffer_bytes) {
  FACET_TRY_STATUS(open_device(index));
  FACET_TRY(const DeviceBuffer from, DeviceBuffer::allocate(buffer_bytes));
  FACET_TRY(const DeviceBuffer to, DeviceBuffer::allocate(buffer_bytes));
  FACET_TRY(WorkQueue queue, WorkQueue::create());
  // Never written memory may be served faster than memory: fill it. This warms up, too.
  FACET_TRY_STATUS(queue.fill(from.data(), 0x5A, buffer_bytes));
  FACET_TRY_STATUS(queue.copy_on_device(to.data(), from.data(), buffer_bytes));
  FACET_TRY_STATUS(queue.wait());
  DeviceLimits out;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    for (int copy = 0; copy < kCopiesOfRun; ++copy) {
      FACET_TRY_STATUS(queue.copy_on_device(to.data(), from.data(), buffer_bytes));
    }
    FACET_TRY_STATUS(queue.wait());
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    const double bytes = 2.0 * kCopiesOfRun * static_cast<double>(buffer_bytes);
    out.copy_gb_per_s = std::max(out.copy_gb_per_s, bytes / spent.count() * 1e-9);
  }
  return out;
}

}  // namespace facet::engine::cuda
