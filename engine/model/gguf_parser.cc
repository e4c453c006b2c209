#include "engine/model/gguf_parser.h"

#include "base/byte_reader.h"
#include "base/checked.h"
#include "engine/model/gguf_types.h"
#include "engine/model/in_quotes.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::uint32_t kMagic = 0x46554747U;  // "GGUF"
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint32_t kDimsMax = 4;

enum class ValueType : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

struct TensorInfo {
  StoredTensor tensor;
  std::uint64_t offset = 0;
};

Error invalid(std::string message) {
  return Error{Code::invalid_data, std::move(message)};
}

/// "F32, F16, ...": the types that are read.
std::string readable_types() {
  std::string out;
  for (const DType type : dtypes()) {
    out += (out.empty() ? "" : ", ") + std::string(dtype_name(type));
  }
  return out;
}

/// Walks the header once; each step reads one part.
class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const GgufLimits& limits)
      : bytes_(bytes), reader_(bytes), limits_(limits) {}

  Status read_counts();
  Result<GgufMetadata> read_metadata();
  Result<std::vector<TensorInfo>> read_tensor_infos();
  /// Fills in data pointers; checks alignment, bounds and overlap.
  Status place(std::vector<TensorInfo>& infos, std::uint64_t alignment) const;

  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] std::size_t offset() const { return reader_.offset(); }
  [[nodiscard]] std::optional<std::size_t> file_type_at() const { return file_type_at_; }

 private:
  Result<std::string_view> read_string(std::string_view what, std::uint64_t bytes_max);
  Result<GgufValue> read_value(ValueType type, const std::string& key);
  Result<GgufValue> read_array(const std::string& key);
  template <typename Stored>
  Result<std::int64_t> read_integer(const std::string& key);
  Result<std::int64_t> read_integer(ValueType type, const std::string& key);
  Result<double> read_float(ValueType type, const std::string& key);
  Result<bool> read_bool(const std::string& key);
  Result<TensorInfo> read_tensor_info();
  Status read_shape(TensorInfo& info);

  std::span<const std::byte> bytes_;
  ByteReader reader_;
  const GgufLimits& limits_;
  std::uint32_t version_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t metadata_count_ = 0;
  std::optional<std::size_t> file_type_at_;
};

Status Parser::read_counts() {
  FACET_TRY(const auto magic, reader_.read<std::uint32_t>("GGUF magic"));
  if (magic != kMagic) return invalid("not a GGUF file: it does not begin with 'GGUF'");
  FACET_TRY(version_, reader_.read<std::uint32_t>("GGUF version"));
  if (version_ == 0) return invalid("GGUF version is 0");
  if (version_ != 2 && version_ != 3) {
    const bool swapped = version_ == 0x02000000U || version_ == 0x03000000U;
    return Error{Code::unsupported,
                 swapped ? std::string("big-endian GGUF")
                         : "GGUF version " + std::to_string(version_) + " (2 and 3 are read)"};
  }
  FACET_TRY(tensor_count_, reader_.read<std::uint64_t>("tensor count"));
  FACET_TRY(metadata_count_, reader_.read<std::uint64_t>("metadata count"));
  if (tensor_count_ > limits_.tensors_max) {
    return Error{Code::limit_exceeded,
                 "tensor count is " + std::to_string(tensor_count_) + ", at most " +
                     std::to_string(limits_.tensors_max) + " are read"};
  }
  if (metadata_count_ > limits_.metadata_max) {
    return Error{Code::limit_exceeded,
                 "metadata count is " + std::to_string(metadata_count_) + ", at most " +
                     std::to_string(limits_.metadata_max) + " are read"};
  }
  return ok();
}

