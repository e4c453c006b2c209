#include "tests/support/cuda_on_cpu/runtime.h"

#include "tests/support/cuda_on_cpu/block.h"
#include "tests/support/cuda_on_cpu/cuda_runtime.h"

#include <cstring>

namespace cuda_on_cpu {

Worker::Worker() : thread_([this] { loop(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Worker::run(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  work_ = &work;
  changed_.notify_all();
  changed_.wait(lock, [this] { return work_ == nullptr; });
}

void Worker::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return work_ != nullptr || is_ending_; });
    if (work_ == nullptr) return;
    (*work_)();
    work_ = nullptr;
    changed_.notify_all();
  }
}

Runtime::Runtime() : memory(std::make_unique<DeviceMemory>(device.memory_bytes)) {}

Runtime& runtime() {
  static Runtime the_runtime;
  return the_runtime;
}

cudaError_t call(const char* name, const std::function<cudaError_t(Runtime&)>& body) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  cudaError_t error = r.sticky;
  if (error == cudaSuccess && r.device.driver_version == 0) error = cudaErrorInsufficientDriver;
  if (error == cudaSuccess && r.device.count == 0) error = cudaErrorNoDevice;
  const auto found = r.injected.find(name);
  if (error == cudaSuccess && found != r.injected.end() && found->second.calls_before-- == 0) {
    error = found->second.error;
    r.injected.erase(found);
  }
  if (error == cudaSuccess) error = body(r);
  if (error == cudaSuccess) error = r.sticky;
  if (error != cudaSuccess) r.last = error;
  return error;
}

namespace {

void fail_for_good(Runtime& r, cudaError_t error, const std::string& message) {
  r.sticky = error;
  r.failure = message;
  r.null_stream.queue.clear();
  for (Stream* stream : r.streams) stream->queue.clear();
}

/// On the worker, with device memory open. `is_done`: null, or nothing more is run when it says so.
void run_queue(Runtime& r, Stream& stream, const std::function<bool()>& is_done = {}) {
  while (!stream.queue.empty() && r.sticky == cudaSuccess && !(is_done && is_done())) {
    const Operation operation = std::move(stream.queue.front());
    stream.queue.pop_front();
    const std::string message = operation.run();
    if (!message.empty()) fail_for_good(r, cudaErrorLaunchFailure, message);
  }
}

/// A kernel's turn.
std::string run_kernel(const Grid& grid, const std::function<void()>& body) {
  Runtime& r = runtime();
  ++r.counts.kernels;
  if (r.broken_kernel.error != cudaSuccess && r.broken_kernel.calls_before-- == 0) {
    const cudaError_t error = r.broken_kernel.error;
    r.broken_kernel = {};
    fail_for_good(r, error, "broken by a test");
    return {};
  }
  return run_grid(grid, body);
}

}  // namespace

void drain(Runtime& r, Stream& stream) {
  if (stream.queue.empty() || r.sticky != cudaSuccess) return;
  r.worker.run([&] {
    r.memory->open();
    run_queue(r, stream);
    // What the null stream has under way ends some time: at the worst behind a stream that does not
    // wait for it.
    if (!stream.is_blocking) run_queue(r, r.null_stream);
    r.memory->close();
  });
}

void drain_until(Runtime& r, Stream& stream, const std::function<bool()>& is_done) {
  if (r.sticky != cudaSuccess) return;
  r.worker.run([&] {
    r.memory->open();
    run_queue(r, stream, is_done);
    r.memory->close();
  });
}

void drain_all(Runtime& r) {
  drain(r, r.null_stream);
  for (Stream* stream : r.streams) drain(r, *stream);
}

cudaError_t refuse_in_capture(Runtime& r) {
  if (r.capturing.empty()) return cudaSuccess;
  for (Stream* stream : r.capturing) stream->is_capture_broken = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t enqueue(Runtime& r, cudaStream_t stream, Operation operation) {
  Stream& to = stream == nullptr ? r.null_stream : *stream;
  if (to.capture != nullptr) {
    to.capture->nodes.push_back(std::move(operation));
    return cudaSuccess;
  }
  if (stream == nullptr) {
    for (Stream* other : r.streams) {
      if (other->is_blocking) drain(r, *other);
    }
  } else if (to.is_blocking) {
    drain(r, r.null_stream);
  }
  to.queue.push_back(std::move(operation));
  return cudaSuccess;
}

cudaError_t launch_kernel(const cudaLaunchConfig_t& config,
                          const void* kernel,
                          std::function<void()> body) {
  return call("cudaLaunchKernelEx", [&](Runtime& r) {
    if (!r.device.has_kernel_image) return cudaErrorNoKernelImageForDevice;
    const dim3& g = config.gridDim;
    const dim3& b = config.blockDim;
    const bool is_grid =
        g.x > 0 && g.y > 0 && g.z > 0 && g.x <= 0x7FFFFFFFU && g.y <= 65535U && g.z <= 65535U;
    const bool is_block =
        b.x > 0 && b.y > 0 && b.z > 0 && b.z <= 64 && std::size_t{b.x} * b.y * b.z <= kThreadsMax;
    if (!is_grid || !is_block) return cudaErrorInvalidConfiguration;
    if (config.dynamicSmemBytes > shared_allowed(r, kernel)) return cudaErrorInvalidValue;
    const Stream& stream = config.stream == nullptr ? r.null_stream : *config.stream;
    if (stream.capture == nullptr) ++r.counts.launches;
    const bool overlaps =
        config.numAttrs > 0 &&
        config.attrs[0].id == cudaLaunchAttributeProgrammaticStreamSerialization &&
        config.attrs[0].val.programmaticStreamSerializationAllowed != 0;
    const Grid grid{{g.x, g.y, g.z}, {b.x, b.y, b.z}, config.dynamicSmemBytes, overlaps};
    return enqueue(r,
                   config.stream,
                   {[grid, body = std::move(body)] { return run_kernel(grid, body); },
                    kernel,
                    config.dynamicSmemBytes});
  });
}

std::size_t pending() {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  std::size_t count = r.null_stream.queue.size();
  for (const Stream* stream : r.streams) count += stream->queue.size();
  return count;
}

void peek(void* to, const void* device_memory, std::size_t bytes) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  drain_all(r);
  r.memory->open();
  std::memcpy(to, device_memory, bytes);
  r.memory->close();
}

}  // namespace cuda_on_cpu
