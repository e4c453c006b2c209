// What a CUDA device can do at most, measured: the figure that measured speeds are compared with.
#pragma once

#include "base/result.h"

#include <cstddef>

namespace facet::engine::cuda {

struct DeviceLimits {
  double copy_gb_per_s = 0.0;  ///< Memory, read and written, by a copy on the device.
};

/// Bytes of each of the two buffers that are copied: many times the second-level cache.
inline constexpr std::size_t kLimitsBufferBytes = std::size_t{512} << 20;

/// Copies for about a tenth of a second, the best of several runs. Errors of open_device;
/// unavailable where the two buffers do not fit: measure before a model takes the memory.
Result<DeviceLimits> measure_device_limits(int index,
                                           std::size_t buffer_bytes = kLimitsBufferBytes);

}  // namespace facet::engine::cuda
