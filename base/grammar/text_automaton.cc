#include "base/grammar/text_automaton.h"

#include "base/grammar/live_states.h"
#include "base/utf8.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace facet::grammar {
namespace {

using Edge = TextAutomaton::Edge;
using State = TextAutomaton::State;

constexpr std::uint32_t kLastCodePoint = 0x10FFFF;

std::size_t index(std::int32_t state) {
  return static_cast<std::size_t>(state);
}

Error too_large(const char* what) {
  return Error{
      Code::limit_exceeded,
      std::string(what) + " needs more than " + std::to_string(kTextStatesMax) + " states"};
}

/// The code point at `text[at]`, which is well-formed, and moves `at` behind it.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const std::size_t length = std::max<std::size_t>(utf8_length_at(text, at), 1);
  const auto lead = static_cast<std::uint8_t>(text[at]);
  std::uint32_t code = length == 1 ? lead : lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    code = (code << 6U) | (static_cast<std::uint8_t>(text[at + i]) & 0x3FU);
  }
  at += length;
  return code;
}

/// Adds an edge, joined with the one before it where both lead to the same state.
void add_edge(State& state, Edge edge) {
  if (!state.edges.empty() && state.edges.back().to == edge.to &&
      state.edges.back().last + 1 == edge.first) {
    state.edges.back().last = edge.last;
  } else {
    state.edges.push_back(edge);
  }
}

}  // namespace

bool TextAutomaton::is_empty() const {
  return std::none_of(
      states.begin(), states.end(), [](const State& state) { return state.accepts; });
}

bool TextAutomaton::matches(std::string_view text) const {
  if (states.empty()) return false;
  std::int32_t state = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t code = next_code_point(text, at);
    const auto& edges = states[index(state)].edges;
    const auto edge = std::find_if(edges.begin(), edges.end(), [&](const Edge& candidate) {
      return candidate.first <= code && code <= candidate.last;
    });
    if (edge == edges.end()) return false;
    state = edge->to;
  }
  return states[index(state)].accepts;
}

TextAutomaton any_text(const CodePointSet& set) {
  TextAutomaton out{.states = std::vector<State>(1)};
  out.states[0].accepts = true;
  for (const CodePointRange& range : set.ranges()) {
    out.states[0].edges.push_back({range.first, range.last, 0});
  }
  return out;
}

TextAutomaton word_texts(const std::vector<std::string_view>& words) {
  TextAutomaton out{.states = std::vector<State>(1)};
  for (const std::string_view word : words) {
    std::int32_t state = 0;
    for (std::size_t at = 0; at < word.size();) {
      const std::uint32_t code = next_code_point(word, at);
      const auto& edges = out.states[index(state)].edges;
      const auto edge = std::find_if(
          edges.begin(), edges.end(), [&](const Edge& known) { return known.first == code; });
      if (edge != edges.end()) {
        state = edge->to;
        continue;
      }
      const auto to = static_cast<std::int32_t>(out.states.size());
      out.states[index(state)].edges.push_back({code, code, to});
      out.states.emplace_back();
      state = to;
    }
    out.states[index(state)].accepts = true;
  }
  for (State& state : out.states) {
    std::sort(state.edges.begin(), state.edges.end(), [](const Edge& a, const Edge& b) {
      return a.first < b.first;
    });
  }
  return out;
}

Result<TextAutomaton> intersection(const TextAutomaton& a, const TextAutomaton& b) {
  TextAutomaton out;
  if (a.states.empty() || b.states.empty()) return out;
  using Pair = std::pair<std::int32_t, std::int32_t>;
  std::map<Pair, std::int32_t> known{{{0, 0}, 0}};
  std::vector<Pair> pairs{{0, 0}};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const State& left = a.states[index(pairs[i].first)];
    const State& right = b.states[index(pairs[i].second)];
    State state{.accepts = left.accepts && right.accepts};
    auto l = left.edges.begin();
    auto r = right.edges.begin();
    while (l != left.edges.end() && r != right.edges.end()) {
      const std::uint32_t first = std::max(l->first, r->first);
      const std::uint32_t last = std::min(l->last, r->last);
      if (first <= last) {
        const auto [found, is_new] =
            known.try_emplace({l->to, r->to}, static_cast<std::int32_t>(pairs.size()));
        if (is_new) pairs.emplace_back(l->to, r->to);
        add_edge(state, {first, last, found->second});
      }
      (l->last < r->last ? l : r)++;
    }
    out.states.push_back(std::move(state));
    if (pairs.size() > kTextStatesMax) return too_large("what two patterns have in common");
  }
  return trimmed(out);
}

TextAutomaton complement(const TextAutomaton& automaton) {
  TextAutomaton out = automaton;
  if (out.states.empty()) out.states.emplace_back();
  const auto rest = static_cast<std::int32_t>(out.states.size());
  for (State& state : out.states) {
    State total{.accepts = !state.accepts};
    std::uint32_t next = 0;
    for (const Edge& edge : state.edges) {
      if (edge.first > next) add_edge(total, {next, edge.first - 1, rest});
      add_edge(total, edge);
      next = edge.last + 1;
    }
    if (next <= kLastCodePoint) add_edge(total, {next, kLastCodePoint, rest});
    state = std::move(total);
  }
  out.states.push_back({.edges = {{0, kLastCodePoint, rest}}, .accepts = true});
  return trimmed(out);
}

Result<TextAutomaton> with_length(const TextAutomaton& automaton,
                                  std::int64_t min,
                                  std::int64_t max) {
  // A line of states that counts; beyond the last interesting count it stays.
  const std::int64_t most = max < 0 ? min : max;
  if (most >= static_cast<std::int64_t>(kTextStatesMax))
    return too_large("a pattern with a length");
  TextAutomaton counter{.states = std::vector<State>(static_cast<std::size_t>(most) + 1)};
  for (std::int64_t count = 0; count <= most; ++count) {
    State& state = counter.states[static_cast<std::size_t>(count)];
    state.accepts = count >= min;
    const bool is_last = count == most;
    if (is_last && max >= 0) continue;
    const auto to = static_cast<std::int32_t>(is_last ? count : count + 1);
    state.edges.push_back({0, kLastCodePoint, to});
  }
  return intersection(automaton, counter);
}

TextAutomaton trimmed(const TextAutomaton& automaton) {
  const std::vector<bool> live = live_states(automaton);
  TextAutomaton out;
  if (live.empty() || !live[0]) return out;
  std::vector<std::int32_t> names(live.size(), -1);
  std::int32_t count = 0;
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (live[i]) names[i] = count++;
  }
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (!live[i]) continue;
    State state{.accepts = automaton.states[i].accepts};
    for (const Edge& edge : automaton.states[i].edges) {
      if (live[index(edge.to)]) add_edge(state, {edge.first, edge.last, names[index(edge.to)]});
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

}  // namespace facet::grammar
