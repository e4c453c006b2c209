#include "tools/uri.h"

#include "tests/support/catch.h"

#include <string>
#include <utility>

using facet::tools::percent_decoded;
using facet::tools::resolve_uri;

TEST_CASE("references resolve as the examples of RFC 3986, 5.4 say", "[tools][unit]") {
  const std::pair<const char*, const char*> row =
      GENERATE(values<std::pair<const char*, const char*>>({
          {"g:h", "g:h"},
          {"g", "http://a/b/c/g"},
          {"./g", "http://a/b/c/g"},
          {"g/", "http://a/b/c/g/"},
          {"/g", "http://a/g"},
          {"//g", "http://g"},
          {"?y", "http://a/b/c/d;p?y"},
          {"g?y", "http://a/b/c/g?y"},
          {"#s", "http://a/b/c/d;p?q#s"},
          {"g?y#s", "http://a/b/c/g?y#s"},
          {";x", "http://a/b/c/;x"},
          {"", "http://a/b/c/d;p?q"},
          {".", "http://a/b/c/"},
          {"./", "http://a/b/c/"},
          {"..", "http://a/b/"},
          {"../g", "http://a/b/g"},
          {"../..", "http://a/"},
          {"../../../../g", "http://a/g"},
          {"/./g", "http://a/g"},
          {"/../g", "http://a/g"},
          {"g.", "http://a/b/c/g."},
          {"..g", "http://a/b/c/..g"},
          {"./g/.", "http://a/b/c/g/"},
          {"g/../h", "http://a/b/c/h"},
          {"g;x=1/../y", "http://a/b/c/y"},
          {"g?y/../x", "http://a/b/c/g?y/../x"},
      }));
  INFO(row.first);
  CHECK(resolve_uri("http://a/b/c/d;p?q", row.first) == row.second);
}

TEST_CASE("a base may be a name or nothing", "[tools][unit]") {
  CHECK(resolve_uri("", "item.json#/a") == "item.json#/a");
  CHECK(resolve_uri("urn:example:a", "#b") == "urn:example:a#b");
  CHECK(resolve_uri("http://a", "b") == "http://a/b");
  CHECK(resolve_uri("file:///x/y.json", "z.json") == "file:///x/z.json");
}

TEST_CASE("percent codes are decoded, broken ones stay", "[tools][unit]") {
  CHECK(percent_decoded("a%25b%7e%2F") == "a%b~/");
  CHECK(percent_decoded("%") == "%");
  CHECK(percent_decoded("%4") == "%4");
  CHECK(percent_decoded("%zz") == "%zz");
}
