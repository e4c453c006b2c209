#include "engine/model/tensor_table.h"

#include "engine/model/in_quotes.h"

#include <cmath>
#include <utility>

namespace facet::engine {
namespace {

Error wrong_shape(const StoredTensor& tensor, const std::vector<std::int64_t>& expected) {
  return Error{Code::invalid_data,
               "tensor " + in_quotes(tensor.name) + " has shape " + shape_text(tensor.shape) +
                   ", the config asks for " + shape_text(expected)};
}

Error missing(std::string_view name) {
  return Error{Code::invalid_data, "tensor '" + std::string(name) + "' is missing"};
}

}  // namespace

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + ")";
}

Status TensorTable::add(StoredTensor tensor) {
  std::string name = tensor.name;
  const auto [at, added] = tensors_.try_emplace(std::move(name), std::move(tensor));
  if (added) return ok();
  return Error{Code::invalid_data, "tensor " + in_quotes(at->first) + " occurs twice"};
}

const StoredTensor* TensorTable::find(std::string_view name) const {
  const auto at = tensors_.find(name);
  return at == tensors_.end() ? nullptr : &at->second;
}

Result<TensorView> TensorTable::matrix(std::string_view name,
                                       std::int64_t rows,
                                       std::int64_t cols) const {
  const StoredTensor* tensor = find(name);
  if (tensor == nullptr) return missing(name);
  if (tensor->shape != std::vector<std::int64_t>{rows, cols}) {
    return wrong_shape(*tensor, {rows, cols});
  }
  const std::uintptr_t alignment = tensor->type == DType::f32 ? 4 : 2;
  if (reinterpret_cast<std::uintptr_t>(tensor->data) % alignment != 0) {
    return Error{
        Code::unsupported,
        "tensor '" + tensor->name + "' is not aligned to " + std::to_string(alignment) + " bytes"};
  }
  return TensorView{.type = tensor->type, .rows = rows, .cols = cols, .data = tensor->data};
}

Result<std::vector<float>> TensorTable::vector(std::string_view name,
                                               std::int64_t count,
                                               float offset) const {
  const StoredTensor* tensor = find(name);
  if (tensor == nullptr) return missing(name);
  if (tensor->shape != std::vector<std::int64_t>{count}) return wrong_shape(*tensor, {count});
  std::vector<float> out(static_cast<std::size_t>(count));
  dequantize(tensor->type, tensor->data, count, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!std::isfinite(out[i])) {
      return Error{Code::invalid_data,
                   "tensor " + in_quotes(tensor->name) + " has the value " +
                       std::to_string(out[i]) + " at " + std::to_string(i)};
    }
    out[i] += offset;
  }
  return out;
}

}  // namespace facet::engine
