// Streams, events and graphs.
#include "tests/support/cuda_on_cpu/cuda_runtime.h"
#include "tests/support/cuda_on_cpu/runtime.h"

#include <utility>

using cuda_on_cpu::call;
using cuda_on_cpu::drain;
using cuda_on_cpu::enqueue;
using cuda_on_cpu::Event;
using cuda_on_cpu::Graph;
using cuda_on_cpu::GraphExec;
using cuda_on_cpu::Operation;
using cuda_on_cpu::refuse_in_capture;
using cuda_on_cpu::Runtime;
using cuda_on_cpu::runtime;
using cuda_on_cpu::Stream;

namespace {

Stream& stream_of(Runtime& r, cudaStream_t stream) {
  return stream == nullptr ? r.null_stream : *stream;
}

/// Runs what `event` waits for, on the worker.
std::string reach(Event* event, std::int64_t recorded) {
  while (event->reached < recorded && event->stream != nullptr && !event->stream->queue.empty()) {
    const Operation operation = std::move(event->stream->queue.front());
    event->stream->queue.pop_front();
    std::string message = operation.run();
    if (!message.empty()) return message;
  }
  return {};
}

}  // namespace

cudaError_t cudaDeviceSynchronize() {
  return call("cudaDeviceSynchronize", [](Runtime& r) {
    if (const cudaError_t error = refuse_in_capture(r)) return error;
    ++r.counts.synchronisations;
    cuda_on_cpu::drain_all(r);
    return r.sticky;
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return call("cudaStreamCreateWithFlags", [&](Runtime& r) {
    *stream = new Stream();
    (*stream)->is_blocking = flags == cudaStreamDefault;
    r.streams.insert(*stream);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (r.streams.erase(stream) == 0) return cudaErrorInvalidResourceHandle;
  drain(r, *stream);
  r.capturing.erase(stream);
  delete stream;
  return r.sticky;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call("cudaStreamSynchronize", [&](Runtime& r) {
    Stream& of = stream_of(r, stream);
    if (of.capture != nullptr) return refuse_in_capture(r);
    ++r.counts.synchronisations;
    drain(r, of);
    return r.sticky;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return call("cudaStreamQuery", [&](Runtime& r) {
    drain(r, stream_of(r, stream));
    return r.sticky;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned /*flags*/) {
  return call("cudaStreamWaitEvent", [&](Runtime& r) {
    Stream& of = stream_of(r, stream);
    if (event->capture != nullptr) {
      // Joins the capture that the event was recorded in; its operations go behind the others.
      of.capture = event->capture;
      return cudaSuccess;
    }
    if (event->recorded == 0) return cudaSuccess;
    return enqueue(
        r, stream, {[event, recorded = event->recorded] { return reach(event, recorded); }});
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  return call("cudaEventCreateWithFlags", [&](Runtime&) {
    *event = new Event();
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  cuda_on_cpu::drain_all(r);
  delete event;
  return r.sticky;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call("cudaEventRecord", [&](Runtime& r) {
    Stream& of = stream_of(r, stream);
    event->capture = of.capture;
    if (of.capture != nullptr) return cudaSuccess;
    event->stream = &of;
    const std::int64_t number = ++event->recorded;
    return enqueue(r, stream, {[event, number] {
                     event->reached = number;
                     event->at = std::chrono::steady_clock::now();
                     return std::string();
                   }});
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call("cudaEventSynchronize", [&](Runtime& r) {
    ++r.counts.synchronisations;
    // What comes behind the event is left for later, as late as a device may be.
    const auto is_reached = [event] { return event->reached >= event->recorded; };
    if (event->stream != nullptr) cuda_on_cpu::drain_until(r, *event->stream, is_reached);
    return r.sticky;
  });
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
  return call("cudaEventElapsedTime", [&](Runtime&) {
    const bool is_there = begin->reached == begin->recorded && end->reached == end->recorded &&
                          begin->recorded > 0 && end->recorded > 0;
    if (!is_there) return cudaErrorNotReady;
    *ms = std::chrono::duration<float, std::milli>(end->at - begin->at).count();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
  return call("cudaStreamBeginCapture", [&](Runtime& r) {
    if (stream == nullptr || stream->capture != nullptr) return cudaErrorStreamCaptureUnsupported;
    stream->capture = new Graph();
    stream->is_capture_broken = false;
    r.capturing.insert(stream);
    ++r.counts.captures;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call("cudaStreamEndCapture", [&](Runtime& r) {
    *graph = nullptr;
    if (stream == nullptr || r.capturing.erase(stream) == 0) return cudaErrorInvalidValue;
    Graph* captured = std::exchange(stream->capture, nullptr);
    for (Stream* other : r.streams) {
      if (other->capture == captured) other->capture = nullptr;
    }
    if (stream->is_capture_broken) {
      delete captured;
      return cudaErrorStreamCaptureInvalidated;
    }
    *graph = captured;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return call("cudaStreamIsCapturing", [&](Runtime& r) {
    const Stream& of = stream_of(r, stream);
    *status = of.capture == nullptr  ? cudaStreamCaptureStatusNone
              : of.is_capture_broken ? cudaStreamCaptureStatusInvalidated
                                     : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec,
                                 cudaGraph_t graph,
                                 unsigned long long /*flags*/) {
  return call("cudaGraphInstantiate", [&](Runtime& r) {
    // A limit that was lowered since a launch was recorded holds for that launch too.
    for (const Operation& node : graph->nodes) {
      if (node.shared_bytes > cuda_on_cpu::shared_allowed(r, node.kernel)) {
        return cudaErrorInvalidValue;
      }
    }
    *exec = new GraphExec{std::make_shared<std::vector<Operation>>(graph->nodes)};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec,
                                cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* result) {
  return call("cudaGraphExecUpdate", [&](Runtime&) {
    const std::vector<Operation>& old = *exec->nodes;
    bool is_same = old.size() == graph->nodes.size();
    for (std::size_t i = 0; is_same && i < old.size(); ++i) {
      is_same = old[i].kernel == graph->nodes[i].kernel;
    }
    result->result = is_same ? 0 : 1;
    if (!is_same) return cudaErrorGraphExecUpdateFailure;
    exec->nodes = std::make_shared<std::vector<Operation>>(graph->nodes);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t /*exec*/, cudaStream_t /*stream*/) {
  return call("cudaGraphUpload", [](Runtime&) { return cudaSuccess; });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return call("cudaGraphLaunch", [&](Runtime& r) {
    ++r.counts.graph_launches;
    ++r.counts.launches;
    return enqueue(r, stream, {[nodes = exec->nodes] {
                     for (const Operation& node : *nodes) {
                       std::string message = node.run();
                       if (!message.empty()) return message;
                       if (runtime().sticky != cudaSuccess) break;
                     }
                     return std::string();
                   }});
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
