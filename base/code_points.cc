#include "base/code_points.h"

#include "base/utf8.h"

#include <algorithm>
#include <string>

namespace facet {
namespace {

constexpr std::uint32_t kLast = 0x10FFFF;
constexpr CodePointRange kBelowSurrogates{0, 0xD7FF};
constexpr CodePointRange kAboveSurrogates{0xE000, kLast};

/// Adds the blocks of the code points `first` to `last`, which have UTF-8 forms of equal length. A
/// range is cut where the bytes behind the first do not run over all their values.
void add_blocks(std::uint32_t first, std::uint32_t last, int length, std::vector<Utf8Block>& out) {
  for (int tail = 1; tail < length; ++tail) {
    const std::uint32_t low = (1U << (6U * static_cast<unsigned>(tail))) - 1U;
    if ((first & ~low) == (last & ~low)) continue;
    if ((first & low) != 0) {
      add_blocks(first, first | low, length, out);
      add_blocks((first | low) + 1, last, length, out);
      return;
    }
    if ((last & low) != low) {
      add_blocks(first, (last & ~low) - 1, length, out);
      add_blocks(last & ~low, last, length, out);
      return;
    }
  }
  std::string from;
  std::string to;
  append_utf8(first, from);
  append_utf8(last, to);
  Utf8Block block{.length = length};
  for (std::size_t i = 0; i < from.size(); ++i) {
    block.first[i] = static_cast<std::uint8_t>(from[i]);
    block.last[i] = static_cast<std::uint8_t>(to[i]);
  }
  out.push_back(block);
}

}  // namespace

CodePointSet::CodePointSet(std::vector<CodePointRange> ranges) {
  std::vector<CodePointRange> valid;
  for (const CodePointRange& range : ranges) {
    for (const CodePointRange& part : {kBelowSurrogates, kAboveSurrogates}) {
      const std::uint32_t first = std::max(range.first, part.first);
      const std::uint32_t last = std::min(range.last, part.last);
      if (first <= last) valid.push_back({first, last});
    }
  }
  std::sort(valid.begin(), valid.end(), [](const CodePointRange& a, const CodePointRange& b) {
    return a.first < b.first;
  });
  for (const CodePointRange& range : valid) {
    const bool joins = !ranges_.empty() && range.first <= ranges_.back().last + 1;
    if (joins) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CodePointSet CodePointSet::all() {
  return CodePointSet({{0, kLast}});
}

CodePointSet CodePointSet::complement() const {
  std::vector<CodePointRange> out;
  std::uint32_t next = 0;
  for (const CodePointRange& range : ranges_) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) out.push_back({next, kLast});
  return CodePointSet(std::move(out));
}

CodePointSet CodePointSet::with(const CodePointSet& other) const {
  std::vector<CodePointRange> out = ranges_;
  out.insert(out.end(), other.ranges_.begin(), other.ranges_.end());
  return CodePointSet(std::move(out));
}

CodePointSet CodePointSet::intersection(const CodePointSet& other) const {
  std::vector<CodePointRange> out;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const std::uint32_t first = std::max(a->first, b->first);
    const std::uint32_t last = std::min(a->last, b->last);
    if (first <= last) out.push_back({first, last});
    (a->last < b->last ? a : b)++;
  }
  return CodePointSet(std::move(out));
}

bool CodePointSet::contains(std::uint32_t code_point) const {
  const auto after = std::upper_bound(
      ranges_.begin(),
      ranges_.end(),
      code_point,
      [](std::uint32_t value, const CodePointRange& range) { return value < range.first; });
  return after != ranges_.begin() && code_point <= std::prev(after)->last;
}

std::vector<Utf8Block> utf8_blocks(const CodePointSet& set) {
  // Where the length of the UTF-8 form changes.
  constexpr std::array<CodePointRange, 4> kLengths{
      {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xFFFF}, {0x10000, kLast}}};
  std::vector<Utf8Block> out;
  for (const CodePointRange& range : set.ranges()) {
    for (std::size_t i = 0; i < kLengths.size(); ++i) {
      const std::uint32_t first = std::max(range.first, kLengths[i].first);
      const std::uint32_t last = std::min(range.last, kLengths[i].last);
      if (first <= last) add_blocks(first, last, static_cast<int>(i) + 1, out);
    }
  }
  return out;
}

}  // namespace facet
