// Dialect: how one model family writes conversations, tools and calls. Pure functions; a dialect is
// immutable and shared; all methods may be called from several threads.
#pragma once

#include "base/chat.h"
#include "base/grammar.h"
#include "base/grammar/schema_grammar.h"
#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

struct RenderInput {
  std::vector<Message> messages;
  std::vector<ToolSpec> tools;
  bool add_generation_prompt = true;
};

/// What a model's output says. `text` is everything that is not a call, as the dialect trims it.
struct ParsedOutput {
  std::string text;
  std::vector<ToolCall> tool_calls;

  bool operator==(const ParsedOutput&) const = default;
};

/// One thing that has become certain while output streams in. Of each call: started, then pieces of
/// its arguments, then finished, all in front of the next call's; of the calls of an output that
/// cannot be read some, or some of it.
struct ParseEvent {
  enum class Kind { text, call_started, call_arguments, call_finished };
  Kind kind = Kind::text;
  /// text: the new text; call_started: the tool's name; call_arguments: the next piece of JSON. All
  /// pieces of a finished call are its arguments.
  std::string text;
  ToolCall call;  ///< call_finished.

  bool operator==(const ParseEvent&) const = default;
};

/// Reads output piece by piece; however it is cut, the events are the same up to how text and
/// arguments are split, and finish() gives what parse() gives for the whole. Not thread-safe.
class StreamParser {
 public:
  StreamParser() = default;
  StreamParser(const StreamParser&) = delete;
  StreamParser& operator=(const StreamParser&) = delete;
  virtual ~StreamParser() = default;

  /// Control text is the spelled name of one control token; data text is letters, whatever they
  /// are.
  virtual std::vector<ParseEvent> feed(std::string_view text, Segment::Kind kind) = 0;
  /// Ends the output. invalid_data, with the offending text, for a call that cannot be read; an
  /// open call that is complete but for its end marker is tolerated: it has no call_finished event
  /// and is in the result only. limit_exceeded for a call of more than 1 MiB.
  virtual Result<ParsedOutput> finish() = 0;
};

struct CallGrammarOptions {
  int array_items_max = 64;    ///< Where a schema has no maxItems.
  int number_digits_max = 17;  ///< Before and after the point, each, where a schema has no bounds.
  /// What arguments may be copied from (SchemaGrammarOptions::copies); null: they are free. It must
  /// outlive the making of a grammar, not the grammar. A tool with a required argument that nothing
  /// in it can fill cannot be called, unless it may lack.
  const grammar::CopySource* copies = nullptr;
  /// null may stand where a required argument is not known (SchemaGrammarOptions::may_lack): such a
  /// call is not to be made, it says what to ask for (tools::missing_arguments).
  bool may_lack = false;
};

/// Whether a turn may, must or must not call tools.
struct ToolChoice {
  enum class Mode {
    automatic,  ///< Text, calls, or both.
    none,       ///< Text only.
    required,   ///< Nothing but calls, at least one.
    named       ///< Nothing but calls of the tool `name`, at least one.
  };
  Mode mode = Mode::automatic;
  std::string name;

  bool operator==(const ToolChoice&) const = default;
};

struct TurnRules {
  ToolChoice choice;
  /// Calls in one turn; 1 where parallel calls are not wanted.
  int calls_max = 16;
  CallGrammarOptions values;
  /// The text of a JSON Schema, or empty. With it a turn is calls, where the choice allows them, or
  /// one JSON value of the schema and nothing else; required and named have their calls only.
  std::string answer_schema;
};

/// "auto", "none", "required", else the name of a tool; empty is "auto".
ToolChoice tool_choice_from_name(std::string_view name);

/// What one turn of the model may be, in the terms of a constraint (engine/sampling): the grammar
/// holds from the first token, or from `trigger` on, which may come up to `entries_max` times.
struct TurnGrammar {
  Grammar grammar;
  std::string trigger;     ///< A control token; empty: the whole turn is the grammar's.
  int entries_max = 0;     ///< 0: the trigger may not come at all.
  bool free_after = true;  ///< Text may follow; else nothing but a stop token.
  /// In front of an answer that is held to a schema, where it could be taken for a call.
  std::string answer_prefix;
  /// Names of the tools that can be called. Where there is none, as where the arguments of none can
  /// be copied, the turn is text, or the answer of a schema, whatever the choice asks.
  std::vector<std::string> callable;
  /// On the schemas; pointers behind the tool's name, or behind "(answer)".
  std::vector<grammar::SchemaNote> notes;
};

