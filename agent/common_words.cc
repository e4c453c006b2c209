#include "agent/common_words.h"

#include "agent/held_tool.h"
#include "agent/thesaurus.h"
#include "agent/tool_search.h"
#include "agent/word_stems.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace facet::agent {
namespace {

using Words = std::set<std::string, std::less<>>;

std::size_t shared(const Words& some, const Words& others) {
  return static_cast<std::size_t>(std::count_if(
      some.begin(), some.end(), [&](const std::string& word) { return others.contains(word); }));
}

double share(const Words& words, const Words& said) {
  if (words.empty()) return 0.0;
  return static_cast<double>(shared(words, said)) / static_cast<double>(words.size());
}

Words parameter_stems(const ToolSpec& tool) {
  Words out;
  const auto parameters = parse_json(tool.parameters, "parameters");
  if (!parameters) return out;
  for (const auto& [name, schema] : properties_of(*parameters).items()) {
    out.merge(content_stems(name));
    if (!schema.is_object()) continue;
    const auto description = schema.find("description");
    if (description != schema.end() && description->is_string()) {
      out.merge(content_stems(description->get_ref<const std::string&>()));
    }
  }
  return out;
}

/// A content word, or two words in a row.
struct Term {
  std::vector<std::string> stems;  ///< One or two.
  std::vector<std::string> forms;  ///< What it may be in a dictionary.
};

/// The first terms of `text` of which no word is among `known`, each once.
std::vector<Term> terms_of(std::string_view text, const Words& known) {
  std::vector<Term> out;
  const auto add = [&](Term term) {
    const bool is_known =
        std::any_of(term.stems.begin(), term.stems.end(), [&](const std::string& stem) {
          return known.contains(stem);
        });
    const bool is_there = std::any_of(
        out.begin(), out.end(), [&](const Term& other) { return other.stems == term.stems; });
    if (!is_known && !is_there) out.push_back(std::move(term));
  };
  std::vector<std::string> words = tool_words(text);
  words.resize(std::min(words.size(), kAlikeWordsMax));
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (is_content_word(words[i])) add({{word_stem(words[i])}, base_forms(words[i])});
    if (i + 1 == words.size()) break;
    Term both{.stems = {word_stem(words[i]), word_stem(words[i + 1])}};
    for (const std::string& first : base_forms(words[i])) {
      for (const std::string& second : base_forms(words[i + 1])) {
        both.forms.push_back(std::string(first).append(" ").append(second));
      }
    }
    add(std::move(both));
  }
  return out;
}

/// How many of `terms` have one of `others` that is alike, whose stems go to `said`.
int alike(const engine::Thesaurus& thesaurus,
          const std::vector<Term>& terms,
          const std::vector<Term>& others,
          Words& said) {
  int out = 0;
  for (const Term& one : terms) {
    bool is_alike = false;
    for (const Term& other : others) {
      // The pairs have one word on one side at least.
      if (one.stems.size() + other.stems.size() > 3) continue;
      if (!has_pair(thesaurus, one.forms, other.forms)) continue;
      is_alike = true;
      said.insert(other.stems.begin(), other.stems.end());
    }
    if (is_alike) ++out;
  }
  return out;
}

}  // namespace

CommonWords common_words(const ToolSpec& tool,
                         std::string_view request,
                         const engine::Thesaurus* thesaurus) {
  Words said = content_stems(request);
  const Words name = content_stems(tool.name);
  const Words description = content_stems(tool.description);
  Words both = name;
  both.insert(description.begin(), description.end());
  Words parameters;
  for (const std::string& word : parameter_stems(tool)) {
    if (!both.contains(word)) parameters.insert(word);
  }
  CommonWords out{.words = static_cast<int>(shared(said, both)),
                  .parameters = static_cast<int>(shared(said, parameters))};
  if (thesaurus != nullptr) {
    Words exact;
    std::copy_if(
        said.begin(), said.end(), std::inserter(exact, exact.end()), [&](const std::string& word) {
          return both.contains(word);
        });
    auto terms = terms_of(tool.name, exact);
    const auto more = terms_of(tool.description, exact);
    terms.insert(terms.end(), more.begin(), more.end());
    out.words += alike(*thesaurus, terms_of(request, exact), terms, said);
  }
  out.cover = std::max(share(name, said), share(description, said));
  return out;
}

}  // namespace facet::agent
