#include "engine/model/quantize.h"

#include "base/check.h"
#include "base/mapped_file.h"
#include "engine/model/gguf_export.h"
#include "engine/model/gguf_parser.h"
#include "engine/model/model_source.h"
#include "engine/model/weights.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace facet::engine {
namespace {

namespace fs = std::filesystem;

void put_half(float value, std::byte* to) {
  const std::uint16_t bits = float_to_half(value);
  std::memcpy(to, &bits, sizeof bits);
}

void quantize_q8_0(const float* from, std::byte* to) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(from[i]));
  const float d = largest / 127.0F;
  const float inverse = d == 0.0F ? 0.0F : 1.0F / d;
  put_half(d, to);
  for (int i = 0; i < 32; ++i) {
    to[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(std::round(from[i] * inverse)));
  }
}

void quantize_q4_0(const float* from, std::byte* to) {
  float extreme = 0.0F;
  for (int i = 0; i < 32; ++i) {
    if (std::abs(from[i]) > std::abs(extreme)) extreme = from[i];
  }
  const float d = extreme / -8.0F;
  const float inverse = d == 0.0F ? 0.0F : 1.0F / d;
  put_half(d, to);
  const auto level = [inverse](float value) {
    return std::min(15, static_cast<int>(value * inverse + 8.5F));
  };
  for (int i = 0; i < 16; ++i) {
    to[2 + i] = static_cast<std::byte>(level(from[i]) | level(from[i + 16]) << 4);
  }
}

/// `value` where the floats of `type` can hold it.
bool fits(DType type, float value) {
  // Halves, and the scales of blocks, become infinity beyond.
  const bool has_halves = type != DType::f32 && type != DType::bf16;
  return std::isfinite(value) && (!has_halves || std::abs(value) < 65504.0F);
}

template <typename Bits>
void pack(const float* from, std::int64_t count, Bits (*rounded)(float), std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i, to += sizeof(Bits)) {
    const Bits bits = rounded(from[i]);
    std::memcpy(to, &bits, sizeof bits);
  }
}

/// A number as GGUF writes it.
template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

/// What is read: a GGUF file, or a folder that is planned as one.
struct Input {
  std::vector<MappedFile> files;  ///< Behind the tensors.
  ModelConfig config;             ///< Of a folder.
  GgufPlan plan;
  std::uint64_t alignment = 32;
  std::optional<std::size_t> file_type_at;  ///< In plan.metadata.
};

/// A tensor of the new file.
struct Output {
  const GgufTensorPlan* tensor;
  DType type;
  std::uint64_t offset;
  std::uint64_t bytes;
};

Error cannot_write(const fs::path& path, const std::error_code& reason) {
  return {Code::unavailable, "cannot write '" + path.string() + "': " + reason.message()};
}

Result<Input> read_gguf_input(const fs::path& path) {
  Input out;
  FACET_TRY(MappedFile file, MappedFile::open(path));
  FACET_TRY(const GgufParts parts, parse_gguf(file.bytes(), {}));
  out.plan.metadata.assign(reinterpret_cast<const char*>(parts.metadata_bytes.data()),
                           parts.metadata_bytes.size());
  out.plan.metadata_count = parts.metadata.size();
  out.alignment = parts.alignment;
  out.file_type_at = parts.file_type_at;
  for (const auto& [name, tensor] : parts.tensors.all()) {
    out.plan.tensors.push_back({.name = name, .source = tensor});
  }
  out.files.push_back(std::move(file));
  return out;
}

Status check_weights(const ModelSource& source) {
  const auto weights = assemble_weights(
      source.config, source.tensors, source.naming, source.embedding_may_be_longer);
  return weights ? ok() : Status(weights.error());
}