class Dialect {
 public:
  Dialect() = default;
  Dialect(const Dialect&) = delete;
  Dialect& operator=(const Dialect&) = delete;
  virtual ~Dialect() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;

  /// The whole prompt. invalid_argument for a conversation that the dialect cannot express, naming
  /// the message and the rule (role order, content type, a tool schema that is not an object).
  [[nodiscard]] virtual Result<std::vector<Segment>> render(const RenderInput& input) const = 0;

  /// What is appended to a sequence that already holds the prompt and the model's calls (stop token
  /// included, when the model emitted one) to give it the tools' results and let it go on:
  /// appending these segments equals rendering the longer conversation. `outputs[i]` answers
  /// `calls[i]`. `stopped_on` is the control token that ended the output, or empty. `images`
  /// markers stand in front of the results, for pictures that belong to them; unsupported above 0
  /// unless takes_result_images().
  [[nodiscard]] virtual Result<std::vector<Segment>> render_tool_outputs(
      const std::vector<ToolCall>& calls,
      const std::vector<ToolOutput>& outputs,
      std::string_view stopped_on,
      int images = 0) const = 0;

  /// Whether results may bring images: only where they stand in a turn of the user.
  [[nodiscard]] virtual bool takes_result_images() const { return false; }

  /// What is appended after a finished answer to give it the next user message, `images` image
  /// markers in front of its text, and let it go on.
  [[nodiscard]] virtual Result<std::vector<Segment>> render_user_turn(std::string_view text,
                                                                      std::string_view stopped_on,
                                                                      int images = 0) const = 0;

  [[nodiscard]] virtual std::unique_ptr<StreamParser> make_parser() const = 0;

  /// `output` with control tokens spelled, parsed as a whole: every occurrence of the name of one
  /// of control_tokens() is that token. Where letters may spell a control token (text that was not
  /// written by the model), feed a parser segment by segment instead.
  [[nodiscard]] Result<ParsedOutput> parse(std::string_view output) const;
  /// The segments that parse() feeds its parser.
  [[nodiscard]] std::vector<Segment> split_output(std::string_view output) const;

  /// The control tokens that mean something in this dialect.
  [[nodiscard]] virtual std::vector<std::string> control_tokens() const = 0;

  /// Control tokens that end the model's output.
  [[nodiscard]] virtual std::vector<std::string> stop_tokens() const = 0;

  /// The control token that opens a call; empty where calls are plain text.
  [[nodiscard]] virtual std::string_view call_trigger() const = 0;

  /// The grammar of what may follow call_trigger() for these tools: one call with a declared name,
  /// declared argument names in the dialect's order, required ones present, values of the declared
  /// types, up to and including its end marker. unsupported when the dialect has no grammar;
  /// invalid_argument naming the tool and JSON pointer for a schema it cannot express.
  [[nodiscard]] virtual Result<Grammar> call_grammar(const std::vector<ToolSpec>& tools,
                                                     const CallGrammarOptions& options) const = 0;

  /// The grammar of a whole turn under `rules`. Errors as call_grammar; not_found for a named tool
  /// that is not declared; unsupported where the dialect has no calls and the rules need one.
  [[nodiscard]] virtual Result<TurnGrammar> turn_grammar(const std::vector<ToolSpec>& tools,
                                                         const TurnRules& rules) const = 0;
};

/// "functiongemma", "gemma3" (no tools), "gemma3-python", "gemma3-json", "gemma3-tool-code",
/// "gemma4" (12B and larger), "gemma4-e2b" (E2B and E4B). invalid_argument naming the known ones
/// otherwise, and for "shieldgemma" and "translategemma", which are single questions, not
/// conversations: shieldgemma.h, translategemma.h. The pointer is valid for the whole program.
Result<const Dialect*> find_dialect(std::string_view name);
std::vector<std::string_view> dialect_names();

}  // namespace facet::prompts
