// Sequences in pages on the device, and the rows of a step, for the checks of kernels.
#pragma once

#include "engine/cuda/step.h"
#include "engine/kv/kv_type.h"
#include "engine/ops.h"
#include "tests/engine/cuda/check_support.h"

#include <algorithm>
#include <numeric>

namespace facet::test {

/// One row of a step.
struct StepRow {
  std::int32_t position = 0;
  std::int32_t end = 0;
  std::int32_t sequence = 0;
};

class StepTable {
 public:
  explicit StepTable(Comparison& log) : log_(log) {}

  void add(const StepRow& row) { rows.push_back(row); }
  /// In device memory; valid as long as this table.
  engine::cuda::StepRows upload() {
    std::vector<std::int32_t> columns[3];
    for (const StepRow& row : rows) {
      columns[0].push_back(row.position);
      columns[1].push_back(row.end);
      columns[2].push_back(row.sequence);
    }
    arrays_.clear();
    for (const auto& column : columns) arrays_.emplace_back(log_, column);
    return {.rows = static_cast<int>(rows.size()),
            .position = arrays_[0].get(),
            .end = arrays_[1].get(),
            .sequence = arrays_[2].get()};
  }

  std::vector<StepRow> rows;

 private:
  Comparison& log_;
  std::vector<DeviceArray<std::int32_t>> arrays_;
};

/// `count` sequences of up to `positions` positions in pages that lie in no order. Sequence i has
/// given back its first i pages, as a window does.
class PagedSequences {
 public:
  PagedSequences(Comparison& log,
                 engine::KvType type,
                 int kv_heads,
                 int head_dim,
                 int count,
                 std::int64_t positions)
      : type_(type),
        row_bytes_(engine::kv_row_bytes(type, kv_heads, head_dim)),
        width_(std::int64_t{kv_heads} * head_dim),
        pages_each_((positions + engine::kPageTokens - 1) / engine::kPageTokens),
        memory_(log,
                std::vector<std::byte>(static_cast<std::size_t>(count * pages_each_ * page_bytes()),
                                       std::byte{0xFF})),
        pages_(log, static_cast<std::size_t>(count * pages_each_)),
        sequences_(log, static_cast<std::size_t>(count)) {
    order_.resize(static_cast<std::size_t>(count * pages_each_));
    std::iota(order_.begin(), order_.end(), 0);
    std::mt19937 random(static_cast<unsigned>(count));
    std::shuffle(order_.begin(), order_.end(), random);
    std::vector<std::byte*> pages;
    for (const std::int64_t at : order_) pages.push_back(memory_.get() + at * page_bytes());
    pages_.write(pages);
    std::vector<engine::cuda::SequencePages> sequences;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t dropped = std::min(i, pages_each_ - 1);
      sequences.push_back(
          {.pages = pages_.get() + i * pages_each_ + dropped, .first_page = dropped});
    }
    sequences_.write(sequences);
    layer_ = {
        .sequences = sequences_.get(), .type = type, .kv_heads = kv_heads, .head_dim = head_dim};
  }

  [[nodiscard]] engine::cuda::LayerPages layer() const { return layer_; }

  /// Fills every page with random values, rounded as the type keeps them; to be asked with at().
  void fill(std::mt19937& random) {
    const std::int64_t rows = static_cast<std::int64_t>(order_.size()) * 2 * engine::kPageTokens;
    values_ = normal_floats(rows * width_, random);
    std::vector<std::byte> bytes(memory_.size());
    for (std::int64_t row = 0; row < rows; ++row) {
      std::byte* to = bytes.data() + row * row_bytes_;
      float* values = values_.data() + row * width_;
      for (int head = 0; head < layer_.kv_heads; ++head) {
        const std::int64_t first = std::int64_t{head} * layer_.head_dim;
        engine::kv_store_head(type_, values + first, layer_.head_dim, head, to, layer_.kv_heads);
        for (std::int64_t i = 0; i < layer_.head_dim; ++i) {
          values[first + i] = engine::kv_load(type_, to, layer_.kv_heads, layer_.head_dim, head, i);
        }
      }
    }
    memory_.write(bytes);
  }
  /// Where key (plane 0) or value (plane 1) element `at` of a position lies among all values.
  [[nodiscard]] std::size_t index(int sequence,
                                  std::int64_t position,
                                  int plane,
                                  std::int64_t at) const {
    const std::int64_t page =
        order_[static_cast<std::size_t>(sequence * pages_each_ + position / engine::kPageTokens)];
    const std::int64_t row = plane * engine::kPageTokens + position % engine::kPageTokens;
    return static_cast<std::size_t>(page * page_values() + row * width_ + at);
  }
  /// The element, as filled.
  [[nodiscard]] float at(int sequence, std::int64_t position, int plane, std::int64_t at) const {
    return values_[index(sequence, position, plane, at)];
  }

