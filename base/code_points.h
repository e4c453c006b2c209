// CodePointSet: a set of Unicode code points, and how its members are spelled as UTF-8 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace facet {

struct CodePointRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;  ///< Inclusive.

  bool operator==(const CodePointRange&) const = default;
};

/// Sorted, disjoint, never adjacent ranges within U+0000..U+10FFFF without the surrogates, so that
/// every member has a UTF-8 form. A plain value.
class CodePointSet {
 public:
  CodePointSet() = default;
  /// Any ranges in any order; what is no code point is left out.
  explicit CodePointSet(std::vector<CodePointRange> ranges);
  static CodePointSet all();

  [[nodiscard]] CodePointSet complement() const;
  [[nodiscard]] CodePointSet with(const CodePointSet& other) const;  ///< Union.
  [[nodiscard]] CodePointSet intersection(const CodePointSet& other) const;
  [[nodiscard]] bool contains(std::uint32_t code_point) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] const std::vector<CodePointRange>& ranges() const { return ranges_; }

  bool operator==(const CodePointSet&) const = default;

 private:
  std::vector<CodePointRange> ranges_;
};

/// One to four byte ranges, one after the other: a block of UTF-8 sequences.
struct Utf8Block {
  std::array<std::uint8_t, 4> first{};
  std::array<std::uint8_t, 4> last{};
  int length = 0;
};

/// The UTF-8 sequences of the members of `set`, and no others, as disjoint blocks in byte order.
std::vector<Utf8Block> utf8_blocks(const CodePointSet& set);

}  // namespace facet
