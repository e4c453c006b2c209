#include "base/mapped_file.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <fstream>

TEST_CASE("a mapped file shows the bytes of the file", "[base][unit]") {
  const facet::test::TempDir dir;
  const auto path = dir.path() / "f.bin";
  std::ofstream(path, std::ios::binary) << "abc";
  auto file = facet::MappedFile::open(path);
  REQUIRE(file.has_value());
  facet::MappedFile moved = *std::move(file);
  REQUIRE(moved.bytes().size() == 3);
  CHECK(moved.bytes()[1] == std::byte{'b'});
}

TEST_CASE("missing, empty and special files are typed errors", "[base][unit]") {
  const facet::test::TempDir dir;
  CHECK(facet::MappedFile::open(dir.path() / "none").error().code == facet::Code::not_found);
  std::ofstream(dir.path() / "empty").flush();
  CHECK(facet::MappedFile::open(dir.path() / "empty").error().code == facet::Code::invalid_data);
  CHECK(facet::MappedFile::open(dir.path()).error().code == facet::Code::invalid_data);
  CHECK(facet::MappedFile::open("/dev/null").error().code == facet::Code::invalid_data);
}
