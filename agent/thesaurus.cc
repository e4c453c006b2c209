#include "agent/thesaurus.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace facet::agent {
namespace {

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash) {
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211U;
  }
  return hash;
}

std::string cut(std::string_view word, std::size_t bytes, std::string_view instead = {}) {
  return std::string(word.substr(0, word.size() - bytes)) + std::string(instead);
}

void add_without_s(std::string_view word, std::vector<std::string>& out) {
  if (word.ends_with("ies") && word.size() > 4) {
    out.push_back(cut(word, 3, "y"));
    return;
  }
  for (const std::string_view ending : {"ses", "xes", "zes", "ches", "shes", "oes"}) {
    if (word.ends_with(ending)) out.push_back(cut(word, 2));
  }
  if (word.ends_with('s') && word.size() > 3) out.push_back(cut(word, 1));
}

/// Of "moved" and "moving" move, of "planned" plan.
void add_without(std::string_view ending, std::string_view word, std::vector<std::string>& out) {
  if (!word.ends_with(ending) || word.size() < ending.size() + 3) return;
  std::string stem = cut(word, ending.size());
  out.push_back(stem + "e");
  const std::size_t size = stem.size();
  if (stem[size - 1] == stem[size - 2]) out.push_back(cut(stem, 1));
  out.push_back(std::move(stem));
}

}  // namespace

std::vector<std::string> base_forms(std::string_view word) {
  std::vector<std::string> out = {std::string(word)};
  add_without_s(word, out);
  add_without("ing", word, out);
  add_without("ed", word, out);
  return out;
}

std::uint64_t word_pair(std::string_view one, std::string_view other) {
  const auto [less, more] = std::minmax(one, other);
  constexpr std::uint64_t kBasis = 14695981039346656037U;
  return fnv1a(more, fnv1a("\t", fnv1a(less, kBasis))) >> 1U;
}

bool has_pair(const engine::Thesaurus& thesaurus,
              const std::vector<std::string>& some,
              const std::vector<std::string>& others) {
  return std::any_of(some.begin(), some.end(), [&](const std::string& one) {
    return std::any_of(others.begin(), others.end(), [&](const std::string& other) {
      return std::binary_search(
          thesaurus.pairs.begin(), thesaurus.pairs.end(), word_pair(one, other));
    });
  });
}

}  // namespace facet::agent