Result<std::string_view> Parser::read_string(std::string_view what, std::uint64_t bytes_max) {
  FACET_TRY(const auto size, reader_.read<std::uint64_t>(what));
  if (size > reader_.remaining()) {
    return invalid(std::string(what) + " is " + std::to_string(size) + " bytes long, only " +
                   std::to_string(reader_.remaining()) + " are left in the file");
  }
  if (size > bytes_max) {
    return Error{Code::limit_exceeded,
                 std::string(what) + " is " + std::to_string(size) + " bytes long, at most " +
                     std::to_string(bytes_max) + " are read"};
  }
  FACET_TRY(const auto bytes, reader_.read_bytes(size, what));
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <typename Stored>
Result<std::int64_t> Parser::read_integer(const std::string& key) {
  FACET_TRY(const Stored value, reader_.read<Stored>(key));
  const auto out = checked_cast<std::int64_t>(value);
  if (!out) return invalid("key " + key + " is " + std::to_string(value) + ", too large");
  return *out;
}

Result<std::int64_t> Parser::read_integer(ValueType type, const std::string& key) {
  switch (type) {
    case ValueType::u8:
      return read_integer<std::uint8_t>(key);
    case ValueType::i8:
      return read_integer<std::int8_t>(key);
    case ValueType::u16:
      return read_integer<std::uint16_t>(key);
    case ValueType::i16:
      return read_integer<std::int16_t>(key);
    case ValueType::u32:
      return read_integer<std::uint32_t>(key);
    case ValueType::i32:
      return read_integer<std::int32_t>(key);
    case ValueType::u64:
      return read_integer<std::uint64_t>(key);
    default:
      return read_integer<std::int64_t>(key);
  }
}

Result<double> Parser::read_float(ValueType type, const std::string& key) {
  if (type == ValueType::f64) return reader_.read<double>(key);
  FACET_TRY(const float value, reader_.read<float>(key));
  return static_cast<double>(value);
}

Result<bool> Parser::read_bool(const std::string& key) {
  FACET_TRY(const auto value, reader_.read<std::uint8_t>(key));
  if (value > 1) return invalid("key " + key + " is a bool of " + std::to_string(value));
  return value == 1;
}

Result<GgufValue> Parser::read_value(ValueType type, const std::string& key) {
  switch (type) {
    case ValueType::boolean: {
      FACET_TRY(const bool value, read_bool(key));
      return GgufValue(value);
    }
    case ValueType::string: {
      FACET_TRY(const auto value, read_string("key " + key, limits_.string_bytes_max));
      return GgufValue(value);
    }
    case ValueType::f32:
    case ValueType::f64: {
      FACET_TRY(const double value, read_float(type, key));
      return GgufValue(value);
    }
    case ValueType::array:
      return read_array(key);
    default: {
      FACET_TRY(const std::int64_t value, read_integer(type, key));
      return GgufValue(value);
    }
  }
}

/// Bytes that one element takes at least; 0 for a type that does not exist or may not nest.
std::uint64_t element_bytes_min(std::uint32_t type) {
  switch (static_cast<ValueType>(type)) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
      return 1;
    case ValueType::u16:
    case ValueType::i16:
      return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
      return 4;
    case ValueType::string:
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64:
      return 8;
    default:
      return 0;
  }
}

Result<GgufValue> Parser::read_array(const std::string& key) {
  FACET_TRY(const auto type_id, reader_.read<std::uint32_t>(key));
  FACET_TRY(const auto count, reader_.read<std::uint64_t>(key));
  const std::uint64_t least = element_bytes_min(type_id);
  if (least == 0) {
    return invalid("key " + key + " is an array of type " + std::to_string(type_id));
  }
  if (count > reader_.remaining() / least) {
    return invalid("key " + key + " states " + std::to_string(count) +
                   " elements, more than the file has bytes for");
  }
  if (count > limits_.array_elements_max) {
    return Error{Code::limit_exceeded,
                 "key " + key + " has " + std::to_string(count) + " elements, at most " +
                     std::to_string(limits_.array_elements_max) + " are read"};
  }
  const auto type = static_cast<ValueType>(type_id);
  if (type == ValueType::string) {
    std::vector<std::string_view> out(count);
    for (auto& element : out) {
      FACET_TRY(element, read_string("an element of " + key, limits_.string_bytes_max));
    }
    return GgufValue(GgufArray(std::move(out)));
  }
  if (type == ValueType::f32 || type == ValueType::f64) {
    std::vector<double> out(count);
    for (auto& element : out) {
      FACET_TRY(element, read_float(type, key));
    }
    return GgufValue(GgufArray(std::move(out)));
  }
  std::vector<std::int64_t> out(count);
  for (auto& element : out) {
    if (type == ValueType::boolean) {
      FACET_TRY(const bool value, read_bool(key));
      element = value ? 1 : 0;
    } else {
      FACET_TRY(element, read_integer(type, key));
    }
  }
  return GgufValue(GgufArray(std::move(out)));
}

Result<GgufMetadata> Parser::read_metadata() {
  GgufMetadata out;
  for (std::uint64_t i = 0; i < metadata_count_; ++i) {
    FACET_TRY(const auto key_view, read_string("a metadata key", limits_.key_bytes_max));
    std::string key(key_view);
    const std::string shown = in_quotes(key);
    FACET_TRY(const auto type, reader_.read<std::uint32_t>(shown));
    if (type > static_cast<std::uint32_t>(ValueType::f64)) {
      return invalid("key " + shown + " has the unknown type " + std::to_string(type));
    }
    const bool is_u32 = static_cast<ValueType>(type) == ValueType::u32;
    if (key == "general.file_type" && is_u32) file_type_at_ = reader_.offset();
    FACET_TRY(GgufValue value, read_value(static_cast<ValueType>(type), shown));
    if (const auto [at, added] = out.try_emplace(std::move(key), std::move(value)); !added) {
      return invalid("key " + shown + " occurs twice");
    }
  }
  return out;
}

Status Parser::read_shape(TensorInfo& info) {
  const std::string name = in_quotes(info.tensor.name);
  FACET_TRY(const auto dims, reader_.read<std::uint32_t>(name));
  if (dims < 1 || dims > kDimsMax) {
    return invalid("tensor " + name + " has " + std::to_string(dims) + " dimensions");
  }
  info.tensor.shape.resize(dims);
  for (std::uint32_t i = 0; i < dims; ++i) {
    FACET_TRY(const auto size, reader_.read<std::uint64_t>(name));
    const auto checked = checked_cast<std::int64_t>(size);
    if (!checked || *checked == 0) {
      return invalid("tensor " + name + " has a dimension of " + std::to_string(size));
    }
    info.tensor.shape[dims - 1 - i] = *checked;
  }
  return ok();
}

