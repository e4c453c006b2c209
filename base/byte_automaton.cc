#include "base/byte_automaton.h"

#include "base/grammar/live_states.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace facet {
namespace {

using Edge = ByteAutomaton::Edge;
using State = ByteAutomaton::State;

std::size_t index(std::int32_t state) {
  return static_cast<std::size_t>(state);
}

using Signature = std::vector<std::tuple<int, int, std::int32_t>>;

/// The edges of a state as (first, last, class of the target), neighbours of one class joined.
Signature signature_of(const State& state,
                       const std::vector<bool>& live,
                       const std::vector<std::int32_t>& classes) {
  std::vector<Edge> edges;
  for (const Edge& edge : state.edges) {
    if (live[index(edge.to)]) edges.push_back({edge.first, edge.last, classes[index(edge.to)]});
  }
  std::sort(
      edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.first < b.first; });
  Signature out;
  for (const Edge& edge : edges) {
    const bool joins = !out.empty() && std::get<1>(out.back()) + 1 == edge.first &&
                       std::get<2>(out.back()) == edge.to;
    if (joins) {
      std::get<1>(out.back()) = edge.last;
    } else {
      out.emplace_back(edge.first, edge.last, edge.to);
    }
  }
  out.emplace_back(state.accepts ? 1 : 0, -1, -1);
  return out;
}

}  // namespace

bool ByteAutomaton::matches(std::string_view text) const {
  if (states.empty()) return false;
  std::size_t at = 0;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const auto& edges = states[at].edges;
    const auto edge = std::find_if(edges.begin(), edges.end(), [&](const Edge& candidate) {
      return candidate.first <= byte && byte <= candidate.last;
    });
    if (edge == edges.end()) return false;
    at = index(edge->to);
  }
  return states[at].accepts;
}

ByteAutomaton words_automaton(std::vector<std::string> words) {
  // In order, a word shares its beginning with the one before it: only the last path matters.
  std::sort(words.begin(), words.end());
  ByteAutomaton out{.states = std::vector<State>(1)};
  std::vector<std::int32_t> path{0};
  std::string_view before;
  for (const std::string& word : words) {
    std::size_t shared = 0;
    while (shared < before.size() && shared < word.size() && before[shared] == word[shared]) {
      ++shared;
    }
    path.resize(shared + 1);
    for (std::size_t i = shared; i < word.size(); ++i) {
      const auto to = static_cast<std::int32_t>(out.states.size());
      const auto byte = static_cast<std::uint8_t>(word[i]);
      out.states[index(path.back())].edges.push_back({byte, byte, to});
      out.states.emplace_back();
      path.push_back(to);
    }
    out.states[index(path.back())].accepts = true;
    before = word;
  }
  return out;
}

ByteAutomaton code_point_automaton(const CodePointSet& set) {
  ByteAutomaton out{.states = std::vector<State>(2)};
  out.states[1].accepts = true;
  // Blocks come in byte order, so an equal beginning is the last one of its state.
  for (const Utf8Block& block : utf8_blocks(set)) {
    std::int32_t at = 0;
    for (int i = 0; i < block.length; ++i) {
      const auto byte = static_cast<std::size_t>(i);
      auto& edges = out.states[index(at)].edges;
      const bool shared = !edges.empty() && edges.back().first == block.first[byte] &&
                          edges.back().last == block.last[byte];
      if (shared) {
        at = edges.back().to;
        continue;
      }
      const bool is_last = i + 1 == block.length;
      const auto to = is_last ? 1 : static_cast<std::int32_t>(out.states.size());
      edges.push_back({block.first[byte], block.last[byte], to});
      if (!is_last) out.states.emplace_back();
      at = to;
    }
  }
  return out;
}

ByteAutomaton trimmed(const ByteAutomaton& automaton) {
  const std::vector<bool> live = live_states(automaton);
  if (live.empty() || !live[0]) return {};
  std::vector<std::int32_t> names(live.size(), -1);
  std::int32_t count = 0;
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (live[i]) names[i] = count++;
  }
  ByteAutomaton out{.states = std::vector<State>(static_cast<std::size_t>(count))};
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (!live[i]) continue;
    State& state = out.states[index(names[i])];
    state.accepts = automaton.states[i].accepts;
    for (const Edge& edge : automaton.states[i].edges) {
      if (live[index(edge.to)])
        state.edges.push_back({edge.first, edge.last, names[index(edge.to)]});
    }
  }
  return out;
}

ByteAutomaton minimized(const ByteAutomaton& automaton) {
  const std::vector<bool> live = live_states(automaton);
  const std::size_t count = automaton.states.size();
  if (count == 0 || !live[0]) return {};
  std::vector<std::int32_t> classes(count, 0);
  std::size_t known = 0;
  for (bool changed = true; changed;) {
    std::map<std::pair<std::int32_t, Signature>, std::int32_t> seen;
    std::vector<std::int32_t> next(count, 0);
    for (std::size_t i = 0; i < count; ++i) {
      if (!live[i]) continue;
      auto key = std::pair(classes[i], signature_of(automaton.states[i], live, classes));
      next[i] =
          seen.try_emplace(std::move(key), static_cast<std::int32_t>(seen.size())).first->second;
    }
    changed = seen.size() != known;
    known = seen.size();
    classes = std::move(next);
  }
  // State 0 is looked at first, so its class is 0.
  ByteAutomaton out{.states = std::vector<State>(known)};
  for (std::size_t i = 0; i < count; ++i) {
    if (!live[i]) continue;
    State& state = out.states[index(classes[i])];
    state.accepts = automaton.states[i].accepts;
    if (!state.edges.empty()) continue;
    for (const auto& [first, last, to] : signature_of(automaton.states[i], live, classes)) {
      if (to < 0) continue;
      state.edges.push_back(
          {static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(last), to});
    }
  }
  return out;
}

}  // namespace facet
