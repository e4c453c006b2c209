// facet debug slots: the features of what each argument of some cases may hold; what the table of
// agent/slot_model.h is fitted to.
#include "agent/call_eval.h"
#include "agent/cli/commands.h"
#include "agent/eval_json.h"
#include "agent/held_tool.h"
#include "agent/slot_model.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

namespace facet::agent::cli {
namespace {

using Json = nlohmann::ordered_json;

Json slot_json(const SlotName& name, const Slot& slot, const std::vector<std::size_t>& right) {
  Json spans = Json::array();
  for (const SlotSpan& span : slot.spans) spans.push_back({span.crossed, span.own});
  return {{"parameter", name.member.empty() ? name.name : name.name + "." + name.member},
          {"right", right},
          {"features", slot.features},
          {"spans", std::move(spans)}};
}

/// The slots of the calls of the first step.
Result<Json> slots_json(const CallCase& test) {
  Json out = Json::array();
  const SlotRequest request(test.user);
  if (!request.is_open() || test.steps.empty()) return out;
  for (const ToolCall& call : test.steps.front().calls) {
    for (const ToolSpec& tool : test.tools) {
      if (tool.name != call.name) continue;
      FACET_TRY(const Json parameters, parse_json(tool.parameters, "parameters"));
      FACET_TRY(const Json arguments, parse_json(call.arguments, "arguments"));
      for (const SlotName& name : slot_names(parameters)) {
        const Slot slot = request.slot(tool, parameters, name);
        out.push_back(slot_json(name, slot, spans_of(slot, slot_argument(arguments, name))));
      }
    }
  }
  return out;
}

}  // namespace

int run_debug_slots(const DebugSlotsOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto cases = read_eval_cases(options.data, options.cases_max, read_call_case);
  if (!cases) return console.fail(cases.error(), false);
  for (const CallCase& test : *cases) {
    if (environment.stop.stop_requested()) {
      return console.fail({Code::cancelled, "stopped while a case was looked at"}, false);
    }
    auto slots = slots_json(test);
    if (!slots) return console.fail(slots.error(), false);
    console.out_json({{"id", test.id}, {"kind", test.kind}, {"slots", *std::move(slots)}});
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
