// The commands of `facet`, as plain functions over plain options: flags.cc fills the options from
// the command line, and nothing else here knows how a command line looks.
#pragma once

#include "agent/cli/console.h"
#include "agent/loop.h"
#include "agent/toolbox.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::agent::cli {

/// What a command works with. `stop` is Ctrl-C.
struct Environment {
  Console& console;
  std::stop_token stop;
};

struct ModelOptions {
  std::string model;     ///< A path or a name; empty: pocket.
  std::string embedder;  ///< A path, a name or "none"; empty: pocket.
  std::string vision;    ///< An mmproj file; empty: the tower of a model folder, if any.
  std::string dialect;   ///< Empty: by the vocabulary.
  std::string device;    ///< "cpu", "auto" or "cuda[:n]"; empty: $FACET_DEVICE, else cpu.
  engine::cuda::WeightForm device_weights = engine::cuda::WeightForm::stored;
  bool is_deterministic = false;          ///< engine::EngineOptions::is_deterministic.
  std::int64_t context_tokens_max = 0;    ///< 0: the model's.
  bool float_activations = false;         ///< engine::EngineOptions::float_activations.
  std::optional<engine::KvType> kv_type;  ///< Not set: as the device wants it.
  int threads = 0;
  /// The most that the engine keeps of earlier conversations, MiB; 0: nothing.
  int prefix_mib = 512;
  int draft_tokens_max = 8;
  bool huge_pages = true;
};

/// Pictures that are shown with a prompt.
struct PictureOptions {
  std::vector<std::string> files;
  bool pan_and_scan = false;
};

/// What `ask`, `chat`, `run` and `serve` share.
struct AgentOptions {
  ModelOptions model;
  std::string store;      ///< Empty: the default store, if there is one.
  std::string workspace;  ///< Empty: none.
  std::string journal;    ///< Empty: the default journal.
  bool no_journal = false;
  std::vector<std::string> plugins;
  std::vector<std::string> tools;                    ///< Empty: all.
  int passages_max = ToolboxOptions{}.passages_max;  ///< Of one search.
  /// Pictures of search results that one run shows to a model that sees.
  int result_pictures_max = 1;
  std::string instructions;
  bool no_plan = false;
  AnswerForm answers = AnswerForm::by_model;
  ArgumentForm arguments = ArgumentForm::by_model;
  std::string tool_choice;           ///< As OutputRuleOptions::tool_choice.
  int calls_max = 16;                ///< In one output.
  std::int64_t tool_tokens_max = 0;  ///< SessionOptions::tool_tokens_max.
  int tools_max = 0;                 ///< SessionOptions::tools_max.
  std::string json_schema;           ///< A file: the schema of answers.
  std::string answer_schema;         ///< Its text; of a resumed run the recorded one.
  bool yes = false;
  bool rerun = false;
  Budgets budgets;
  engine::SamplingOptions sampling{.temperature = 0.0F};
};

struct AskOptions {
  AgentOptions agent;
  std::string question;
  PictureOptions pictures;
  std::string resume;  ///< A run id, or "last".
  /// With resume: the flags of the budgets that stand above the recorded ones.
  std::vector<std::string> budgets_given;
  bool json = false;
  bool events = false;  ///< Every event as one line of JSON.
  bool quiet = false;   ///< Only the answer and its citations.
};
int run_ask(const AskOptions& options, Environment environment);
/// 0 answered, 3 limit, 4 approval, 130 cancelled, else by the error.
int run_exit_code(const RunResult& result);

struct ChatOptions {
  AgentOptions agent;
  PictureOptions pictures;
  bool json = false;
};
int run_chat(const ChatOptions& options, Environment environment);

struct RunOptions {
  AgentOptions agent;
  std::string file;
  std::vector<std::string> variables;  ///< Each "name=value".
  bool json = false;
};
int run_workflow_file(const RunOptions& options, Environment environment);

struct ServeOptions {
  AgentOptions agent;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::vector<std::string> origins;  ///< Allowed beside loopback origins.
  bool json = false;
};
int run_serve(const ServeOptions& options, Environment environment);