Result<Input> read_folder_input(const fs::path& folder) {
  Input out;
  FACET_TRY(ModelSource source, read_hf_model(folder, true));
  // Every tensor is there and has its shape.
  FACET_TRY_STATUS(check_weights(source));
  FACET_TRY(out.plan, plan_gguf(source));
  // The place of the type's number, as read_gguf_input finds it.
  constexpr std::string_view kKey = "general.file_type";
  put<std::uint64_t>(out.plan.metadata, kKey.size());
  out.plan.metadata += kKey;
  put<std::uint32_t>(out.plan.metadata, 4);
  out.file_type_at = out.plan.metadata.size();
  put<std::uint32_t>(out.plan.metadata, 0);
  ++out.plan.metadata_count;
  out.config = std::move(source.config);
  out.files = std::move(source.files);
  return out;
}

/// Matrices get `type` where their rows are whole blocks; norms of a folder are made floats.
DType type_for(const GgufTensorPlan& tensor, DType type) {
  const StoredTensor& source = tensor.source;
  if (tensor.offset != 0.0F) return DType::f32;
  return source.shape.size() == 2 && dtype_row_bytes(type, source.shape.back()) ? type
                                                                                : source.type;
}

std::vector<Output> place(const Input& input, DType type) {
  std::vector<Output> out;
  std::uint64_t offset = 0;
  for (const GgufTensorPlan& tensor : input.plan.tensors) {
    const DType chosen = type_for(tensor, type);
    std::int64_t elements = 1;
    for (const std::int64_t size : tensor.source.shape) elements *= size;
    const auto bytes = static_cast<std::uint64_t>(elements / dtype_block_elements(chosen) *
                                                  dtype_block_bytes(chosen));
    out.push_back({&tensor, chosen, offset, bytes});
    offset += (bytes + input.alignment - 1) / input.alignment * input.alignment;
  }
  return out;
}

/// llama.cpp's number of a file that is mostly of this type.
std::uint32_t file_type_number(DType type) {
  switch (type) {
    case DType::f32:
      return 0;
    case DType::f16:
      return 1;
    case DType::bf16:
      return 32;
    case DType::q8_0:
      return 7;
    default:
      return 2;
  }
}

/// Everything before the data, padded to the alignment.
std::string header(const Input& input, const std::vector<Output>& outputs, DType type) {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, outputs.size());
  put<std::uint64_t>(out, input.plan.metadata_count);
  const std::size_t at = out.size();
  out += input.plan.metadata;
  if (input.file_type_at) {
    const std::uint32_t number = file_type_number(type);
    std::memcpy(out.data() + at + *input.file_type_at, &number, sizeof number);
  }
  for (const Output& output : outputs) {
    const std::vector<std::int64_t>& shape = output.tensor->source.shape;
    put<std::uint64_t>(out, output.tensor->name.size());
    out += output.tensor->name;
    put<std::uint32_t>(out, static_cast<std::uint32_t>(shape.size()));
    for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
      put<std::uint64_t>(out, static_cast<std::uint64_t>(*size));
    }
    put<std::uint32_t>(out, dtype_gguf_id(output.type));
    put<std::uint64_t>(out, output.offset);
  }
  out.resize((out.size() + input.alignment - 1) / input.alignment * input.alignment);
  return out;
}

/// The bytes of one tensor, row by row, so that memory stays small.
Status write_tensor(const Output& output, std::ofstream& file) {
  const StoredTensor& source = output.tensor->source;
  if (output.type == source.type && output.tensor->offset == 0.0F) {
    file.write(reinterpret_cast<const char*>(source.data), source.bytes);
    return ok();
  }
  const std::int64_t cols = source.shape.back();
  const std::int64_t rows = source.shape.size() == 2 ? source.shape[0] : 1;
  const TensorView view{.type = source.type, .rows = rows, .cols = cols, .data = source.data};
  std::vector<float> row(static_cast<std::size_t>(cols));
  std::vector<std::byte> packed(static_cast<std::size_t>(*dtype_row_bytes(output.type, cols)));
  for (std::int64_t r = 0; r < rows; ++r) {
    dequantize(source.type, view.row(r), cols, row.data());
    for (float& value : row) {
      value += output.tensor->offset;
      if (fits(output.type, value)) continue;
      return Error{Code::invalid_data,
                   "tensor '" + source.name + "' has the value " + std::to_string(value)};
    }
    quantize(output.type, row.data(), cols, packed.data());
    file.write(reinterpret_cast<const char*>(packed.data()),
               static_cast<std::streamsize>(packed.size()));
  }
  return ok();
}

