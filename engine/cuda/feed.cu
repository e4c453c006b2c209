// feed_rows() of feed.h: Sampler::sample_from (sampling/sampler.cc) for each row, in the same order
// of sums. A choice may still be another where this device's expf differs in the last bit, which
// the host notices: it looks at RowFound::next.
#include "engine/cuda/block.cuh"
#include "engine/cuda/feed.h"

#include <string>

namespace facet::engine::cuda {
namespace {

/// A thread for each candidate.
constexpr int kFeedThreads = kCandidatesMax;

/// Which of the first `kept` candidates is drawn, by one thread. `values` (at least one): e to the
/// power of (logit - the best one) / temperature, descending; overwritten.
__device__ int draw(const NextChoice& choice, float* values, int kept) {
  float total = 0.0F;
  for (int i = 0; i < kept; ++i) total += values[i];
  float before = 0.0F;
  int count = 0;
  while (count < kept && (choice.top_p >= 1.0F || before < choice.top_p)) {
    values[count] = __fdiv_rn(values[count], total);
    before += values[count++];
  }
  const float floor = choice.min_p * values[0];
  while (count > 1 && values[count - 1] < floor) --count;
  double sum = 0.0;
  for (int i = 0; i < count; ++i) sum += static_cast<double>(values[i]);
  double left = __dmul_rn(choice.uniform, sum);
  for (int i = 0; i < count; ++i) {
    left -= static_cast<double>(values[i]);
    if (left < 0.0) return i;
  }
  return count - 1;
}

/// A block for each row.
__global__ __launch_bounds__(kFeedThreads) void feed_kernel(const FeedArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  __shared__ float values[kFeedThreads];
  const auto row = static_cast<int>(blockIdx.x);
  const auto at = static_cast<int>(threadIdx.x);
  RowFound& found = args.found[row];
  const NextChoice choice = args.choices[row];
  const int kept = found.count < choice.top_k ? found.count : choice.top_k;
  const bool is_greedy = choice.temperature == 0.0F;
  if (!is_greedy && at < kept) {
    values[at] = expf(__fdiv_rn(found.best[at].logit - found.best[0].logit, choice.temperature));
  }
  __syncthreads();
  if (at != 0) return;
  int chosen = 0;
  if (kept > 0 && !is_greedy) chosen = draw(choice, values, kept);
  found.next = kept > 0 ? found.best[chosen].id : -1;
  args.ids[row] = kept > 0 ? found.next : 0;
  args.position[row] += 1;
  args.end[row] += 1;
}

}  // namespace

Status feed_rows(const FeedArgs& args, const LaunchOrder& order) {
  if (args.rows < 1 || args.rows > kFeedRowsMax) {
    return Error{Code::invalid_argument, "CUDA feed: " + std::to_string(args.rows) + " rows"};
  }
  for (int i = 0; i < args.rows; ++i) {
    const std::int32_t k = args.choices[i].top_k;
    if (k >= 1 && k <= kCandidatesMax) continue;
    return Error{Code::invalid_argument, "CUDA feed: top_k " + std::to_string(k)};
  }
  const LaunchConfig config{.grid = dim3(static_cast<unsigned>(args.rows)),
                            .block = dim3(kFeedThreads),
                            .shared_bytes = 0,
                            .stream = order.stream,
                            .overlaps_previous = order.overlaps};
  return launch("feed_rows", feed_kernel, config, args);
}

}  // namespace facet::engine::cuda
