#include "engine/sampling/grammar_analysis.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace facet::engine {
namespace {

using Kind = Grammar::Kind;
using Node = Grammar::Node;
using Nodes = std::vector<Grammar::NodeData>;

constexpr std::int32_t kNever = GrammarAnalysis::kNever;

std::size_t index(Node node) {
  return static_cast<std::size_t>(node);
}

Status check_nodes(const Grammar& grammar) {
  const auto& nodes = grammar.nodes();
  const auto in_range = [&](Node node) { return node >= 0 && index(node) < nodes.size(); };
  if (!in_range(grammar.root())) return Error{Code::invalid_argument, "the grammar has no root"};
  for (const auto& node : nodes) {
    if (node.kind == Kind::rule && node.children.empty()) {
      return Error{Code::invalid_argument, "grammar rule \"" + node.text + "\" is not defined"};
    }
    if (!std::all_of(node.children.begin(), node.children.end(), in_range)) {
      return Error{Code::invalid_argument, "a grammar node refers to a node that does not exist"};
    }
  }
  return ok();
}

bool is_nullable(const Grammar::NodeData& node, const std::vector<bool>& nullable) {
  const auto known = [&](Node child) { return nullable[index(child)]; };
  const auto& children = node.children;
  switch (node.kind) {
    case Kind::literal:
      return node.text.empty();
    case Kind::bytes:
    case Kind::control:
      return false;
    case Kind::automaton:
      return !node.automaton->states.empty() && node.automaton->states[0].accepts;
    case Kind::sequence:
    case Kind::rule:
      return std::all_of(children.begin(), children.end(), known);
    case Kind::choice:
      return std::any_of(children.begin(), children.end(), known);
    case Kind::repeat:
      return node.min == 0 || known(children.front());
  }
  return false;
}

/// Which nodes match the empty text: the least fixed point.
std::vector<bool> nullable_nodes(const Nodes& nodes) {
  std::vector<bool> nullable(nodes.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nullable[i] || !is_nullable(nodes[i], nullable)) continue;
      nullable[i] = true;
      changed = true;
    }
  }
  return nullable;
}

/// The children that may be entered before any symbol is consumed.
std::vector<Node> leftmost_children(const Grammar::NodeData& node,
                                    const std::vector<bool>& nullable) {
  if (node.kind != Kind::sequence) return node.children;
  std::vector<Node> out;
  for (const Node child : node.children) {
    out.push_back(child);
    if (!nullable[index(child)]) break;
  }
  return out;
}

/// A cycle through leftmost children is left recursion. Depth-first, without recursion.
Status check_left_recursion(const Nodes& nodes, const std::vector<bool>& nullable) {
  enum class Mark : std::uint8_t { fresh, open, done };
  struct Visit {
    std::size_t node = 0;
    std::vector<Node> children;
    std::size_t next = 0;
  };
  std::vector<Mark> marks(nodes.size(), Mark::fresh);
  for (std::size_t start = 0; start < nodes.size(); ++start) {
    if (marks[start] != Mark::fresh) continue;
    std::vector<Visit> path{{start, leftmost_children(nodes[start], nullable)}};
    marks[start] = Mark::open;
    while (!path.empty()) {
      Visit& top = path.back();
      if (top.next == top.children.size()) {
        marks[top.node] = Mark::done;
        path.pop_back();
        continue;
      }
      const std::size_t child = index(top.children[top.next++]);
      if (marks[child] == Mark::open) {
        const auto rule = std::find_if(path.rbegin(), path.rend(), [&](const Visit& visit) {
          return nodes[visit.node].kind == Kind::rule;
        });
        return Error{Code::invalid_argument,
                     "grammar rule \"" + (rule == path.rend() ? "" : nodes[rule->node].text) +
                         "\" is left-recursive"};
      }
      if (marks[child] == Mark::fresh) {
        marks[child] = Mark::open;
        path.push_back({child, leftmost_children(nodes[child], nullable)});
      }
    }
  }
  return ok();
}

/// Rules that lie on a cycle: strongly connected components (Tarjan 1972), without recursion.
class Cycles {
 public:
  explicit Cycles(const Nodes& nodes)
      : nodes_(nodes), order_(nodes.size(), 0), low_(nodes.size(), 0), open_(nodes.size(), false) {}

  std::vector<bool> rules() {
    std::vector<bool> recursive(nodes_.size(), false);
    for (std::size_t start = 0; start < nodes_.size(); ++start) {
      if (order_[start] == 0) visit(start, recursive);
    }
    return recursive;
  }

 private:
  struct Step {
    std::size_t node = 0;
    std::size_t next = 0;
  };

  void enter(std::size_t node) {
    order_[node] = low_[node] = ++count_;
    open_[node] = true;
    stack_.push_back(node);
    path_.push_back({node});
  }

  void visit(std::size_t start, std::vector<bool>& recursive) {
    enter(start);
    while (!path_.empty()) {
      const std::size_t node = path_.back().node;
      if (path_.back().next < nodes_[node].children.size()) {
        const std::size_t child = index(nodes_[node].children[path_.back().next++]);
        if (order_[child] == 0) {
          enter(child);
        } else if (open_[child]) {
          low_[node] = std::min(low_[node], order_[child]);
        }
        continue;
      }
      path_.pop_back();
      if (!path_.empty()) low_[path_.back().node] = std::min(low_[path_.back().node], low_[node]);
      if (low_[node] == order_[node]) close(node, recursive);
    }
  }

