#include "base/byte_reader.h"

#include "base/checked.h"
#include "tests/support/catch.h"

#include <array>
#include <cstddef>

using facet::ByteReader;

TEST_CASE("a byte reader reads little-endian numbers in order", "[base][unit]") {
  const std::array<std::byte, 6> bytes{std::byte{0x34},
                                       std::byte{0x12},
                                       std::byte{0x78},
                                       std::byte{0x56},
                                       std::byte{0x34},
                                       std::byte{0x12}};
  ByteReader reader(bytes);
  CHECK(*reader.read<std::uint16_t>("a") == 0x1234);
  CHECK(*reader.read<std::uint32_t>("b") == 0x12345678U);
  CHECK(reader.remaining() == 0);
}

TEST_CASE("a short read names the field and leaves the position", "[base][unit]") {
  const std::array<std::byte, 3> bytes{};
  ByteReader reader(bytes);
  REQUIRE(reader.read<std::uint8_t>("first").has_value());
  const auto failed = reader.read<std::uint32_t>("tensor count");
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == facet::Code::invalid_data);
  CHECK(failed.error().message == "tensor count needs 4 bytes at offset 1, but only 2 are left");
  CHECK(reader.offset() == 1);
  CHECK_FALSE(reader.read_string(~0ULL, "name").has_value());
  CHECK_FALSE(reader.skip(3, "padding").has_value());
  CHECK(reader.skip(2, "padding").has_value());
}

TEST_CASE("checked arithmetic reports overflow instead of wrapping", "[base][unit]") {
  CHECK(facet::checked_mul<std::uint64_t>(1ULL << 40U, 1ULL << 30U) == std::nullopt);
  CHECK(facet::checked_mul<std::uint64_t>(3, 5) == 15U);
  CHECK(facet::checked_add<std::int32_t>(2147483647, 1) == std::nullopt);
  CHECK(facet::checked_cast<std::int32_t>(std::int64_t{1} << 31U) == std::nullopt);
  CHECK(facet::checked_cast<std::uint32_t>(-1) == std::nullopt);
  CHECK(facet::checked_align(33, 32) == 64U);
  CHECK(facet::checked_align(~0ULL - 3, 32) == std::nullopt);
}
