// The control tokens around the calls of FunctionGemma and Gemma 4: one syntax, two sets of names.
#pragma once

#include "prompts/dialect.h"

#include <memory>
#include <string_view>

namespace facet::prompts {

struct CallTokens {
  std::string_view start_call;
  std::string_view end_call;
  std::string_view start_response;
  std::string_view end_response;
  std::string_view string;  ///< On both sides of a string.
  std::string_view end_of_turn;
  std::string_view start_thought;  ///< Empty: the model has no thoughts of its own.
  std::string_view end_thought;
};

/// Reads output with these tokens. A response block is the host's words, a model that writes one is
/// making its result up: both it and thoughts are no text. `tokens` must outlive the parser.
std::unique_ptr<StreamParser> make_call_parser(const CallTokens& tokens);

}  // namespace facet::prompts
