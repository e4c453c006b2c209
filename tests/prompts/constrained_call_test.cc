// The call grammar and the engine's constraint together: what the dialect renders, the constraint
// lets through, token by token.
#include "base/json.h"
#include "engine/sampling/constraint.h"
#include "prompts/functiongemma.h"
#include "tests/prompts/fixtures.h"
#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace facet::prompts {
namespace {

using engine::TokenId;

const ToolSpec kTool{
    .name = "book_room",
    .description = "Books.",
    .parameters =
        R"({"type":"object","properties":{"Title":{"type":"string"},"count":{"type":"integer"},)"
        R"("price":{"type":"number"},"kind":{"type":"string","enum":["big","small"]},)"
        R"("tags":{"type":"array","items":{"type":"string"}},)"
        R"("where":{"type":"object","properties":{"floor":{"type":"integer"}}}},)"
        R"("required":["Title","count"]})"};

}  // namespace

TEST_CASE("Rendered calls pass the constraint of their tools, others do not", "[prompts][unit]") {
  const Dialect& dialect = functiongemma();
  const auto tokenizer = facet::test::byte_tokenizer(dialect.control_tokens());
  const auto grammar = dialect.call_grammar({kTool}, {});
  REQUIRE(grammar);
  const std::string trigger(dialect.call_trigger());
  engine::ConstraintOptions options{.trigger = trigger, .free_control = dialect.stop_tokens()};
  options.free_control.push_back(trigger);
  const auto made = engine::make_constraint(*grammar, tokenizer, options);
  REQUIRE(made);

  const auto refused_at = [&](const std::string& arguments) -> std::optional<std::size_t> {
    const Message question{.content = "q"};
    const auto head = dialect.render({.messages = {question}});
    const auto whole = dialect.render(
        {.messages = {question,
                      {.role = Role::assistant, .tool_calls = {{"", kTool.name, arguments}}}}});
    REQUIRE(head);
    REQUIRE(whole);
    const auto ids = tokenizer.encode(test::as_output(dialect, test::tail(*whole, *head)));
    const auto constraint = (*made)->clone();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool allowed = constraint->allows(ids[i]);
      REQUIRE(constraint->accept(ids[i]).has_value() == allowed);
      if (!allowed) return i;
    }
    CHECK_FALSE(constraint->is_open());
    return std::nullopt;
  };

  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    test::Random random(seed);
    const std::string arguments = R"({"Title":)" + json_quote(random.text(6)) + R"(,"count":)" +
                                  std::to_string(random.below(1000) - 500) +
                                  (random.below(2) == 0 ? R"(,"price":1.5e-07)" : "") +
                                  (random.below(2) == 0 ? R"(,"kind":"small")" : "") +
                                  (random.below(2) == 0 ? R"(,"tags":["a",""])" : "") +
                                  (random.below(2) == 0 ? R"(,"where":{"floor":3})" : "") + "}";
    INFO(arguments);
    CHECK_FALSE(refused_at(arguments));
  }
  CHECK(refused_at("{}"));
  CHECK(refused_at(R"({"Title":"x"})"));
  CHECK(refused_at(R"({"Title":1,"count":2})"));
  CHECK(refused_at(R"({"Title":"x","count":2.5})"));
  CHECK(refused_at(R"({"Title":"x","count":2,"kind":"other"})"));
  CHECK(refused_at(R"({"Title":"x","count":2,"extra":1})"));
}

}  // namespace facet::prompts
