#include "base/byte_reader.h"

namespace facet {

Error ByteReader::short_read(std::string_view what, std::uint64_t wanted) const {
  return Error{Code::invalid_data,
               std::string(what) + " needs " + std::to_string(wanted) + " bytes at offset " +
                   std::to_string(offset_) + ", but only " + std::to_string(remaining()) +
                   " are left"};
}

Result<std::span<const std::byte>> ByteReader::read_bytes(std::uint64_t size,
                                                          std::string_view what) {
  if (size > remaining()) return short_read(what, size);
  const auto view = bytes_.subspan(offset_, static_cast<std::size_t>(size));
  offset_ += static_cast<std::size_t>(size);
  return view;
}

Result<std::string> ByteReader::read_string(std::uint64_t size, std::string_view what) {
  FACET_TRY(const auto view, read_bytes(size, what));
  return std::string(reinterpret_cast<const char*>(view.data()), view.size());
}

Status ByteReader::skip(std::uint64_t size, std::string_view what) {
  FACET_TRY_STATUS(read_bytes(size, what));
  return ok();
}

}  // namespace facet