struct IndexOptions {
  std::int64_t chunk_tokens_max = 32;  ///< About two sentences: what the pocket model reads best.
  std::vector<std::string> roots;
  std::string store;
  std::string model;     ///< Whose tokenizer measures chunks.
  std::string embedder;  ///< As ModelOptions::embedder.
  std::string device;    ///< Of the embedder, as ModelOptions::device.
  int threads = 0;
  bool json = false;
};
int run_index(const IndexOptions& options, Environment environment);

struct SearchOptions {
  std::string query;
  std::string store;
  std::string embedder;
  int top_k = 5;
  int threads = 0;
  bool json = false;
};
int run_search(const SearchOptions& options, Environment environment);

/// What an output is held to; the files exclude each other.
struct OutputRuleOptions {
  std::string tools;        ///< A file: a list of tools in OpenAI's form.
  std::string tool_choice;  ///< "auto", "none", "required" or a tool's name; empty: auto.
  int calls_max = 16;
  std::string json_schema;  ///< A file.
  std::string grammar;      ///< A file in GBNF.
};

struct GenerateOptions {
  ModelOptions model;
  OutputRuleOptions rules;
  std::optional<std::string> prompt;  ///< "-": stdin.
  bool no_control = false;
  bool chat = false;  ///< Take the prompt as a user's message.
  std::string from;   ///< With `to`: translate the prompt, or the text in the picture.
  std::string to;
  std::vector<std::string> policies;  ///< Names, or policies in own words: judge the pictures.
  PictureOptions pictures;
  std::int64_t tokens_max = 256;
  engine::SamplingOptions sampling{.temperature = 0.0F};
  bool json = false;
};
int run_generate(const GenerateOptions& options, Environment environment);
/// What run_generate does with policies, or with the dialect "shieldgemma" (all policies).
int run_judge(const GenerateOptions& options, Environment environment);

/// `eval calls --format bfcl`: the Berkeley leaderboard's files.
struct EvalBfclOptions {
  std::string questions;
  std::string answers;            ///< Empty where no call is right (irrelevance).
  bool constrained = true;        ///< Hold turns to the tools.
  bool agent = false;             ///< BfclOptions::is_agents.
  std::string tool_choice;        ///< As OutputRuleOptions::tool_choice.
  int calls_max = 16;             ///< As OutputRuleOptions::calls_max.
  std::int64_t tokens_max = 512;  ///< Of one turn.
  engine::SamplingOptions sampling{.temperature = 0.0F};
};

struct EvalCallsOptions {
  ModelOptions model;
  std::string format = "cases";                     ///< Or "bfcl".
  std::string data;                                 ///< cases: a file of them, agent/call_eval.h.
  EvalBfclOptions bfcl;                             ///< bfcl.
  ArgumentForm arguments = ArgumentForm::by_model;  ///< cases.
  int tools_max = 0;                                ///< CallEvalOptions::tools_max; cases.
  std::int64_t cases_max = 0;                       ///< 0: all.
  bool no_plan = false;
  bool wrong = false;  ///< Show what was wrong.
  bool json = false;
};
int run_eval_calls(const EvalCallsOptions& options, Environment environment);
/// What run_eval_calls does with the format "bfcl".
int run_eval_bfcl(const EvalCallsOptions& options, Environment environment);

struct EvalAnswersOptions {
  ModelOptions model;
  std::string data;            ///< A file of cases: agent/answer_eval.h.
  std::int64_t cases_max = 0;  ///< 0: all.
  bool no_plan = false;
  AnswerForm answers = AnswerForm::by_model;
  bool wrong = false;  ///< Show the replies that were wrong.
  bool json = false;
};
int run_eval_answers(const EvalAnswersOptions& options, Environment environment);

struct EvalRetrievalOptions {
  std::string data;              ///< A collection: agent/retrieval_eval.h.
  std::string model;             ///< Whose tokenizer measures chunks.
  std::string embedder;          ///< As ModelOptions::embedder.
  std::int64_t queries_max = 0;  ///< 0: all.
  std::int64_t chunk_tokens_max = IndexOptions{}.chunk_tokens_max;
  int threads = 0;
  bool json = false;
};
int run_eval_retrieval(const EvalRetrievalOptions& options, Environment environment);

