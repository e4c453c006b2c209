#include "agent/tool_catalog.h"

#include "base/check.h"
#include "base/json.h"
#include "prompts/json_fields.h"
#include "retrieval/sha256.h"
#include "tools/builtin/calculator.h"
#include "tools/builtin/search_documents.h"
#include "tools/schema.h"
#include "tools/tool.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

constexpr std::size_t kArgumentsBytesMax = 1U << 16U;
constexpr std::size_t kDigestDigits = 16;

std::string short_digest(std::string_view text) {
  return retrieval::sha256_hex(retrieval::sha256(text)).substr(0, kDigestDigits);
}

Error other_tools(const std::string& what) {
  return {Code::invalid_argument, "it was made with other tools: " + what};
}

}  // namespace

ToolCatalogOptions catalog_options(const ChatModel& model,
                                   std::int64_t tool_tokens_max,
                                   int tools_max) {
  if (tool_tokens_max <= 0) tool_tokens_max = default_tool_tokens(model.context_tokens_max());
  if (tools_max <= 0) tools_max = model.tools_declared_max();
  return {.tool_tokens_max = tool_tokens_max,
          .tools_max = static_cast<std::size_t>(std::max(tools_max, 0)),
          // Questions to documents, and sums, share no words with these.
          .always = {std::string(tools::kSearchDocuments), std::string(tools::kCalculator)},
          .count_tokens = [&model](const ToolSpec& tool) { return model.count_tool_tokens(tool); }};
}

std::int64_t default_tool_tokens(std::int64_t context_tokens_max) {
  constexpr std::int64_t kMost = 8192;
  return std::min(context_tokens_max / 4, kMost);
}

ToolSpec find_tool_spec() {
  return {.name = std::string(kFindTool),
          .description =
              "Finds more tools. Say in a few words what is to be done; the tools that "
              "are found can be called from then on.",
          .parameters = R"({"type":"object","properties":{"query":{"type":"string",)"
                        R"("description":"What the tool is to do","x-facet-free":true}},)"
                        R"("required":["query"]})"};
}

ToolCatalog::ToolCatalog(std::vector<Entry> tools, ToolCatalogOptions options)
    : tools_(std::move(tools)), options_(std::move(options)) {
  specs_.reserve(tools_.size());
  for (const Entry& entry : tools_) specs_.push_back(entry.spec);
}

Result<std::unique_ptr<ToolCatalog>> ToolCatalog::make(std::vector<Entry> tools,
                                                       ToolCatalogOptions options) {
  std::unique_ptr<ToolCatalog> catalog(new ToolCatalog(std::move(tools), std::move(options)));
  FACET_TRY_STATUS(catalog->index_names());
  FACET_TRY_STATUS(catalog->decide());
  return catalog;
}

Status ToolCatalog::index_names() {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (by_name_.emplace(specs_[i].name, i).second) continue;
    return Error{Code::invalid_argument,
                 "the tool " + json_quote(specs_[i].name) + " is declared twice"};
  }
  return ok();
}

/// Counts until the budget is exceeded, so that its time does not depend on how many tools follow.
Status ToolCatalog::decide() {
  if (options_.tools_max > 0 && specs_.size() > options_.tools_max) {
    narrows_ = true;
    index_ = std::make_unique<ToolIndex>(specs_, nullptr);
    return ok();
  }
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    FACET_TRY(const std::int64_t more, options_.count_tokens(specs_[i]));
    tokens += more;
    if (tokens > options_.tool_tokens_max) {
      searches_ = true;
      break;
    }
    declared_.push_back(i);
  }
  if (!searches_) return ok();
  declared_.clear();
  if (by_name_.contains(kFindTool)) {
    return Error{Code::invalid_argument,
                 "there are more tools than are declared at once, so no tool may have the name "
                 "\"find_tools\""};
  }
  index_ = std::make_unique<ToolIndex>(specs_, options_.embedder);
  return ok();
}

bool ToolCatalog::is_declared(std::size_t tool) const {
  return std::find(declared_.begin(), declared_.end(), tool) != declared_.end();
}

Status ToolCatalog::choose(std::string_view question) {
  FACET_CHECK(searches_ || narrows_);
  declared_.clear();
  FACET_TRY(const std::vector<std::size_t> matching, index_->best(question));
  std::vector<std::size_t> ranked;
  for (const std::string& name : options_.always) {
    const auto found = by_name_.find(name);
    if (found != by_name_.end()) ranked.push_back(found->second);
  }
  const std::size_t wanted_anyway = ranked.size();
  ranked.insert(ranked.end(), matching.begin(), matching.end());
  if (narrows_) {
    for (std::size_t tool = 0; tool < specs_.size(); ++tool) ranked.push_back(tool);
  }
  std::int64_t tokens = 0;
  if (searches_) {
    FACET_TRY(tokens, options_.count_tokens(find_tool_spec()));
  }
  const std::size_t declared_max =
      narrows_ ? wanted_anyway + options_.tools_max : std::size_t{kDeclaredMax};
  for (std::size_t place = 0; place < ranked.size(); ++place) {
    const std::size_t tool = ranked[place];
    if (is_declared(tool)) continue;
    FACET_TRY(const std::int64_t more, options_.count_tokens(specs_[tool]));
    const bool is_full =
        tokens + more > options_.tool_tokens_max || declared_.size() >= declared_max;
    if (is_full && place >= wanted_anyway) break;
    tokens += more;
    declared_.push_back(tool);
  }
  std::sort(declared_.begin(), declared_.end());
  return ok();
}

