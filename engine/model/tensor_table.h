// TensorTable: the tensors of a model by name, whatever files they came from.
#pragma once

#include "base/result.h"
#include "engine/model/tensor.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace facet::engine {

/// One tensor as a file describes it. `shape` is outermost first, so the last entry is the length
/// of a row; the readers have checked that the bytes are inside the file.
struct StoredTensor {
  std::string name;
  DType type = DType::f32;
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
  std::int64_t bytes = 0;
};

/// Borrows the bytes of the mapped files it was filled from. Ordered by name.
class TensorTable {
 public:
  /// invalid_data when the name is there already.
  Status add(StoredTensor tensor);

  [[nodiscard]] const StoredTensor* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, StoredTensor, std::less<>>& all() const {
    return tensors_;
  }

  /// The tensor `name` as a matrix. invalid_data naming the tensor when it is missing or its shape
  /// is not exactly (rows, cols), unsupported when its bytes are not aligned for its type (kernels
  /// read them in place; every usual writer aligns them).
  [[nodiscard]] Result<TensorView> matrix(std::string_view name,
                                          std::int64_t rows,
                                          std::int64_t cols) const;

  /// The one-dimensional tensor `name` as floats, `offset` added to each. invalid_data when it is
  /// missing, when its shape is not exactly (count), or when a value is not finite.
  [[nodiscard]] Result<std::vector<float>> vector(std::string_view name,
                                                  std::int64_t count,
                                                  float offset) const;

 private:
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

/// "(8192, 256)".
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace facet::engine
