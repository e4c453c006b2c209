// A tool made of a lambda, and calls as FunctionGemma spells them. Without the test framework, for
// the programs that tests start.
#pragma once

#include "base/result.h"
#include "tools/tool.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <utility>

namespace facet::test {

using Json = nlohmann::ordered_json;

class LambdaTool final : public tools::Tool {
 public:
  using Body = std::function<Result<Json>(const Json&)>;

  LambdaTool(std::string name, Body body, tools::Effect effect = tools::Effect::read_only)
      : body_(std::move(body)), effect_(effect) {
    spec_.name = std::move(name);
    spec_.description = "A tool of the tests.";
    spec_.parameters =
        R"({"type":"object","properties":{"x":{"type":"integer","description":"x"}},"required":["x"]})";
  }
  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] tools::Effect effect() const override { return effect_; }
  Result<Json> call(const Json& arguments, const tools::CallContext& /*context*/) const override {
    return body_(arguments);
  }

 private:
  ToolSpec spec_;
  Body body_;
  tools::Effect effect_;
};

/// The text of one call in FunctionGemma's spelling.
inline std::string call(const std::string& name, int x) {
  return "<start_function_call>call:" + name + "{x:" + std::to_string(x) + "}<end_function_call>";
}
inline const std::string kWait = "<start_function_response>";
inline const std::string kEnd = "<end_of_turn>";

}  // namespace facet::test
