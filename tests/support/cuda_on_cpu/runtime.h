// What the emulated runtime is made of; included by its own files only.
#pragma once

#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/cuda_on_cpu/memory.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace cuda_on_cpu {

/// Something that a stream does. `run` says what went wrong, or nothing.
struct Operation {
  std::function<std::string()> run;
  const void* kernel = nullptr;  ///< Null: a copy or an event.
  std::size_t shared_bytes = 0;  ///< Dynamic shared memory of the kernel.
};

struct Stream {
  bool is_blocking = true;  ///< Waits for the null stream, as that one does for it.
  std::deque<Operation> queue;
  Graph* capture = nullptr;  ///< Where its operations go while it is captured.
  bool is_capture_broken = false;
};

struct Event {
  Stream* stream = nullptr;  ///< Of the last record.
  std::int64_t recorded = 0;
  std::int64_t reached = 0;
  std::chrono::steady_clock::time_point at;
  Graph* capture = nullptr;
};

struct Graph {
  std::vector<Operation> nodes;
};

struct GraphExec {
  std::shared_ptr<std::vector<Operation>> nodes;
};

/// The operating system thread that runs kernels; its thread-local variables are the static shared
/// memory.
class Worker {
 public:
  Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();
  /// Runs `work` there and waits for it.
  void run(const std::function<void()>& work);

 private:
  void loop();
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;
  bool is_ending_ = false;
  std::thread thread_;
};

struct Injected {
  cudaError_t error = cudaSuccess;
  int calls_before = 0;
};

struct Runtime {
  std::recursive_mutex mutex;
  Device device;
  std::unique_ptr<DeviceMemory> memory;
  Stream null_stream;
  std::set<Stream*> streams;
  std::map<std::string, Injected> injected;
  std::map<const void*, std::size_t> shared_allowed;
  std::map<void*, std::size_t> pinned;
  std::set<Stream*> capturing;
  Injected broken_kernel;
  cudaError_t sticky = cudaSuccess;
  cudaError_t last = cudaSuccess;
  std::string failure;
  Counts counts;
  int current_device = 0;
  Worker worker;

  Runtime();
};

Runtime& runtime();

/// Runs one call of the API: nothing but the error when one is sticky, asked for by a test, or when
/// there is no device.
cudaError_t call(const char* name, const std::function<cudaError_t(Runtime&)>& body);

/// Does all that `stream` has been asked for. Errors become sticky.
void drain(Runtime& r, Stream& stream);
void drain_all(Runtime& r);
/// The same, as far as `is_done` says.
void drain_until(Runtime& r, Stream& stream, const std::function<bool()>& is_done);

/// Dynamic shared memory that `kernel` may have now. Every kernel is taken to have 1 KiB of static
/// shared memory, which is part of the same limit.
std::size_t shared_allowed(const Runtime& r, const void* kernel);

/// Appends to the stream, or to the graph that it is captured into.
cudaError_t enqueue(Runtime& r, cudaStream_t stream, Operation operation);
/// The error of a call that must not be made while a stream is captured; breaks the captures.
cudaError_t refuse_in_capture(Runtime& r);

}  // namespace cuda_on_cpu