  [[nodiscard]] int head_dim() const { return layer_.head_dim; }

  /// Every page's values, of an f32 cache.
  [[nodiscard]] std::vector<float> read_floats() const {
    const auto bytes = memory_.read();
    std::vector<float> out(bytes.size() / 4);
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }

  /// Every page's values, as bits.
  [[nodiscard]] std::vector<std::uint16_t> read() const {
    const auto bytes = memory_.read();
    std::vector<std::uint16_t> out(bytes.size() / 2);
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }

 private:
  [[nodiscard]] std::int64_t page_values() const { return 2 * engine::kPageTokens * width_; }
  [[nodiscard]] std::int64_t page_bytes() const { return 2 * engine::kPageTokens * row_bytes_; }

  engine::KvType type_;
  std::int64_t row_bytes_;
  std::int64_t width_;
  std::int64_t pages_each_;
  std::vector<std::int64_t> order_;  ///< Of page i of sequence s: at s * pages_each_ + i.
  std::vector<float> values_;
  DeviceArray<std::byte> memory_;
  DeviceArray<std::byte*> pages_;
  DeviceArray<engine::cuda::SequencePages> sequences_;
  engine::cuda::LayerPages layer_;
};

/// One row and head of attention.
struct AttentionCase {
  const PagedSequences& pages;
  StepRow row;
  int kv_head = 0;
  int window = 0;
  bool causal = true;
  float scale = 1.0F;
};

/// softmax(scale * q k_j) v_j in double, and the largest |v|. q, out: (head_dim)
inline double reference_attention(const AttentionCase& a,
                                  const float* q,
                                  std::vector<double>& out) {
  const int dim = a.pages.head_dim();
  std::int64_t first = 0;
  std::int64_t last = a.row.end;
  if (a.window > 0) {
    first = std::max(0, a.row.position - a.window + 1);
    if (!a.causal) last = std::min<std::int64_t>(last, a.row.position + a.window);
  }
  const auto element = [&](std::int64_t position, int plane, int d) {
    return static_cast<double>(a.pages.at(a.row.sequence, position, plane, a.kv_head * dim + d));
  };
  std::vector<double> scores;
  for (std::int64_t j = first; j < last; ++j) {
    double sum = 0.0;
    for (int d = 0; d < dim; ++d) sum += static_cast<double>(q[d]) * element(j, 0, d);
    scores.push_back(sum * static_cast<double>(a.scale));
  }
  const double highest = *std::max_element(scores.begin(), scores.end());
  double total = 0.0;
  for (double& score : scores) total += score = std::exp(score - highest);
  double largest = 0.0;
  out.assign(static_cast<std::size_t>(dim), 0.0);
  for (std::int64_t j = first; j < last; ++j) {
    const double p = scores[static_cast<std::size_t>(j - first)] / total;
    for (int d = 0; d < dim; ++d) {
      const double v = element(j, 1, d);
      out[static_cast<std::size_t>(d)] += p * v;
      largest = std::max(largest, std::abs(v));
    }
  }
  return largest;
}

/// Every element of `rows` (heads, head_dim) that a kernel gave for the rows of `step`, against
/// reference_attention of `q` (rows, heads, head_dim): off by at most `tolerance` of the largest
/// value. `got(i)`: element i as a double.
template <class Shape, class Pages, class Steps, class Got>
void near_reference_attention(Comparison& log,
                              const Shape& shape,
                              const Pages& pages,
                              const Steps& step,
                              const float* q,
                              float scale,
                              double tolerance,
                              const Got& got) {
  const std::int64_t width = std::int64_t{shape.heads} * shape.head_dim;
  std::vector<double> want;
  for (std::int64_t row = 0; row < std::ssize(step.rows) && !log.has_failed(); ++row) {
    for (int head = 0; head < shape.heads; ++head) {
      const std::int64_t at = row * width + head * shape.head_dim;
      const double largest = reference_attention({.pages = pages,
                                                  .row = step.rows[static_cast<std::size_t>(row)],
                                                  .kv_head = head / (shape.heads / shape.kv_heads),
                                                  .window = shape.window,
                                                  .causal = shape.causal,
                                                  .scale = scale},
                                                 q + at,
                                                 want);
      for (int d = 0; d < shape.head_dim; ++d) {
        const auto i = static_cast<std::size_t>(at + d);
        log.near(got(i), want[static_cast<std::size_t>(d)], tolerance * largest, i);
      }
    }
  }
}

}  // namespace facet::test
