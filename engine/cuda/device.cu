#include "engine/cuda/device.h"
#include "engine/cuda/portable.cuh"
#include "engine/cuda/status.cuh"

#include <utility>

namespace facet::engine::cuda {
namespace {

/// Compute capability that the kernels are written for, at least.
constexpr int kComputeMajorMin = 8;

__global__ void probe_kernel() {}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// How many devices there are, or in words why none can be used.
Result<int> count_devices() {
  int driver = 0;
  int needed = 0;
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    cudaGetLastError();
    const bool is_there = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;
    cudaRuntimeGetVersion(&needed);
    if (!is_there) {
      return Error{Code::unavailable,
                   "no CUDA driver is installed: install NVIDIA's driver, or use the CPU"};
    }
    return Error{Code::unavailable,
                 "the CUDA driver is for CUDA " + version_text(driver) + ", this build needs " +
                     version_text(needed) + ": update NVIDIA's driver, or use the CPU"};
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    cudaGetLastError();
    return Error{Code::unavailable,
                 "there is no CUDA device on this machine (or CUDA_VISIBLE_DEVICES hides it): use "
                 "the CPU"};
  }
  const Status status = to_status(error, "device count");
  if (!status) {
    return Error{status.error().code,
                 status.error().message + ": see whether nvidia-smi works, or use the CPU"};
  }
  return count;
}

Result<DeviceInfo> describe(int index) {
  cudaDeviceProp properties{};
  FACET_TRY_STATUS(to_status(cudaGetDeviceProperties(&properties, index), "device query"));
  return DeviceInfo{.index = index,
                    .name = properties.name,
                    .compute_major = properties.major,
                    .compute_minor = properties.minor,
                    .multiprocessors = properties.multiProcessorCount,
                    .memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem)};
}

std::string title(const DeviceInfo& info) {
  return "cuda:" + std::to_string(info.index) + " (" + info.name + ", compute capability " +
         std::to_string(info.compute_major) + "." + std::to_string(info.compute_minor) + ")";
}

/// As FACET_CUDA_ARCHITECTURES names it; Hopper's own units need 90a.
std::string architecture_of(const DeviceInfo& info) {
  const std::string number = std::to_string(10 * info.compute_major + info.compute_minor);
  return info.compute_major == 9 ? number + "a" : number;
}

}  // namespace

Result<std::vector<DeviceInfo>> list_devices() {
  FACET_TRY(const int count, count_devices());
  std::vector<DeviceInfo> out;
  for (int index = 0; index < count; ++index) {
    FACET_TRY(DeviceInfo info, describe(index));
    out.push_back(std::move(info));
  }
  return out;
}

Status use_device(int index) {
  return to_status(cudaSetDevice(index), "device selection");
}

Result<DeviceInfo> open_device(int index) {
  FACET_TRY(const int count, count_devices());
  if (index < 0 || index >= count) {
    return Error{Code::unavailable,
                 "there is no device cuda:" + std::to_string(index) + ": this machine has " +
                     (count == 1 ? "cuda:0 only" : "cuda:0 to cuda:" + std::to_string(count - 1))};
  }
  FACET_TRY(DeviceInfo info, describe(index));
  if (info.compute_major < kComputeMajorMin) {
    return Error{Code::unavailable, title(info) + " is too old: 8.0 is needed; use the CPU"};
  }
  const cudaError_t chosen = cudaSetDevice(index);
  if (chosen == cudaErrorDevicesUnavailable) {
    cudaGetLastError();
    return Error{Code::unavailable,
                 title(info) +
                     " is busy: another process has it for itself; end that one, "
                     "choose another device, or use the CPU"};
  }
  FACET_TRY_STATUS(to_status(chosen, "device selection"));
  cudaFuncAttributes attributes{};
  const cudaError_t image = cudaFuncGetAttributes(&attributes, probe_kernel);
  // Which of the two it is depends on how the runtime looks for kernels.
  if (image == cudaErrorNoKernelImageForDevice || image == cudaErrorInvalidDeviceFunction) {
    cudaGetLastError();
    return Error{Code::unavailable,
                 "this build has no kernels for " + title(info) +
                     ": build with -DFACET_CUDA_ARCHITECTURES=" + architecture_of(info) +
                     ", or use the CPU"};
  }
  FACET_TRY_STATUS(to_status(image, "kernel query"));
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  FACET_TRY_STATUS(to_status(cudaMemGetInfo(&free_bytes, &total_bytes), "memory query"));
  info.free_bytes = static_cast<std::int64_t>(free_bytes);
  return info;
}

