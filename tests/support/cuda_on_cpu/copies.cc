// Device and pinned memory, copies and fills.
#include "tests/support/cuda_on_cpu/cuda_runtime.h"
#include "tests/support/cuda_on_cpu/runtime.h"

#include <cstdlib>
#include <cstring>

using cuda_on_cpu::call;
using cuda_on_cpu::enqueue;
using cuda_on_cpu::refuse_in_capture;
using cuda_on_cpu::Runtime;
using cuda_on_cpu::runtime;

namespace {

bool is_pinned(const Runtime& r, const void* at, std::size_t bytes) {
  const auto* address = static_cast<const std::byte*>(at);
  for (const auto& [begin, length] : r.pinned) {
    const auto* first = static_cast<const std::byte*>(begin);
    if (address >= first && address + bytes <= first + length) return true;
  }
  return false;
}

/// That both ends are where `kind` says, and there.
cudaError_t check_copy(
    const Runtime& r, const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = r.memory->is_device(to);
  const bool from_device = r.memory->is_device(from);
  if (to_device && !r.memory->holds(to, bytes)) return cudaErrorInvalidValue;
  if (from_device && !r.memory->holds(from, bytes)) return cudaErrorInvalidValue;
  const bool is_right = kind == cudaMemcpyDefault ||
                        (kind == cudaMemcpyHostToDevice && to_device && !from_device) ||
                        (kind == cudaMemcpyDeviceToHost && !to_device && from_device) ||
                        (kind == cudaMemcpyDeviceToDevice && to_device && from_device) ||
                        (kind == cudaMemcpyHostToHost && !to_device && !from_device);
  return is_right ? cudaSuccess : cudaErrorInvalidValue;
}

/// Waits for the null stream and what it waits for.
cudaError_t drain_null(Runtime& r) {
  cuda_on_cpu::drain(r, r.null_stream);
  for (cuda_on_cpu::Stream* stream : r.streams) {
    if (stream->is_blocking) cuda_on_cpu::drain(r, *stream);
  }
  ++r.counts.synchronisations;
  return r.sticky;
}

}  // namespace

cudaError_t cudaMalloc(void** to, std::size_t bytes) {
  return call("cudaMalloc", [&](Runtime& r) {
    if (const cudaError_t error = refuse_in_capture(r)) return error;
    *to = bytes == 0 ? nullptr : r.memory->allocate(bytes);
    if (bytes > 0 && *to == nullptr) return cudaErrorMemoryAllocation;
    if (bytes > 0) ++r.counts.allocations;
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* at) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (at == nullptr) return r.sticky;
  if (const cudaError_t error = refuse_in_capture(r)) return error;
  cuda_on_cpu::drain_all(r);
  const bool was_there = r.memory->free(at);  // After a sticky error too.
  if (!was_there) r.last = cudaErrorInvalidValue;
  return was_there ? r.sticky : cudaErrorInvalidValue;
}

cudaError_t cudaMallocHost(void** to, std::size_t bytes) {
  return call("cudaMallocHost", [&](Runtime& r) {
    if (const cudaError_t error = refuse_in_capture(r)) return error;
    *to = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    if (*to == nullptr) return cudaErrorMemoryAllocation;
    std::memset(*to, 0xFF, bytes);
    r.pinned[*to] = bytes;
    return cudaSuccess;
  });
}

cudaError_t cudaFreeHost(void* at) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (at == nullptr) return r.sticky;
  cuda_on_cpu::drain_all(r);
  if (r.pinned.erase(at) == 0) return cudaErrorInvalidValue;
  std::free(at);
  return r.sticky;
}

cudaError_t cudaMemcpyAsync(
    void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return call("cudaMemcpyAsync", [&](Runtime& r) -> cudaError_t {
    if (bytes == 0) return cudaSuccess;
    if (const cudaError_t error = check_copy(r, to, from, bytes, kind)) return error;
    if (!r.memory->is_device(to)) r.counts.bytes_to_host += bytes;
    const bool is_pageable = (!r.memory->is_device(to) && !is_pinned(r, to, bytes)) ||
                             (!r.memory->is_device(from) && !is_pinned(r, from, bytes));
    if (is_pageable) {
      // Ordinary memory goes through a copy that the driver makes before it returns.
      const cuda_on_cpu::Stream& on = stream == nullptr ? r.null_stream : *stream;
      if (on.capture != nullptr) return refuse_in_capture(r);
      if (r.memory->is_device(to)) {
        const auto* begin = static_cast<const std::byte*>(from);
        auto staged = std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
        return enqueue(r, stream, {[to, staged] {
                         std::memcpy(to, staged->data(), staged->size());
                         return std::string();
                       }});
      }
    }
    const cudaError_t error = enqueue(r, stream, {[to, from, bytes] {
                                        std::memcpy(to, from, bytes);
                                        return std::string();
                                      }});
    if (is_pageable) cuda_on_cpu::drain(r, stream == nullptr ? r.null_stream : *stream);
    return error;
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return call("cudaMemcpy", [&](Runtime& r) -> cudaError_t {
    if (const cudaError_t error = refuse_in_capture(r)) return error;
    if (const cudaError_t error = drain_null(r)) return error;
    if (bytes == 0) return cudaSuccess;
    if (const cudaError_t error = check_copy(r, to, from, bytes, kind)) return error;
    if (r.memory->is_device(to) && !r.memory->is_device(from) && !is_pinned(r, from, bytes)) {
      // Ordinary memory may still be on its way when the call returns: streams that do not wait for
      // the null stream must not count on it.
      const auto* begin = static_cast<const std::byte*>(from);
      auto staged = std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
      return enqueue(r, nullptr, {[to, staged] {
                       std::memcpy(to, staged->data(), staged->size());
                       return std::string();
                     }});
    }
    r.memory->open();
    std::memcpy(to, from, bytes);
    r.memory->close();
    return cudaSuccess;
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return call("cudaMemsetAsync", [&](Runtime& r) -> cudaError_t {
    if (bytes == 0) return cudaSuccess;
    if (!r.memory->holds(to, bytes)) return cudaErrorInvalidValue;
    return enqueue(r, stream, {[to, value, bytes] {
                     std::memset(to, value, bytes);
                     return std::string();
                   }});
  });
}

cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  const cudaError_t error = cudaMemsetAsync(to, value, bytes, nullptr);
  if (error != cudaSuccess) return error;
  return call("cudaMemset", [&](Runtime& r) { return drain_null(r); });
}
