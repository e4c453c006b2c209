#include "tools/missing_arguments.h"

#include "tests/support/catch.h"
#include "tools/executor.h"
#include "tools/schema.h"
#include "tools/tool.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace facet::tools {
namespace {

using Names = std::vector<std::string>;

ToolSpec spec(const std::string& parameters) {
  return {.name = "book", .description = "Books a car.", .parameters = parameters};
}

Names missing(const std::string& parameters, const std::string& arguments) {
  return missing_arguments(spec(parameters), arguments);
}

constexpr const char* kBook =
    R"({"type":"object","properties":{"day":{"type":"string"},"a/b~":{"$ref":"#/$defs/n"},)"
    R"("note":{"type":["string","null"]},"any":{},"city":{"type":"string"}},)"
    R"("$defs":{"n":{"type":"integer"}},"minProperties":3,)"
    R"("required":["day","a/b~","note","any"]})";

class Book final : public Tool {
 public:
  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  Result<nlohmann::ordered_json> call(const nlohmann::ordered_json&,
                                      const CallContext&) const override {
    return nlohmann::ordered_json("booked");
  }

 private:
  ToolSpec spec_ = tools::spec(kBook);
};

}  // namespace

TEST_CASE("a required argument that is null, and may not be, is missing", "[tools]") {
  CHECK(missing(kBook, R"({"day":null,"a/b~":null,"note":null,"any":null})") ==
        Names{"day", "a/b~"});
  CHECK(missing(kBook, R"({"a/b~":null,"day":"Monday"})") == Names{"a/b~"});
  // Absent is not said to be missing, and an optional one may not be null either.
  CHECK(missing(kBook, R"({"city":null})").empty());
  CHECK(missing(kBook, R"({"day":"","a/b~":0})").empty());
}

TEST_CASE("where there is nothing to read nothing is missing", "[tools]") {
  CHECK(missing(kBook, "").empty());
  CHECK(missing(kBook, "[null]").empty());
  CHECK(missing("", R"({"day":null})").empty());
  CHECK(missing(R"({"type":"object"})", R"({"day":null})").empty());
  CHECK(missing(R"({"required":"day"})", R"({"day":null})").empty());
  CHECK(missing(R"({"required":["day"],"properties":{"day":{"type":7}}})", R"({"day":null})")
            .empty());
}

TEST_CASE("the executor says what is missing, and runs nothing", "[tools]") {
  CHECK(missing_arguments_text({"day"}) == "missing argument: day");
  CHECK(missing_arguments_text({"day", "room"}) == "missing arguments: day, room");
  Registry registry;
  REQUIRE(registry.add(std::make_shared<Book>()));
  const std::vector<ToolCall> calls = {
      {.id = "1", .name = "book", .arguments = R"({"day":null,"a/b~":1,"note":"","any":1})"}};
  const Executor executor{ExecutorOptions{}};
  const auto outcomes = executor.run(registry, calls, {});
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].kind == CallOutcome::Kind::invalid_arguments);
  CHECK(outcomes[0].output.content == R"({"error":"missing argument: day"})");
}

}  // namespace facet::tools
