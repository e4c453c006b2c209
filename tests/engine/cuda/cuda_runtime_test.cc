// The emulated runtime: streams, graphs, memory, and devices that fail when a test asks for it.
#include "engine/cuda/portable.cuh"
#include "tests/engine/cuda/emulated_memory.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"

#include <cstddef>
#include <unistd.h>
#include <vector>

namespace {

using facet::engine::cuda::launch;
using facet::test::Device;

__global__ void add(int* x, int value) {
  x[threadIdx.x] += value;
}

}  // namespace

TEST_CASE("streams are lazy, device memory is closed to the host, kinds of copies are checked",
          "[cuda]") {
  cuda_on_cpu::reset();
  const Device<int> x(std::vector<int>{1, 2, 3, 4});
  int ends[2] = {};
  REQUIRE(pipe(ends) == 0);
  CHECK(write(ends[1], x.get(), 1) == -1);  // EFAULT, where a load would end the program.
  CHECK(close(ends[0]) + close(ends[1]) == 0);

  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  int* pinned = nullptr;
  REQUIRE(cudaMallocHost(&pinned, 4 * sizeof(int)) == cudaSuccess);
  REQUIRE(launch("k", add, {.grid = 1, .block = 4, .stream = stream}, x.get(), 1).has_value());
  REQUIRE(cudaMemcpyAsync(pinned, x.get(), 16, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
  CHECK(pinned[0] == -1);
  REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(pinned[0] == 2);
  CHECK(cudaMemcpy(pinned, x.get(), 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(pinned, x.get(), 1 << 20, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);

  cudaStream_t other = nullptr;
  cudaEvent_t event = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking) == cudaSuccess);
  REQUIRE(cudaEventCreateWithFlags(&event, cudaEventDefault) == cudaSuccess);
  REQUIRE(launch("k", add, {.grid = 1, .block = 4, .stream = stream}, x.get(), 1).has_value());
  REQUIRE(cudaEventRecord(event, stream) == cudaSuccess);
  REQUIRE(cudaStreamWaitEvent(other, event) == cudaSuccess);
  REQUIRE(cudaMemcpyAsync(pinned, x.get(), 16, cudaMemcpyDeviceToHost, other) == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(other) == cudaSuccess);
  CHECK(pinned[0] == 3);
  cudaFreeHost(pinned);
  cudaEventDestroy(event);
  cudaStreamDestroy(other);
  cudaStreamDestroy(stream);
}

TEST_CASE("graphs record what a stream is asked for and do it again", "[cuda]") {
  cuda_on_cpu::reset();
  const Device<int> x(std::vector<int>{0, 0, 0, 0});
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  const auto capture = [&](int value) {
    cudaGraph_t graph = nullptr;
    REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    REQUIRE(launch("k", add, {.grid = 1, .block = 4, .stream = stream}, x.get(), 1).has_value());
    REQUIRE(
        launch("k", add, {.grid = 1, .block = 4, .stream = stream}, x.get(), value).has_value());
    REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
    return graph;
  };
  cudaGraph_t first = capture(10);
  CHECK(x.read()[0] == 0);
  cudaGraphExec_t exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&exec, first) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, stream) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, stream) == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.read() == std::vector<int>{22, 22, 22, 22});
  cudaGraph_t second = capture(100);
  cudaGraphExecUpdateResultInfo info;
  REQUIRE(cudaGraphExecUpdate(exec, second, &info) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, stream) == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.read()[3] == 123);
  CHECK(cuda_on_cpu::counts().kernels == 6);
  CHECK(cuda_on_cpu::counts().launches == 3);

  // What must not be asked for meanwhile breaks the capture.
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  void* memory = nullptr;
  CHECK(cudaMalloc(&memory, 16) == cudaErrorStreamCaptureUnsupported);
  cudaGraph_t broken = nullptr;
  CHECK(cudaStreamEndCapture(stream, &broken) == cudaErrorStreamCaptureInvalidated);
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(first);
  cudaGraphDestroy(second);
  cudaStreamDestroy(stream);
}

TEST_CASE("a copy of ordinary memory may be late for a stream that does not wait for it",
          "[cuda]") {
  cuda_on_cpu::reset();
  const Device<int> x(1);
  const std::vector<int> from{7};
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  for (const bool waits : {false, true}) {
    REQUIRE(cudaMemcpy(x.get(), from.data(), 4, cudaMemcpyHostToDevice) == cudaSuccess);
    if (waits) REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    REQUIRE(cudaMemsetAsync(x.get(), 0, 4, stream) == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(x.read()[0] == (waits ? 0 : 7));
  }
  cudaStreamDestroy(stream);
}

TEST_CASE("a kernel keeps the shared memory that it has been allowed", "[cuda]") {
  cuda_on_cpu::reset();
  const Device<int> x(std::vector<int>{0});
  // 48 KiB are the limit of static and dynamic shared memory together, where nothing is asked for.
  for (const std::size_t bytes : {47U << 10U, (47U << 10U) + 1, 48U << 10U}) {
    INFO(bytes);
    CHECK(launch("k", add, {.grid = 1, .block = 1, .shared_bytes = bytes}, x.get(), 1).has_value());
  }
  // A launch that wants less does not take away from one that is recorded.
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaSuccess);
  for (const std::size_t bytes : {200U << 10U, 60U << 10U}) {
    const auto launched = launch(
        "k", add, {.grid = 1, .block = 1, .shared_bytes = bytes, .stream = stream}, x.get(), 1);
    REQUIRE(launched.has_value());
  }
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&exec, graph) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, stream) == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(x.read()[0] == 5);
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
}

TEST_CASE("the device that a test asks for", "[cuda]") {
  cuda_on_cpu::reset({.memory_bytes = 1 << 20});
  void* memory = nullptr;
  CHECK(cudaMalloc(&memory, 2 << 20) == cudaErrorMemoryAllocation);
  REQUIRE(cudaMalloc(&memory, 1 << 19) == cudaSuccess);
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  REQUIRE(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess);
  CHECK(free_bytes == 1 << 19);
  CHECK(total_bytes == 1 << 20);
  CHECK(cudaFree(memory) == cudaSuccess);
  CHECK(cudaFree(memory) == cudaErrorInvalidValue);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);

  cuda_on_cpu::reset({.driver_version = 0});
  int count = 1;
  CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
  cuda_on_cpu::reset({.count = 0});
  CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice);
  cuda_on_cpu::reset();
  cuda_on_cpu::fail_call("cudaMalloc", cudaErrorMemoryAllocation, 1);
  REQUIRE(cudaMalloc(&memory, 16) == cudaSuccess);
  CHECK(cudaMalloc(&memory, 16) == cudaErrorMemoryAllocation);
  cuda_on_cpu::reset();
  cuda_on_cpu::break_kernel(cudaErrorIllegalAddress);
  const Device<int> x(std::vector<int>{1});
  REQUIRE(launch("k", add, {.grid = 1, .block = 1}, x.get(), 1).has_value());
  CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
  CHECK(cudaPeekAtLastError() == cudaErrorIllegalAddress);
  cuda_on_cpu::reset();
}
