#include "engine/tokenizer/model_proto.h"

#include "base/byte_reader.h"
#include "base/checked.h"

#include <bit>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace facet::engine {
namespace {

using Bytes = std::span<const std::byte>;

constexpr int kBpe = 2;
constexpr int kTypeMax = 6;

/// One field of a message: its number, and its value as its wire type has it.
struct Field {
  std::uint32_t number = 0;
  std::uint64_t varint = 0;
  float fixed32 = 0.0F;
  std::optional<Bytes> bytes;  ///< Length-delimited fields.
};

Result<std::uint64_t> read_varint(ByteReader& reader) {
  std::uint64_t out = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    FACET_TRY(const auto byte, reader.read<std::uint8_t>("a varint"));
    out |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80U) return out;
  }
  return Error{Code::invalid_data, "a varint is longer than 10 bytes"};
}

Result<Field> read_field(ByteReader& reader) {
  FACET_TRY(const std::uint64_t tag, read_varint(reader));
  Field field;
  if ((tag >> 3U) == 0 || (tag >> 3U) > std::numeric_limits<std::uint32_t>::max()) {
    return Error{Code::invalid_data, "field number " + std::to_string(tag >> 3U)};
  }
  field.number = static_cast<std::uint32_t>(tag >> 3U);
  switch (tag & 7U) {
    case 0: {
      FACET_TRY(field.varint, read_varint(reader));
      return field;
    }
    case 1: {
      FACET_TRY_STATUS(reader.skip(8, "a 64-bit field"));
      return field;
    }
    case 2: {
      FACET_TRY(const std::uint64_t size, read_varint(reader));
      FACET_TRY(field.bytes, reader.read_bytes(size, "a field"));
      return field;
    }
    case 5: {
      FACET_TRY(field.fixed32, reader.read<float>("a 32-bit field"));
      return field;
    }
    default:
      return Error{
          Code::invalid_data,
          "field " + std::to_string(field.number) + " has wire type " + std::to_string(tag & 7U)};
  }
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<Piece> parse_piece(Bytes bytes) {
  Piece piece;
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    FACET_TRY(const Field field, read_field(reader));
    if (field.number == 1 && field.bytes) {
      if (field.bytes->size() > kPieceBytesMax) {
        return Error{Code::limit_exceeded,
                     "a text of " + std::to_string(field.bytes->size()) + " bytes, at most " +
                         std::to_string(kPieceBytesMax) + " are read"};
      }
      piece.text = std::string(text_of(*field.bytes));
    } else if (field.number == 2) {
      piece.score = field.fixed32;
    } else if (field.number == 3) {
      if (field.varint < 1 || field.varint > kTypeMax) {
        return Error{Code::invalid_data, "type " + std::to_string(field.varint)};
      }
      piece.type = static_cast<Piece::Type>(field.varint);
    }
  }
  return piece;
}

/// An id field of the trainer spec; SentencePiece writes "none" as -1 in ten bytes.
Result<TokenId> id_of(const Field& field) {
  const auto value = std::bit_cast<std::int64_t>(field.varint);
  const auto id = checked_cast<TokenId>(value);
  if (!id || *id < -1) {
    return Error{
        Code::invalid_data,
        "trainer field " + std::to_string(field.number) + " is the id " + std::to_string(value)};
  }
  return *id;
}

Status parse_trainer(Bytes bytes, Vocabulary& out) {
  std::uint64_t model_type = 1;
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    FACET_TRY(const Field field, read_field(reader));
    if (field.number == 3) model_type = field.varint;
    if (field.number == 41) {
      FACET_TRY(out.bos, id_of(field));
    }
    if (field.number == 42) {
      FACET_TRY(out.eos, id_of(field));
    }
    if (field.number == 43) {
      FACET_TRY(out.pad, id_of(field));
    }
  }
  if (model_type == kBpe) return ok();
  return Error{Code::unsupported,
               "SentencePiece model type " + std::to_string(model_type) + "; BPE (2) is read"};
}