Result<TensorInfo> Parser::read_tensor_info() {
  TensorInfo info;
  FACET_TRY(const auto text, read_string("a tensor name", limits_.tensor_name_bytes_max));
  info.tensor.name = std::string(text);
  const std::string name = in_quotes(text);
  FACET_TRY_STATUS(read_shape(info));
  FACET_TRY(const auto type_id, reader_.read<std::uint32_t>(name));
  FACET_TRY(info.offset, reader_.read<std::uint64_t>(name));
  const auto type = dtype_from_gguf_id(type_id);
  if (!type) {
    return Error{Code::unsupported,
                 "tensor " + name + " has type " + gguf_tensor_type_text(type_id) + "; " +
                     readable_types() + " are read"};
  }
  info.tensor.type = *type;
  std::optional<std::int64_t> bytes = dtype_row_bytes(*type, info.tensor.shape.back());
  for (std::size_t i = 0; bytes && i + 1 < info.tensor.shape.size(); ++i) {
    bytes = checked_mul(*bytes, info.tensor.shape[i]);
  }
  if (!bytes) {
    return invalid("tensor " + name + " has the impossible shape " + shape_text(info.tensor.shape) +
                   " for " + std::string(dtype_name(*type)));
  }
  info.tensor.bytes = *bytes;
  return info;
}

Result<std::vector<TensorInfo>> Parser::read_tensor_infos() {
  std::vector<TensorInfo> out;
  for (std::uint64_t i = 0; i < tensor_count_; ++i) {
    FACET_TRY(TensorInfo info, read_tensor_info());
    out.push_back(std::move(info));
  }
  return out;
}

Status Parser::place(std::vector<TensorInfo>& infos, std::uint64_t alignment) const {
  if (infos.empty()) return ok();
  const auto start = checked_align(reader_.offset(), alignment);
  if (!start || *start > bytes_.size()) {
    return invalid("the file ends before the tensor data");
  }
  const std::uint64_t room = bytes_.size() - *start;
  std::sort(infos.begin(), infos.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return a.offset < b.offset;
  });
  std::uint64_t previous_end = 0;
  for (TensorInfo& info : infos) {
    const auto end = checked_add(info.offset, static_cast<std::uint64_t>(info.tensor.bytes));
    const std::string name = "tensor " + in_quotes(info.tensor.name);
    if (info.offset % alignment != 0) {
      return invalid(name + " begins at offset " + std::to_string(info.offset) +
                     ", not a multiple of the alignment " + std::to_string(alignment));
    }
    if (!end || *end > room) {
      return invalid(name + " of " + std::to_string(info.tensor.bytes) + " bytes at offset " +
                     std::to_string(info.offset) + " ends behind the end of the file");
    }
    if (info.offset < previous_end) {
      return invalid(name + " at offset " + std::to_string(info.offset) +
                     " overlaps the tensor before it");
    }
    previous_end = *end;
    info.tensor.data = bytes_.data() + *start + info.offset;
  }
  return ok();
}

Result<std::uint64_t> read_alignment(const GgufMetadata& metadata, const GgufLimits& limits) {
  const auto at = metadata.find("general.alignment");
  if (at == metadata.end()) return kDefaultAlignment;
  const auto* stated = std::get_if<std::int64_t>(&at->second);
  if (stated == nullptr) return invalid("key 'general.alignment' is not an integer");
  const auto alignment = checked_cast<std::uint64_t>(*stated);
  if (!alignment || *alignment < 8 || *alignment > limits.alignment_max ||
      !std::has_single_bit(*alignment)) {
    return invalid("general.alignment is " + std::to_string(*stated) +
                   ", expected a power of two from 8 to " + std::to_string(limits.alignment_max));
  }
  return *alignment;
}

}  // namespace

Result<GgufParts> parse_gguf(std::span<const std::byte> bytes, const GgufLimits& limits) {
  Parser parser(bytes, limits);
  FACET_TRY_STATUS(parser.read_counts());
  GgufParts out;
  out.version = parser.version();
  const std::size_t metadata_begin = parser.offset();
  FACET_TRY(out.metadata, parser.read_metadata());
  out.metadata_bytes = bytes.subspan(metadata_begin, parser.offset() - metadata_begin);
  if (const auto at = parser.file_type_at()) out.file_type_at = *at - metadata_begin;
  FACET_TRY(std::vector<TensorInfo> infos, parser.read_tensor_infos());
  FACET_TRY(out.alignment, read_alignment(out.metadata, limits));
  FACET_TRY_STATUS(parser.place(infos, out.alignment));
  for (TensorInfo& info : infos) FACET_TRY_STATUS(out.tensors.add(std::move(info.tensor)));
  return out;
}

}  // namespace facet::engine
