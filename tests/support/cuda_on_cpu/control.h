// What a test can set, count and break in the emulated device. All of it goes back to the defaults
// with reset(), which also frees what is left allocated.
#pragma once

#include "tests/support/cuda_on_cpu/cuda_runtime_api.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace cuda_on_cpu {

struct Device {
  int count = 1;
  int major = 9;
  int minor = 0;
  int driver_version = 13000;  ///< 0: no driver.
  std::size_t memory_bytes = std::size_t{1} << 30;
  bool has_kernel_image = true;  ///< False: the program has no kernels for this device.
  /// How it says that: as an invalid device function, as a query of a kernel's attributes may.
  bool says_invalid_function = false;
  bool is_busy = false;  ///< Another process has it for itself.
};

/// Sets the device; drops memory, streams and errors. REQUIRES: nothing of the old one is in use.
void reset(const Device& device = {});

/// The next call of the function of this name returns `error`, after `calls_before` that do not.
void fail_call(const std::string& name, cudaError_t error, int calls_before = 0);
/// The next kernel that runs, after `launches_before` others, ends with `error`, which every later
/// call returns too, until reset().
void break_kernel(cudaError_t error, int launches_before = 0);

/// What went wrong last in a kernel, in words; empty when nothing did.
std::string kernel_failure();

struct Counts {
  std::int64_t kernels = 0;   ///< That have run, those of graphs too.
  std::int64_t launches = 0;  ///< Calls: a kernel or a whole graph.
  std::int64_t graph_launches = 0;
  std::int64_t captures = 0;
  std::int64_t synchronisations = 0;
  std::int64_t allocations = 0;     ///< Calls of cudaMalloc that gave memory.
  std::size_t allocated_bytes = 0;  ///< Now.
  /// That asynchronous copies to the host were asked for.
  std::size_t bytes_to_host = 0;
};
Counts counts();

/// Operations that were enqueued and have not run.
std::size_t pending();

/// Reads device memory after what is enqueued has run; for tests that look inside.
void peek(void* to, const void* device_memory, std::size_t bytes);

}  // namespace cuda_on_cpu