Status parse_normalizer(Bytes bytes) {
  bool dummy_prefix = true;  // SentencePiece's defaults for fields that are not written.
  bool removes_spaces = true;
  bool escapes_spaces = true;
  bool has_map = false;
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    FACET_TRY(const Field field, read_field(reader));
    if (field.number == 2) has_map = field.bytes && !field.bytes->empty();
    if (field.number == 3) dummy_prefix = field.varint != 0;
    if (field.number == 4) removes_spaces = field.varint != 0;
    if (field.number == 5) escapes_spaces = field.varint != 0;
  }
  std::string_view reason;
  if (has_map) reason = "a character map";
  if (dummy_prefix) reason = "add_dummy_prefix";
  if (removes_spaces) reason = "remove_extra_whitespaces";
  if (!escapes_spaces) reason = "no escape_whitespaces";
  if (reason.empty()) return ok();
  return Error{Code::unsupported,
               "a SentencePiece model with " + std::string(reason) +
                   "; Gemma tokenizers leave text as it is"};
}

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80U) {
    out.push_back(static_cast<char>((value & 0x7FU) | 0x80U));
    value >>= 7U;
  }
  out.push_back(static_cast<char>(value));
}

void append_number(std::string& out, std::uint32_t field, std::uint64_t value) {
  append_varint(out, field << 3U);
  append_varint(out, value);
}

void append_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  append_varint(out, (field << 3U) | 2U);
  append_varint(out, bytes.size());
  out += bytes;
}

void append_float(std::string& out, std::uint32_t field, float value) {
  append_varint(out, (field << 3U) | 5U);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>((bits >> shift) & 0xFFU));
  }
}

std::uint64_t id_varint(std::int64_t id) {
  return std::bit_cast<std::uint64_t>(id);
}

}  // namespace

Result<Vocabulary> parse_model_proto(std::span<const std::byte> bytes) {
  Vocabulary out;
  bool has_trainer = false;
  bool has_normalizer = false;
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    FACET_TRY(const Field field, read_field(reader));
    if (!field.bytes) continue;
    if (field.number == 1) {
      const std::size_t id = out.pieces.size();
      if (id == kPiecesMax) {
        return Error{Code::limit_exceeded,
                     "more than " + std::to_string(kPiecesMax) + " vocabulary pieces"};
      }
      auto piece = parse_piece(*field.bytes);
      if (!piece) return piece.error().with_context("piece " + std::to_string(id));
      out.pieces.push_back(*std::move(piece));
    } else if (field.number == 2) {
      FACET_TRY_STATUS(parse_trainer(*field.bytes, out));
      has_trainer = true;
    } else if (field.number == 3) {
      FACET_TRY_STATUS(parse_normalizer(*field.bytes));
      has_normalizer = true;
    }
  }
  if (!has_trainer || !has_normalizer || out.pieces.empty()) {
    return Error{Code::invalid_data,
                 "not a SentencePiece model: no pieces, trainer or normalizer part in it"};
  }
  return out;
}

std::string write_model_proto(const Vocabulary& vocabulary) {
  std::string out;
  std::int64_t unknown = 0;
  for (std::size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    const Piece& piece = vocabulary.pieces[id];
    std::string message;
    append_bytes(message, 1, piece.text);
    append_float(message, 2, piece.score);
    append_number(message, 3, static_cast<std::uint64_t>(piece.type));
    append_bytes(out, 1, message);
    if (piece.type == Piece::Type::unknown) unknown = static_cast<std::int64_t>(id);
  }
  std::string trainer;
  append_number(trainer, 3, kBpe);
  append_number(trainer, 4, vocabulary.pieces.size());
  append_number(trainer, 35, 1);
  append_number(trainer, 40, id_varint(unknown));
  append_number(trainer, 41, id_varint(vocabulary.bos));
  append_number(trainer, 42, id_varint(vocabulary.eos));
  append_number(trainer, 43, id_varint(vocabulary.pad));
  append_bytes(out, 2, trainer);
  std::string normalizer;
  append_bytes(normalizer, 1, "identity");
  append_number(normalizer, 3, 0);
  append_number(normalizer, 4, 0);
  append_number(normalizer, 5, 1);
  append_bytes(out, 3, normalizer);
  return out;
}

}  // namespace facet::engine
