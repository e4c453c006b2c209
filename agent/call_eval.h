// Measures of tool calling: does a model make the calls a case expects, all of them and no others?
//
// A case is one line of JSON:
//   {"id":"7","kind":"chain","tools":[{"name","description","parameters"}],"user":"...",
//    "steps":[{"calls":[{"name":"find","arguments":{...}}],"outputs":[{...}]}]}
// `steps` is the right trajectory; an empty list means that no tool is to be called. With
// "reply_holds":"..." the text behind the last step must hold these words, in any case: a case that
// wants to be asked back names the argument. Calls behind the last step that all lack an argument
// (tools/missing_arguments.h) are none: they get the answer that a run gives, and what the model
// says then is the reply. A field that is not listed here is an error.
#pragma once

#include "agent/chat_model.h"
#include "base/chat.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

struct CallCase {
  struct Step {
    std::vector<ToolCall> calls;      ///< Made in one output, in any order.
    std::vector<ToolOutput> outputs;  ///< outputs[i] answers calls[i].
  };
  std::string id;
  std::string kind;  ///< The group it is counted in.
  std::vector<ToolSpec> tools;
  std::string user;
  std::vector<Step> steps;
  std::string reply_holds;  ///< Empty: the text does not matter.
};

/// invalid_data or invalid_argument naming `what` and the JSON pointer.
Result<CallCase> read_call_case(std::string_view json, std::string_view what);

struct CallEvalOptions {
  bool plan_first = true;
  ArgumentForm arguments = ArgumentForm::by_model;
  int tools_max = 0;  ///< SessionOptions::tools_max.
  std::int64_t step_tokens_max = 256;
  std::stop_token stop;
};

/// How one case went. Decoding is greedy.
struct CallScore {
  int calls_expected = 0;
  /// Expected calls that were made with the right name and equal arguments (as JSON values, in any
  /// order). What comes behind the first wrong step is not reached, and counts as not made.
  int calls_right = 0;
  /// Every step right, and in the output behind the last one no call, and what it is to hold.
  bool is_right = false;
  std::string got;  ///< The output that was wrong, control tokens spelled; empty when is_right.
};

/// The tools of `test` that a session declares to a model that is shown few; to others all.
/// `tools_max`: SessionOptions::tools_max.
Result<std::vector<ToolSpec>> declared_tools(const ChatModel& model,
                                             const CallCase& test,
                                             int tools_max);

/// Runs `test` in a conversation of its own, with its declared_tools(); while the model is right it
/// is given the recorded outputs. A call that cannot be parsed is a wrong output, a full context
/// too; other failures of the model, `cancelled` among them, are errors.
Result<CallScore> score_call_case(const ChatModel& model,
                                  const CallCase& test,
                                  const CallEvalOptions& options);

/// Sums over cases.
struct CallTotals {
  int cases = 0;
  int cases_right = 0;
  int calls_expected = 0;
  int calls_right = 0;

  void add(const CallScore& score);
};

/// {"cases","cases_right","calls_expected","calls_right"} and the two shares in percent, null where
/// there is nothing to divide by.
nlohmann::ordered_json call_totals_json(const CallTotals& totals);

}  // namespace facet::agent
