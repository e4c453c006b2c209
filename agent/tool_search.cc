#include "agent/tool_search.h"

#include "base/ascii.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace facet::agent {

namespace {

// The usual parameters of BM25, and of fusing two rankings by their places.
constexpr double kK1 = 1.2;
constexpr double kB = 0.75;
constexpr double kPlaceOffset = 60.0;

constexpr float kNameWeight = 3.0F;
constexpr float kDescriptionWeight = 1.0F;
constexpr float kParameterWeight = 0.5F;

/// Words of one tool that are looked at; the rest of a longer text is not.
constexpr std::size_t kWordsMax = 2000;

bool is_small(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

/// All strings in `json`, keys of objects included, a line each.
std::string strings_in(const nlohmann::ordered_json& json) {
  std::string out;
  std::vector<const nlohmann::ordered_json*> open{&json};
  while (!open.empty()) {
    const nlohmann::ordered_json& value = *open.back();
    open.pop_back();
    if (value.is_string()) out += value.get_ref<const std::string&>() + "\n";
    if (value.is_object()) {
      for (const auto& [key, member] : value.items()) {
        // A schema's own words say nothing of this tool.
        if (key == "type" || key == "required" || key == "$schema") continue;
        out += key + "\n";
        open.push_back(&member);
      }
    } else if (value.is_array()) {
      for (const auto& item : value) open.push_back(&item);
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> tool_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (std::size_t i = 0; i < text.size() && words.size() < kWordsMax; ++i) {
    const char c = text[i];
    const bool is_letter = static_cast<unsigned char>(c) >= 0x80 || is_small(c) || is_capital(c);
    if (!is_letter || (is_capital(c) && i > 0 && is_small(text[i - 1]))) end_word();
    if (is_letter) word += ascii_lower(c);
  }
  end_word();
  return words;
}

ToolIndex::ToolIndex(const std::vector<ToolSpec>& tools, const retrieval::Embedder* embedder)
    : tools_(tools), embedder_(embedder) {
  lengths_.reserve(tools.size());
  for (std::uint32_t i = 0; i < tools.size(); ++i) add(i, tools[i]);
  const double sum = std::accumulate(lengths_.begin(), lengths_.end(), 0.0);
  length_mean_ = tools.empty() ? 1.0 : std::max(1.0, sum / static_cast<double>(tools.size()));
}

void ToolIndex::add(std::uint32_t tool, const ToolSpec& spec) {
  std::map<std::string, float> weights;
  float length = 0.0F;
  const auto count = [&](std::string_view text, float weight) {
    for (std::string& word : tool_words(text)) {
      weights[std::move(word)] += weight;
      length += weight;
    }
  };
  count(spec.name, kNameWeight);
  count(spec.description, kDescriptionWeight);
  const auto parameters = parse_json(spec.parameters, "parameters");
  count(parameters ? strings_in(*parameters) : spec.parameters, kParameterWeight);
  for (const auto& [word, weight] : weights) postings_[word].push_back({tool, weight});
  lengths_.push_back(length);
}

std::vector<std::size_t> ToolIndex::by_words(std::string_view query) const {
  std::vector<std::string> words = tool_words(query);
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  const auto tools = static_cast<double>(tools_.size());
  std::vector<double> scores(tools_.size(), 0.0);
  for (const std::string& word : words) {
    const auto found = postings_.find(word);
    if (found == postings_.end()) continue;
    const auto holders = static_cast<double>(found->second.size());
    const double rarity = std::log(1.0 + (tools - holders + 0.5) / (holders + 0.5));
    for (const Posting& posting : found->second) {
      const double length = static_cast<double>(lengths_[posting.tool]) / length_mean_;
      const auto weight = static_cast<double>(posting.weight);
      scores[posting.tool] +=
          rarity * weight * (kK1 + 1.0) / (weight + kK1 * (1.0 - kB + kB * length));
    }
  }
  std::vector<std::size_t> ranked;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > 0.0) ranked.push_back(i);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [&](std::size_t a, std::size_t b) {
    return scores[a] > scores[b];
  });
  return ranked;
}

Result<double> ToolIndex::similarity(const std::vector<float>& query, std::size_t tool) const {
  const std::lock_guard lock(mutex_);
  auto found = vectors_.find(tool);
  if (found == vectors_.end()) {
    const ToolSpec& spec = tools_[tool];
    FACET_TRY(auto vector, embedder_->embed_document(spec.name, spec.description));
    found = vectors_.emplace(tool, std::move(vector)).first;
  }
  return std::inner_product(query.begin(), query.end(), found->second.begin(), 0.0);
}

/// Orders the first of `ranked` anew, by their place in it and their place by the embedder.
Status ToolIndex::fuse(std::string_view query, std::vector<std::size_t>& ranked) const {
  FACET_TRY(const std::vector<float> vector, embedder_->embed_query(query));
  const std::size_t matches = ranked.size();  // The others have no place by words.
  if (tools_.size() <= kEmbeddedMax) {
    for (std::size_t i = 0; i < tools_.size(); ++i) {
      if (std::find(ranked.begin(), ranked.end(), i) == ranked.end()) ranked.push_back(i);
    }
  }
  const std::size_t count = std::min(ranked.size(), kEmbeddedMax);
  std::vector<std::pair<double, std::size_t>> near;  // Similarity and place by words.
  for (std::size_t place = 0; place < count; ++place) {
    FACET_TRY(const double value, similarity(vector, ranked[place]));
    near.emplace_back(value, place);
  }
  std::stable_sort(
      near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::pair<double, std::size_t>> fused;
  for (std::size_t place = 0; place < near.size(); ++place) {
    const std::size_t by_words = near[place].second;
    double score = embedder_->search_weight() / (kPlaceOffset + static_cast<double>(place));
    if (by_words < matches) score += 1.0 / (kPlaceOffset + static_cast<double>(by_words));
    fused.emplace_back(score, ranked[by_words]);
  }
  std::sort(fused.begin(), fused.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  for (std::size_t i = 0; i < fused.size(); ++i) ranked[i] = fused[i].second;
  return ok();
}

Result<std::vector<std::size_t>> ToolIndex::best(std::string_view query) const {
  std::vector<std::size_t> ranked = by_words(query);
  if (embedder_ != nullptr) FACET_TRY_STATUS(fuse(query, ranked));
  return ranked;
}

}  // namespace facet::agent
