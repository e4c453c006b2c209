// What a keyword has looked at. Private to schema.cc.
#pragma once

#include <cstddef>
#include <vector>

namespace facet::tools {

/// Which members of an object or items of an array some keyword has evaluated: what unevaluated*
/// ask for.
class Evaluated {
 public:
  void mark(std::size_t index) {
    if (marks_.size() <= index) marks_.resize(index + 1);
    marks_[index] = true;
  }
  [[nodiscard]] bool has(std::size_t index) const { return index < marks_.size() && marks_[index]; }
  [[nodiscard]] std::size_t size() const { return marks_.size(); }
  void merge(const Evaluated& other) {
    for (std::size_t i = 0; i < other.marks_.size(); ++i) {
      if (other.marks_[i]) mark(i);
    }
  }

 private:
  std::vector<bool> marks_;
};

}  // namespace facet::tools