struct SchemaCheckOptions {
  std::string file;  ///< "-": stdin.
  bool json = false;
};
int run_schema_check(const SchemaCheckOptions& options, Environment environment);

struct TokenizeOptions {
  std::string model;
  bool control = false;
  bool bos = false;
  bool json = false;
};
int run_tokenize(const TokenizeOptions& options, Environment environment);

struct EmbedOptions {
  /// Of an embedder; its device, activations and threads count.
  ModelOptions model{.float_activations = true};
  std::string prompt_name;  ///< Empty: the text alone.
  bool json = false;
};
int run_embed(const EmbedOptions& options, Environment environment);

struct DebugLogitsOptions {
  std::string model;
  std::string ids;     ///< "2,10,20"
  std::string vision;  ///< As ModelOptions::vision.
  PictureOptions pictures;
  std::string out;
  bool float_activations = true;
  int threads = 0;
  bool json = false;
};
int run_debug_logits(const DebugLogitsOptions& options, Environment environment);

struct DebugPlansOptions {
  ModelOptions model;
  std::string data;            ///< Cases of agent/call_eval.h.
  std::int64_t cases_max = 0;  ///< 0: all.
};
int run_debug_plans(const DebugPlansOptions& options, Environment environment);

struct DebugSlotsOptions {
  std::string data;            ///< Cases of agent/call_eval.h.
  std::int64_t cases_max = 0;  ///< 0: all.
};
int run_debug_slots(const DebugSlotsOptions& options, Environment environment);

struct BenchOptions {
  /// Its device, caches, activations, huge pages and threads count.
  ModelOptions model;
  std::int64_t prompt_tokens = 512;  ///< 0: no such test.
  std::int64_t decode_tokens = 64;   ///< 0: no such test.
  std::int64_t depth = 0;            ///< Tokens that are there before.
  int sequences = 1;                 ///< That write at the same time.
  int repeats = 5;
  bool json = false;
};
int run_bench(const BenchOptions& options, Environment environment);

struct PromptOptions {
  std::string dialect = "functiongemma";
};
int run_prompt_render(const PromptOptions& options, Environment environment);
int run_prompt_parse(const PromptOptions& options, Environment environment);

struct ToolsOptions {
  AgentOptions agent;
  std::string name;       ///< call
  std::string arguments;  ///< call: JSON text of an object.
  bool json = false;
};
int run_tools_list(const ToolsOptions& options, Environment environment);
int run_tools_call(const ToolsOptions& options, Environment environment);

struct PluginOptions {
  std::string file;
  bool json = false;
};
int run_plugin_inspect(const PluginOptions& options, Environment environment);

struct ModelsOptions {
  std::string model;
  std::string vision;          ///< inspect: as ModelOptions::vision.
  bool chat_template = false;  ///< inspect: print only the template, as it stands in the file.
  std::string out;             ///< quantize
  std::string type = "Q8_0";   ///< quantize
  bool json = false;
};
int run_models_list(const ModelsOptions& options, Environment environment);
int run_models_inspect(const ModelsOptions& options, Environment environment);
int run_models_quantize(const ModelsOptions& options, Environment environment);

struct PullCommandOptions {
  std::string model;  ///< OWNER/NAME[:FILE]
  std::string revision = "main";
  bool mmproj = false;
  bool dry_run = false;
  bool allow_http = false;
  int connections = 4;
  std::int64_t gibibytes_max = 512;
  bool json = false;
};
int run_pull(const PullCommandOptions& options, Environment environment);

struct DoctorOptions {
  AgentOptions agent;
  bool json = false;
};
int run_doctor(const DoctorOptions& options, Environment environment);

/// Parses `argv` and runs one command; the exit code of the program.
int run_command_line(int argc, const char* const* argv, Environment environment);

}  // namespace facet::agent::cli