Result<bool> ToolCatalog::wants_another(std::string_view question) const {
  FACET_CHECK(narrows_);
  FACET_TRY(const std::vector<std::size_t> ranked, index_->best(question));
  if (ranked.empty() || is_declared(ranked.front())) return false;
  const std::vector<std::string> asked = tool_words(question);
  const std::vector<std::string> name = tool_words(specs_[ranked.front()].name);
  return std::find_first_of(name.begin(), name.end(), asked.begin(), asked.end()) != name.end();
}

std::vector<ToolSpec> ToolCatalog::declared() const {
  std::vector<ToolSpec> out;
  if (searches_) out.push_back(find_tool_spec());
  for (const std::size_t tool : declared_) out.push_back(specs_[tool]);
  return out;
}

Result<ordered_json> ToolCatalog::find(const std::string& arguments) const {
  FACET_CHECK(searches_);
  const ToolSpec spec = find_tool_spec();
  FACET_TRY(const tools::Schema schema, tools::Schema::compile_text(spec.parameters));
  FACET_TRY(const ordered_json parsed,
            tools::parse_arguments(spec, schema, arguments, kArgumentsBytesMax));
  FACET_TRY(const std::vector<std::size_t> ranked,
            index_->best(parsed.at("query").get_ref<const std::string&>()));
  ordered_json found = ordered_json::array();
  ordered_json declared = ordered_json::array();
  for (const std::size_t tool : ranked) {
    if (found.size() + declared.size() >= kFoundMax) break;
    const ToolSpec& match = specs_[tool];
    if (is_declared(tool)) {
      declared.push_back(match.name);
      continue;
    }
    FACET_TRY(ordered_json parameters, prompts::parse_parameters(match));
    found.push_back({{"name", match.name},
                     {"description", match.description},
                     {"parameters", std::move(parameters)}});
  }
  ordered_json out = {{"tools", std::move(found)}};
  if (!declared.empty()) out["declared"] = std::move(declared);
  return out;
}

Result<std::vector<ToolSpec>> ToolCatalog::named_in(const std::string& found) const {
  FACET_TRY(const ordered_json json, parse_json(found, "result of find_tools"));
  std::vector<ToolSpec> out;
  try {
    for (const auto& tool : json.at("tools")) {
      const auto known = by_name_.find(tool.at("name").get_ref<const std::string&>());
      if (known == by_name_.end()) {
        return Error{
            Code::invalid_data,
            "a search found the tool " + dump_json(tool.at("name")) + ", which is not here"};
      }
      if (!is_declared(known->second)) out.push_back(specs_[known->second]);
    }
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("result of find_tools: ") + error.what()};
  }
  return out;
}

Result<std::vector<ToolSpec>> ToolCatalog::declare_found(const std::string& found) {
  FACET_TRY(std::vector<ToolSpec> fresh, named_in(found));
  for (const ToolSpec& spec : fresh) declared_.push_back(by_name_.at(spec.name));
  return fresh;
}

std::string ToolCatalog::digest(std::size_t tool) const {
  const ToolSpec& spec = specs_[tool];
  const ordered_json all =
      ordered_json::array({spec.name, spec.description, spec.parameters, tools_[tool].effect});
  return short_digest(dump_json(all));
}

std::string ToolCatalog::digest_of_all() const {
  std::string all;
  for (std::size_t i = 0; i < tools_.size(); ++i) all += digest(i);
  return short_digest(all);
}

ordered_json ToolCatalog::record() const {
  ordered_json list = ordered_json::array();
  for (const std::size_t tool : declared_) {
    list.push_back({{"name", specs_[tool].name}, {"digest", digest(tool)}});
  }
  return {{"search", searches_}, {"all", digest_of_all()}, {"tools", std::move(list)}};
}

Status ToolCatalog::restore(const ordered_json& record) {
  std::vector<std::size_t> declared;
  try {
    for (const auto& tool : record.at("tools")) {
      const auto& name = tool.at("name").get_ref<const std::string&>();
      const auto known = by_name_.find(name);
      if (known == by_name_.end()) return other_tools(json_quote(name) + " is not here");
      if (digest(known->second) != tool.at("digest").get_ref<const std::string&>()) {
        return other_tools(json_quote(name) + " has changed");
      }
      declared.push_back(known->second);
    }
    if (record.at("all").get_ref<const std::string&>() != digest_of_all()) {
      return other_tools("there are others beside those it had declared");
    }
    searches_ = record.at("search").get<bool>();
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("recorded tools: ") + error.what()};
  }
  declared_ = std::move(declared);
  if (searches_ && index_ == nullptr) {
    index_ = std::make_unique<ToolIndex>(specs_, options_.embedder);
  }
  return ok();
}

}  // namespace facet::agent
