// ToolCatalog: which of a session's tools are declared to the model. All of them while their
// declarations fit a budget; else those that match the first question best, and find_tools, with
// which the model finds and thereby declares others. What is declared stays declared, in its place.
//
// A model too small for many tools, and to search for one, is shown so many at most: those that
// match a question best by their words. There is no find_tools; where a later question asks for a
// tool that is not declared, the choice is made again.
#pragma once

#include "agent/chat_model.h"
#include "agent/tool_search.h"
#include "base/chat.h"
#include "base/result.h"
#include "retrieval/embedder.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace facet::agent {

inline constexpr std::string_view kFindTool = "find_tools";

struct ToolCatalogOptions {
  std::int64_t tool_tokens_max = 0;  ///< Of all declarations.
  std::size_t tools_max = 0;         ///< Declared at once beside `always`; 0: as many as fit.
  std::vector<std::string> always;   ///< Those of them that there are are declared in any case.
  const retrieval::Embedder* embedder = nullptr;  ///< Borrowed; may be null.
  /// The tokens that the declaration of a tool takes.
  std::function<Result<std::int64_t>(const ToolSpec& tool)> count_tokens;
};

/// Not thread-safe.
class ToolCatalog {
 public:
  static constexpr std::size_t kFoundMax = 5;       ///< By one search.
  static constexpr std::size_t kDeclaredMax = 512;  ///< Before the first search.

  struct Entry {
    ToolSpec spec;
    std::string effect;  ///< What else must not change between a run and its resume.
  };

  /// invalid_argument for two tools of one name, or where there must be a search and a tool has its
  /// name; the errors of count_tokens.
  static Result<std::unique_ptr<ToolCatalog>> make(std::vector<Entry> tools,
                                                   ToolCatalogOptions options);
  ToolCatalog(const ToolCatalog&) = delete;
  ToolCatalog& operator=(const ToolCatalog&) = delete;
  ~ToolCatalog() = default;

  /// Not all tools are declared, and find_tools is.
  [[nodiscard]] bool searches() const { return searches_; }
  /// There are more than tools_max.
  [[nodiscard]] bool narrows() const { return narrows_; }

  /// Declares what matches `question` best, as much as the limits allow, in the tools' own order,
  /// in place of what is declared. Where it narrows, tools that share no word with the question
  /// fill up what is left. REQUIRES: searches() or narrows().
  Status choose(std::string_view question);

  /// Whether a tool that is not declared matches `question` better than all that are, and by a word
  /// of its name: "and the other one?" has words of many a description. REQUIRES: narrows().
  [[nodiscard]] Result<bool> wants_another(std::string_view question) const;

  /// The declarations so far in their order, find_tools first where searches().
  [[nodiscard]] std::vector<ToolSpec> declared() const;

  /// What find_tools gives for its arguments: {"tools": [{"name", "description", "parameters"}]},
  /// tools that are not declared yet, and {"declared": [names]} that match and are. It declares
  /// nothing. invalid_argument for arguments that are not {"query": text}.
  [[nodiscard]] Result<nlohmann::ordered_json> find(const std::string& arguments) const;

  /// Declares the tools in what find() gave, and returns those that were not yet. invalid_data for
  /// a name that no tool has.
  Result<std::vector<ToolSpec>> declare_found(const std::string& found);
  /// The same without declaring them.
  [[nodiscard]] Result<std::vector<ToolSpec>> named_in(const std::string& found) const;

  /// What a journal keeps: {"search", "all", "tools": [{"name", "digest"}]}, those declared so far.
  [[nodiscard]] nlohmann::ordered_json record() const;
  /// Declares what record() says, in place of what is. invalid_argument, naming a tool, when the
  /// tools are not those of the record; invalid_data when it is none.
  Status restore(const nlohmann::ordered_json& record);

 private:
  ToolCatalog(std::vector<Entry> tools, ToolCatalogOptions options);
  Status index_names();
  Status decide();
  [[nodiscard]] std::string digest(std::size_t tool) const;
  [[nodiscard]] std::string digest_of_all() const;
  [[nodiscard]] bool is_declared(std::size_t tool) const;

  std::vector<Entry> tools_;
  std::vector<ToolSpec> specs_;  ///< Of tools_.
  ToolCatalogOptions options_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::unique_ptr<ToolIndex> index_;  ///< Null unless searches_ or narrows_.
  bool searches_ = false;
  bool narrows_ = false;
  std::vector<std::size_t> declared_;
};

/// The limits of a session with `model`, which they borrow, 0 standing for what it stands for in
/// SessionOptions; without a tool that must be called, and without an embedder.
ToolCatalogOptions catalog_options(const ChatModel& model,
                                   std::int64_t tool_tokens_max,
                                   int tools_max);

/// What the declarations of tools may take of a context of so many tokens, unless it is said.
std::int64_t default_tool_tokens(std::int64_t context_tokens_max);

/// The declaration of find_tools.
ToolSpec find_tool_spec();

}  // namespace facet::agent