  /// `root` and everything above it on the stack is one component.
  void close(std::size_t root, std::vector<bool>& recursive) {
    const bool is_cycle = stack_.back() != root;  // A rule that is its own body is left recursion.
    for (bool more = true; more;) {
      const std::size_t node = stack_.back();
      stack_.pop_back();
      open_[node] = false;
      recursive[node] = is_cycle && nodes_[node].kind == Kind::rule;
      more = node != root;
    }
  }

  const Nodes& nodes_;
  std::vector<int> order_;  ///< 0: not visited.
  std::vector<int> low_;
  std::vector<bool> open_;
  std::vector<std::size_t> stack_;
  std::vector<Step> path_;
  int count_ = 0;
};

/// A rule, or what would be written out more than once and is not a single symbol.
std::vector<bool> shared_nodes(const Nodes& nodes) {
  std::vector<int> uses(nodes.size(), 0);
  for (const auto& node : nodes) {
    const bool copies = node.kind == Kind::repeat && node.min == 1 && node.max == -1;
    for (const Node child : node.children) {
      int& count = uses[index(child)];
      count = std::min(count + (copies ? 2 : 1), 2);
    }
  }
  std::vector<bool> shared(nodes.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = nodes[i];
    const bool is_symbol = node.kind == Kind::bytes || node.kind == Kind::control ||
                           (node.kind == Kind::literal && node.text.size() <= 1);
    shared[i] = node.kind == Kind::rule || (uses[i] > 1 && !is_symbol);
  }
  return shared;
}

/// The least fixed point of the depths (Knuth 1977): what stays at kNever has no text.
class Depths {
 public:
  Depths(const Nodes& nodes, GrammarAnalysis& out) : nodes_(nodes), out_(out) {
    out_.depth.assign(nodes.size(), kNever);
    out_.depth_at_end.assign(nodes.size(), kNever);
  }

  void run() {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const std::int32_t middle = depth_of(i, false);
        const std::int32_t end = depth_of(i, true);
        changed = changed || middle != out_.depth[i] || end != out_.depth_at_end[i];
        out_.depth[i] = middle;
        out_.depth_at_end[i] = end;
      }
    }
  }

 private:
  [[nodiscard]] std::int32_t known(Node node, bool at_end) const {
    return (at_end ? out_.depth_at_end : out_.depth)[index(node)];
  }

  [[nodiscard]] std::int32_t depth_of(std::size_t i, bool at_end) const {
    const auto& node = nodes_[i];
    // What is called from several places does not know whether its end is the end of a rule.
    const bool end = node.kind == Kind::rule || (at_end && !out_.shared[i]);
    std::int32_t depth = node.kind == Kind::choice ? kNever : 0;
    switch (node.kind) {
      case Kind::literal:
      case Kind::control:
        return 0;
      case Kind::bytes:
        return node.byte_set.find('1') == std::string::npos ? kNever : 0;
      case Kind::automaton:
        return is_empty(*node.automaton) ? kNever : 0;
      case Kind::rule:
        depth = known(node.children.front(), end);
        return depth == kNever || at_end || !out_.recursive[i] ? depth : depth + 1;
      case Kind::choice:
        for (const Node child : node.children) depth = std::min(depth, known(child, end));
        return depth;
      case Kind::sequence:
        for (std::size_t c = 0; c < node.children.size(); ++c) {
          depth = std::max(depth, known(node.children[c], end && c + 1 == node.children.size()));
        }
        return depth;
      case Kind::repeat:
        if (node.min == 0) return 0;
        return known(node.children.front(), end && node.max == 1);
    }
    return depth;
  }

  static bool is_empty(const ByteAutomaton& automaton) {
    return std::none_of(automaton.states.begin(), automaton.states.end(), [](const auto& state) {
      return state.accepts;
    });
  }

  const Nodes& nodes_;
  GrammarAnalysis& out_;
};

}  // namespace

Result<GrammarAnalysis> analyze(const Grammar& grammar) {
  FACET_TRY_STATUS(check_nodes(grammar));
  const Nodes& nodes = grammar.nodes();
  GrammarAnalysis out;
  out.nullable = nullable_nodes(nodes);
  FACET_TRY_STATUS(check_left_recursion(nodes, out.nullable));
  out.recursive = Cycles(nodes).rules();
  out.shared = shared_nodes(nodes);
  Depths(nodes, out).run();
  const std::int32_t depth = out.depth[index(grammar.root())];
  if (depth == kNever) {
    return Error{Code::invalid_argument, "the grammar matches nothing: no text can complete it"};
  }
  if (grammar.rule_depth_max() > 0 && depth > grammar.rule_depth_max()) {
    return Error{Code::limit_exceeded,
                 "the shallowest text of the grammar is " + std::to_string(depth) +
                     " rules deep, at most " + std::to_string(grammar.rule_depth_max()) +
                     " are allowed"};
  }
  return out;
}

}  // namespace facet::engine
