// What both kinds of automata ask of their graph.
#pragma once

#include <cstddef>
#include <vector>

namespace facet {

/// Which states of an automaton (ByteAutomaton, TextAutomaton) reach one that accepts: backwards
/// from those. Cost: states + edges.
template <typename Automaton>
std::vector<bool> live_states(const Automaton& automaton) {
  const std::size_t count = automaton.states.size();
  std::vector<std::vector<std::size_t>> sources(count);
  std::vector<bool> live(count, false);
  std::vector<std::size_t> open;
  for (std::size_t from = 0; from < count; ++from) {
    for (const auto& edge : automaton.states[from].edges) {
      sources[static_cast<std::size_t>(edge.to)].push_back(from);
    }
    if (!automaton.states[from].accepts) continue;
    live[from] = true;
    open.push_back(from);
  }
  while (!open.empty()) {
    const std::size_t to = open.back();
    open.pop_back();
    for (const std::size_t from : sources[to]) {
      if (live[from]) continue;
      live[from] = true;
      open.push_back(from);
    }
  }
  return live;
}

}  // namespace facet
