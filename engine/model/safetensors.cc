#include "engine/model/safetensors.h"

#include "base/byte_reader.h"
#include "base/checked.h"
#include "engine/model/in_quotes.h"
#include "engine/model/safetensors_header.h"

#include <algorithm>
#include <utility>

namespace facet::engine {
namespace {

Error invalid(std::string message) {
  return Error{Code::invalid_data, std::move(message)};
}

std::optional<DType> dtype_of(std::string_view name) {
  if (name == "F32") return DType::f32;
  if (name == "F16") return DType::f16;
  if (name == "BF16") return DType::bf16;
  return std::nullopt;
}

/// Bytes that a shape asks for; nullopt when that overflows.
std::optional<std::int64_t> bytes_of(DType type, const std::vector<std::int64_t>& shape) {
  std::optional<std::int64_t> out = dtype_block_bytes(type);
  for (const std::int64_t size : shape) {
    if (out) out = checked_mul(*out, size);
  }
  return out;
}

Result<StoredTensor> place(const SafetensorsEntry& entry, std::span<const std::byte> data) {
  const auto type = dtype_of(entry.dtype);
  if (!type) {
    return Error{Code::unsupported,
                 "tensor " + in_quotes(entry.name) + " has type " + in_quotes(entry.dtype) +
                     "; F32, F16 and BF16 are read"};
  }
  const auto bytes = bytes_of(*type, entry.shape);
  const auto size = static_cast<std::int64_t>(data.size());
  if (!bytes || entry.begin > entry.end || entry.end > size || entry.end - entry.begin != *bytes) {
    return invalid("tensor " + in_quotes(entry.name) + " of " + entry.dtype + " and shape " +
                   shape_text(entry.shape) + " lies at " + std::to_string(entry.begin) + " to " +
                   std::to_string(entry.end) + " in " + std::to_string(size) + " bytes of data");
  }
  return StoredTensor{.name = entry.name,
                      .type = *type,
                      .shape = entry.shape,
                      .data = data.data() + entry.begin,
                      .bytes = *bytes};
}

/// The data must be covered by the tensors exactly once.
Status check_cover(std::vector<StoredTensor>& tensors, std::span<const std::byte> data) {
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return a.data != b.data ? a.data < b.data : a.bytes < b.bytes;
  });
  const std::byte* at = data.data();
  for (const StoredTensor& tensor : tensors) {
    if (tensor.data != at) {
      return invalid("tensor " + in_quotes(tensor.name) + " begins at " +
                     std::to_string(tensor.data - data.data()) + ", expected " +
                     std::to_string(at - data.data()));
    }
    at += tensor.bytes;
  }
  const auto left = data.data() + data.size() - at;
  if (left == 0) return ok();
  return invalid(std::to_string(left) + " bytes lie behind the last tensor");
}

}  // namespace

Status read_safetensors(std::span<const std::byte> bytes,
                        std::string_view prefix,
                        TensorTable& table,
                        const SafetensorsLimits& limits) {
  ByteReader reader(bytes);
  FACET_TRY(const auto size, reader.read<std::uint64_t>("safetensors header length"));
  if (size > limits.header_bytes_max) {
    return Error{Code::limit_exceeded,
                 "safetensors header length is " + std::to_string(size) + ", at most " +
                     std::to_string(limits.header_bytes_max) + " bytes are read"};
  }
  FACET_TRY(const auto header, reader.read_bytes(size, "safetensors header"));
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  FACET_TRY(const auto entries, parse_safetensors_header(text, limits));
  const auto data = bytes.subspan(reader.offset());
  std::vector<StoredTensor> tensors;
  for (const SafetensorsEntry& entry : entries) {
    FACET_TRY(StoredTensor tensor, place(entry, data));
    tensors.push_back(std::move(tensor));
  }
  FACET_TRY_STATUS(check_cover(tensors, data));
  for (StoredTensor& tensor : tensors) {
    tensor.name.insert(0, prefix);
    FACET_TRY_STATUS(table.add(std::move(tensor)));
  }
  return ok();
}

}  // namespace facet::engine
