#include "base/json_pointer.h"

#include "base/json.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <string>

namespace {

/// The example of RFC 6901, section 5.
const char* const kExample = R"({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3,
                                 "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8})";

/// The JSON at `pointer` in the example; empty when there is none.
std::string at(const std::string& pointer) {
  const auto document = facet::parse_json(kExample, "example");
  REQUIRE(document.has_value());
  const auto* found = facet::resolve_pointer(*document, pointer);
  return found == nullptr ? "" : facet::dump_json(*found);
}

}  // namespace

TEST_CASE("pointers resolve as RFC 6901 shows", "[base][unit]") {
  CHECK(at("").find(R"({"foo":)") == 0);
  CHECK(at("/foo") == R"(["bar","baz"])");
  CHECK(at("/foo/0") == R"("bar")");
  CHECK(at("/") == "0");
  CHECK(at("/a~1b") == "1");
  CHECK(at("/c%d") == "2");
  CHECK(at("/i\\j") == "5");
  CHECK(at("/ ") == "7");
  CHECK(at("/m~0n") == "8");
}

TEST_CASE("what is no pointer or leads nowhere gives nothing", "[base][unit]") {
  for (const char* pointer : {"foo",
                              "/none",
                              "/foo/2",
                              "/foo/-",
                              "/foo/01",
                              "/foo/0/x",
                              "/m~n",
                              "/m~",
                              "/foo/99999999999999999999"}) {
    INFO(pointer);
    CHECK(at(pointer).empty());
  }
}

TEST_CASE("a token comes back through a pointer whatever it contains", "[base][unit]") {
  for (const char* key : {"", "/", "~", "~0", "~1", "~01", "a/b~c", "\xC3\xA9/"}) {
    INFO(key);
    const nlohmann::ordered_json document{{key, 1}};
    CHECK(facet::resolve_pointer(document, "/" + facet::pointer_token(key)) != nullptr);
  }
}