Status write_file(const Input& input,
                  const std::vector<Output>& outputs,
                  DType type,
                  const fs::path& path) {
  std::ofstream file(path, std::ios::binary);
  if (!file.good()) return cannot_write(path, {errno, std::generic_category()});
  const std::string front = header(input, outputs, type);
  file.write(front.data(), static_cast<std::streamsize>(front.size()));
  const std::string padding(static_cast<std::size_t>(input.alignment), '\0');
  for (const Output& output : outputs) {
    FACET_TRY_STATUS(write_tensor(output, file));
    const std::uint64_t over = output.bytes % input.alignment;
    if (over > 0) {
      file.write(padding.data(), static_cast<std::streamsize>(input.alignment - over));
    }
  }
  file.close();
  return file.fail() ? Status(cannot_write(path, {errno, std::generic_category()})) : ok();
}

/// What was made of a folder must be read back as the same model.
Status check_written(const Input& input, const fs::path& path) {
  if (input.config.layers.empty()) return ok();
  FACET_TRY(const ModelSource written, read_gguf_model(path, true));
  return check_export(input.config, written.config);
}

}  // namespace

bool can_quantize(DType type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::q8_0 ||
         type == DType::q4_0;
}

void quantize(DType type, const float* from, std::int64_t count, std::byte* to) {
  FACET_CHECK(can_quantize(type) && count % dtype_block_elements(type) == 0);
  if (type == DType::f32) std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  if (type == DType::f16) pack(from, count, float_to_half, to);
  if (type == DType::bf16) pack(from, count, float_to_bf16, to);
  if (type != DType::q8_0 && type != DType::q4_0) return;
  for (std::int64_t i = 0; i < count; i += kQuantBlock, to += dtype_block_bytes(type)) {
    type == DType::q8_0 ? quantize_q8_0(from + i, to) : quantize_q4_0(from + i, to);
  }
}

Result<QuantizeCounts> quantize_model(const fs::path& in, const fs::path& out, DType type) {
  if (!can_quantize(type)) {
    return Error{Code::unsupported,
                 "type " + std::string(dtype_name(type)) + " is not written; " +
                     std::string(kQuantizeTypes) + " are"};
  }
  std::error_code error;
  const bool is_folder = fs::is_directory(in, error);
  const auto input = is_folder ? read_folder_input(in) : read_gguf_input(in);
  if (!input) return input.error().with_context(in.string());
  if (fs::equivalent(in, out, error)) {
    return Error{Code::invalid_argument, "'" + out.string() + "' is the file that is read"};
  }
  const std::vector<Output> outputs = place(*input, type);
  const fs::path temporary = out.string() + ".tmp." + std::to_string(::getpid());
  Status written = write_file(*input, outputs, type, temporary);
  if (written) written = check_written(*input, temporary);
  if (written) {
    fs::rename(temporary, out, error);
    if (error) written = cannot_write(out, error);
  }
  if (!written) {
    fs::remove(temporary, error);
    return written.error();
  }
  QuantizeCounts counts{.left_out = input->plan.left_out};
  for (const Output& output : outputs) {
    ++(output.type == output.tensor->source.type ? counts.kept : counts.quantized);
  }
  counts.bytes = static_cast<std::int64_t>(fs::file_size(out, error));
  return counts;
}

}  // namespace facet::engine
