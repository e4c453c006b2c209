#include "base/grammar/completable.h"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace facet::grammar {
namespace {

using Node = Grammar::Node;
using Kind = Grammar::Kind;

/// How many of its children a node still waits for; 0: it is completable.
std::size_t needed(const Grammar::NodeData& node) {
  switch (node.kind) {
    case Kind::literal:
    case Kind::control:
      return 0;
    case Kind::bytes:
      return node.byte_set.find('1') == std::string::npos ? SIZE_MAX : 0;
    case Kind::automaton:
      return node.automaton->states.empty() ? SIZE_MAX : 0;
    case Kind::sequence:
      return node.children.size();
    case Kind::choice:
      return node.children.empty() ? SIZE_MAX : 1;
    case Kind::repeat:
      return node.min == 0 ? 0 : 1;
    case Kind::rule:
      return node.children.empty() ? SIZE_MAX : 1;
  }
  return SIZE_MAX;
}

}  // namespace

bool is_completable(const Grammar& grammar, Node root) {
  struct Place {
    std::size_t waits_for = 0;
    std::vector<Node> parents;
  };
  std::unordered_map<Node, Place> places;
  std::vector<Node> open{root};
  std::vector<Node> done;
  places.try_emplace(root);
  while (!open.empty()) {
    const Node now = open.back();
    open.pop_back();
    const Grammar::NodeData& node = grammar.nodes()[static_cast<std::size_t>(now)];
    places[now].waits_for = needed(node);
    if (places[now].waits_for == 0) done.push_back(now);
    for (const Node child : node.children) {
      const bool is_new = places.try_emplace(child).second;
      places[child].parents.push_back(now);
      if (is_new) open.push_back(child);
    }
  }
  while (!done.empty()) {
    const Node now = done.back();
    done.pop_back();
    if (now == root) return true;
    for (const Node parent : places[now].parents) {
      std::size_t& waits_for = places[parent].waits_for;
      if (waits_for == 0 || waits_for == SIZE_MAX) continue;
      if (--waits_for == 0) done.push_back(parent);
    }
  }
  return false;
}

}  // namespace facet::grammar