Result<DeviceBuffer> DeviceBuffer::allocate(std::size_t bytes) {
  void* data = nullptr;
  const std::string what = "allocation of " + std::to_string(bytes) + " bytes";
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) cudaGetLastError();  // Said here; nothing is broken.
  const Status status = to_status(error, what.c_str());
  if (!status) {
    return Error{status.error().code,
                 status.error().message + ": another process may have taken the memory just now"};
  }
  return DeviceBuffer(data, bytes);
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  if (this != &other) {
    cudaFree(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  cudaFree(data_);
}

Result<PinnedBuffer> PinnedBuffer::allocate(std::size_t bytes) {
  void* data = nullptr;
  const std::string what = "allocation of " + std::to_string(bytes) + " bytes of pinned memory";
  FACET_TRY_STATUS(to_status(cudaMallocHost(&data, bytes), what.c_str()));
  return PinnedBuffer(data, bytes);
}

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

PinnedBuffer::~PinnedBuffer() {
  if (data_ != nullptr) cudaFreeHost(data_);
}

Result<QueueMark> QueueMark::create() {
  cudaEvent_t event = nullptr;
  FACET_TRY_STATUS(
      to_status(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "event creation"));
  return QueueMark(event);
}

QueueMark::QueueMark(QueueMark&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}

QueueMark& QueueMark::operator=(QueueMark&& other) noexcept {
  std::swap(event_, other.event_);
  return *this;
}

QueueMark::~QueueMark() {
  if (event_ != nullptr) cudaEventDestroy(static_cast<cudaEvent_t>(event_));
}

Status QueueMark::wait() const {
  return to_status(cudaEventSynchronize(static_cast<cudaEvent_t>(event_)), "wait");
}

Result<WorkQueue> WorkQueue::create() {
  cudaStream_t stream = nullptr;
  FACET_TRY_STATUS(
      to_status(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream creation"));
  return WorkQueue(stream);
}

WorkQueue::WorkQueue(WorkQueue&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}

WorkQueue& WorkQueue::operator=(WorkQueue&& other) noexcept {
  std::swap(stream_, other.stream_);
  return *this;
}

WorkQueue::~WorkQueue() {
  if (stream_ != nullptr) cudaStreamDestroy(static_cast<cudaStream_t>(stream_));
}

Status WorkQueue::copy_to_device(void* to, const void* host, std::size_t bytes) {
  return to_status(
      cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, static_cast<cudaStream_t>(stream_)),
      "copy to the device");
}

Status WorkQueue::copy_to_host(void* host, const void* from, std::size_t bytes) {
  return to_status(
      cudaMemcpyAsync(
          host, from, bytes, cudaMemcpyDeviceToHost, static_cast<cudaStream_t>(stream_)),
      "copy from the device");
}

Status WorkQueue::copy_on_device(void* to, const void* from, std::size_t bytes) {
  return to_status(
      cudaMemcpyAsync(
          to, from, bytes, cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream_)),
      "copy on the device");
}

Status WorkQueue::fill(void* to, int byte, std::size_t bytes) {
  return to_status(cudaMemsetAsync(to, byte, bytes, static_cast<cudaStream_t>(stream_)), "fill");
}

Status WorkQueue::set(const QueueMark& mark) {
  return to_status(
      cudaEventRecord(static_cast<cudaEvent_t>(mark.event_), static_cast<cudaStream_t>(stream_)),
      "mark");
}

Status WorkQueue::wait() {
  return to_status(cudaStreamSynchronize(static_cast<cudaStream_t>(stream_)), "wait");
}

Result<RecordedWork> RecordedWork::record(WorkQueue& queue,
                                          const std::function<Status()>& enqueue) {
  auto* const stream = static_cast<cudaStream_t>(queue.handle());
  // Relaxed: kernels are loaded when they are first launched, which may be here, and loading one
  // allocates; the stricter modes refuse that.
  FACET_TRY_STATUS(
      to_status(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capture"));
  const Status enqueued = enqueue();
  cudaGraph_t graph = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
  if (!enqueued || ended != cudaSuccess) {
    if (graph != nullptr) cudaGraphDestroy(graph);
    FACET_TRY_STATUS(enqueued);
    return to_status(ended, "end of capture").error();
  }
  cudaGraphExec_t exec = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&exec, graph, 0);
  cudaGraphDestroy(graph);
  FACET_TRY_STATUS(to_status(error, "graph"));
  return RecordedWork(exec);
}

RecordedWork::RecordedWork(RecordedWork&& other) noexcept
    : graph_(std::exchange(other.graph_, nullptr)) {}

RecordedWork& RecordedWork::operator=(RecordedWork&& other) noexcept {
  std::swap(graph_, other.graph_);
  return *this;
}

RecordedWork::~RecordedWork() {
  if (graph_ != nullptr) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph_));
}

Status RecordedWork::enqueue(WorkQueue& queue) const {
  return to_status(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph_),
                                   static_cast<cudaStream_t>(queue.handle())),
                   "graph launch");
}

}  // namespace facet::engine::cuda
