#include "engine/model/quantize.h"

#include "base/check.h"
#include "base/mapped_file.h"
#include "engine/model/gguf_parser.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
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

/// A number as GGUF writes it.
template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

/// A tensor of the new file.
struct Output {
  const StoredTensor* source;
  DType type;
  std::uint64_t offset;
  std::uint64_t bytes;
};

Error cannot_write(const fs::path& path) {
  return {Code::unavailable, "cannot write '" + path.string() + "'"};
}

DType type_for(const StoredTensor& tensor, DType type) {
  const bool is_matrix = tensor.shape.size() == 2;
  return is_matrix && dtype_row_bytes(type, tensor.shape.back()) ? type : tensor.type;
}

std::vector<Output> plan(const GgufParts& parts, DType type) {
  std::vector<Output> out;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : parts.tensors.all()) {
    const DType chosen = type_for(tensor, type);
    std::int64_t elements = 1;
    for (const std::int64_t size : tensor.shape) elements *= size;
    const auto bytes = static_cast<std::uint64_t>(elements / dtype_block_elements(chosen) *
                                                  dtype_block_bytes(chosen));
    out.push_back({&tensor, chosen, offset, bytes});
    offset += (bytes + parts.alignment - 1) / parts.alignment * parts.alignment;
  }
  return out;
}

/// Everything before the data, padded to the alignment.
std::string header(const GgufParts& parts, const std::vector<Output>& outputs, DType type) {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, outputs.size());
  put<std::uint64_t>(out, parts.metadata.size());
  const std::size_t at = out.size();
  out.append(reinterpret_cast<const char*>(parts.metadata_bytes.data()),
             parts.metadata_bytes.size());
  if (parts.file_type_at) {
    // llama.cpp's number of a file that is mostly of this type.
    const std::uint32_t number = type == DType::q8_0 ? 7 : 2;
    std::memcpy(out.data() + at + *parts.file_type_at, &number, sizeof number);
  }
  for (const Output& output : outputs) {
    put<std::uint64_t>(out, output.source->name.size());
    out += output.source->name;
    put<std::uint32_t>(out, static_cast<std::uint32_t>(output.source->shape.size()));
    for (auto size = output.source->shape.rbegin(); size != output.source->shape.rend(); ++size) {
      put<std::uint64_t>(out, static_cast<std::uint64_t>(*size));
    }
    put<std::uint32_t>(out, dtype_gguf_id(output.type));
    put<std::uint64_t>(out, output.offset);
  }
  out.resize((out.size() + parts.alignment - 1) / parts.alignment * parts.alignment);
  return out;
}

/// The bytes of one tensor, row by row, so that memory stays small.
Status write_tensor(const Output& output, std::ofstream& file) {
  const StoredTensor& source = *output.source;
  if (output.type == source.type) {
    file.write(reinterpret_cast<const char*>(source.data), source.bytes);
    return ok();
  }
  const std::int64_t cols = source.shape[1];
  const TensorView view{
      .type = source.type, .rows = source.shape[0], .cols = cols, .data = source.data};
  std::vector<float> row(static_cast<std::size_t>(cols));
  std::vector<std::byte> packed(static_cast<std::size_t>(*dtype_row_bytes(output.type, cols)));
  for (std::int64_t r = 0; r < view.rows; ++r) {
    dequantize(source.type, view.row(r), cols, row.data());
    for (const float value : row) {
      // Scales are halves: what is larger would become infinity.
      if (std::isfinite(value) && std::abs(value) < 65504.0F) continue;
      return Error{Code::invalid_data,
                   "tensor '" + source.name + "' has the value " + std::to_string(value)};
    }
    quantize(output.type, row.data(), cols, packed.data());
    file.write(reinterpret_cast<const char*>(packed.data()),
               static_cast<std::streamsize>(packed.size()));
  }
  return ok();
}

Status write_file(const GgufParts& parts,
                  const std::vector<Output>& outputs,
                  DType type,
                  const fs::path& path) {
  std::ofstream file(path, std::ios::binary);
  if (!file.good()) return cannot_write(path);
  const std::string front = header(parts, outputs, type);
  file.write(front.data(), static_cast<std::streamsize>(front.size()));
  const std::string padding(static_cast<std::size_t>(parts.alignment), '\0');
  for (const Output& output : outputs) {
    FACET_TRY_STATUS(write_tensor(output, file));
    const std::uint64_t over = output.bytes % parts.alignment;
    if (over > 0) {
      file.write(padding.data(), static_cast<std::streamsize>(parts.alignment - over));
    }
  }
  file.close();
  return file.fail() ? Status(cannot_write(path)) : ok();
}

}  // namespace

bool can_quantize(DType type) {
  return type == DType::q8_0 || type == DType::q4_0;
}

void quantize(DType type, const float* from, std::int64_t count, std::byte* to) {
  FACET_CHECK(can_quantize(type) && count % kQuantBlock == 0);
  for (std::int64_t i = 0; i < count; i += kQuantBlock, to += dtype_block_bytes(type)) {
    type == DType::q8_0 ? quantize_q8_0(from + i, to) : quantize_q4_0(from + i, to);
  }
}

Result<QuantizeCounts> quantize_gguf(const fs::path& in, const fs::path& out, DType type) {
  if (!can_quantize(type)) {
    return Error{Code::unsupported,
                 "type " + std::string(dtype_name(type)) + " is not written; Q8_0 and Q4_0 are"};
  }
  FACET_TRY(const MappedFile file, MappedFile::open(in));
  std::error_code error;
  if (fs::equivalent(in, out, error)) {
    return Error{Code::invalid_argument, "'" + out.string() + "' is the file that is read"};
  }
  const auto parts = parse_gguf(file.bytes(), {});
  if (!parts) return parts.error().with_context(in.string());
  const std::vector<Output> outputs = plan(*parts, type);
  const fs::path temporary = out.string() + ".tmp." + std::to_string(::getpid());
  Status written = write_file(*parts, outputs, type, temporary);
  if (written) {
    fs::rename(temporary, out, error);
    if (error) written = cannot_write(out);
  }
  if (!written) {
    fs::remove(temporary, error);
    return written.error();
  }
  QuantizeCounts counts;
  for (const Output& output : outputs) {
    ++(output.type == output.source->type ? counts.kept : counts.quantized);
  }
  counts.bytes = static_cast<std::int64_t>(fs::file_size(out, error));
  return counts;
}

}  // namespace facet::engine
