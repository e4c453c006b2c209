// DeviceWork: the one queue of a backend, what holds its memory, and the error that ended it.
#pragma once

#include "base/result.h"
#include "engine/cuda/device.h"

#include <mutex>
#include <optional>

namespace facet::engine::cuda {

/// Shared by a backend and its page memory. Hold `mutex` to enqueue: steps and copies of pages come
/// from any thread, and nothing may come between the launches of a recording.
struct DeviceWork {
  int device = 0;
  WorkQueue queue;
  std::recursive_mutex mutex;
  std::optional<Error> failure;  ///< Guarded by mutex. Set once; nothing works afterwards.

  /// Makes the calling thread speak to the device; the failure, where there is one. Called with the
  /// mutex held.
  Status begin() {
    if (failure) return *failure;
    return noted(use_device(device));
  }
  /// The status, which ends everything where it is an error.
  Status noted(const Status& status) {
    if (!status && !failure) {
      failure = status.error().with_context("the device failed, load the model again");
    }
    return status ? status : Status(*failure);
  }
};

}  // namespace facet::engine::cuda
