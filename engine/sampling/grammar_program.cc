#include "engine/sampling/grammar_program.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <utility>

namespace facet::engine {
namespace {

using Kind = Grammar::Kind;
using Node = Grammar::Node;
using Op = GrammarInstruction::Op;

constexpr std::size_t kInstructionsMax = 1U << 20U;
constexpr int kNestingMax = 512;

std::size_t index(Node node) {
  return static_cast<std::size_t>(node);
}

std::int32_t address(std::size_t at) {
  return static_cast<std::int32_t>(at);
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

/// Which nodes match the empty text: the least fixed point.
std::vector<bool> nullable_nodes(const std::vector<Grammar::NodeData>& nodes) {
  std::vector<bool> nullable(nodes.size(), false);
  const auto is_nullable = [&](Node node) { return nullable[index(node)]; };
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto& node = nodes[i];
      const auto& children = node.children;
      bool now = false;
      switch (node.kind) {
        case Kind::literal:
          now = node.text.empty();
          break;
        case Kind::bytes:
        case Kind::control:
          break;
        case Kind::sequence:
        case Kind::rule:
          now = std::all_of(children.begin(), children.end(), is_nullable);
          break;
        case Kind::choice:
          now = std::any_of(children.begin(), children.end(), is_nullable);
          break;
        case Kind::repeat:
          now = node.min == 0 || is_nullable(children.front());
          break;
      }
      if (now && !nullable[i]) {
        nullable[i] = true;
        changed = true;
      }
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
Status check_left_recursion(const std::vector<Grammar::NodeData>& nodes,
                            const std::vector<bool>& nullable) {
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

/// How often the code of each node's child would be written out, were there no subroutines.
std::vector<int> use_counts(const std::vector<Grammar::NodeData>& nodes) {
  std::vector<int> uses(nodes.size(), 0);
  for (const auto& node : nodes) {
    const bool copies = node.kind == Kind::repeat && (node.min > 1 || node.max > 1);
    for (const Node child : node.children) {
      int& count = uses[index(child)];
      count = std::min(count + (copies ? 2 : 1), 2);
    }
  }
  return uses;
}

/// Writes the code. A rule, and whatever is used more than once, becomes a subroutine.
class Compiler {
 public:
  Compiler(const Grammar& grammar, const Tokenizer& tokenizer)
      : nodes_(grammar.nodes()),
        tokenizer_(tokenizer),
        uses_(use_counts(nodes_)),
        subroutines_(nodes_.size(), -1) {}

  Result<GrammarProgram> compile(Node root) {
    FACET_TRY_STATUS(emit(root, 0));
    FACET_TRY_STATUS(add({Op::accept}));
    while (!pending_.empty()) {
      const Node node = pending_.front();
      pending_.pop_front();
      subroutines_[index(node)] = address(program_.code.size());
      FACET_TRY_STATUS(emit_body(node, 0));
      FACET_TRY_STATUS(add({Op::ret}));
    }
    for (GrammarInstruction& instruction : program_.code) {
      if (instruction.op == Op::call) instruction.a = subroutines_[index(instruction.a)];
    }
    auto& tokens = program_.control_tokens;
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    return std::move(program_);
  }

 private:
  std::size_t here() const { return program_.code.size(); }

  Status add(GrammarInstruction instruction) {
    if (here() >= kInstructionsMax) {
      return Error{
          Code::limit_exceeded,
          "the grammar needs more than " + std::to_string(kInstructionsMax) + " instructions"};
    }
    program_.code.push_back(instruction);
    return ok();
  }

  Status add_byte_set(const std::bitset<256>& set) {
    auto& sets = program_.byte_sets;
    const auto found = std::find(sets.begin(), sets.end(), set);
    const auto at = static_cast<std::size_t>(found - sets.begin());
    if (found == sets.end()) sets.push_back(set);
    return add({Op::byte, address(at)});
  }

  [[nodiscard]] bool is_subroutine(Node node) const {
    const auto& data = nodes_[index(node)];
    const bool is_leaf = data.kind == Kind::bytes || data.kind == Kind::control ||
                         (data.kind == Kind::literal && data.text.size() <= 1);
    return data.kind == Kind::rule || (uses_[index(node)] > 1 && !is_leaf);
  }

  Status emit(Node node, int depth) {
    if (!is_subroutine(node)) return emit_body(node, depth);
    std::int32_t& state = subroutines_[index(node)];
    if (state == -1) {
      state = 0;  // Its address is known when its turn comes; calls are patched at the end.
      pending_.push_back(node);
    }
    return add({Op::call, node});
  }

  Status emit_body(Node node, int depth) {
    if (depth > kNestingMax) {
      return Error{Code::limit_exceeded,
                   "the grammar nests deeper than " + std::to_string(kNestingMax) + " nodes"};
    }
    const auto& data = nodes_[index(node)];
    switch (data.kind) {
      case Kind::literal:
        for (const char c : data.text) {
          FACET_TRY_STATUS(add_byte_set(std::bitset<256>().set(static_cast<unsigned char>(c))));
        }
        return ok();
      case Kind::bytes: {
        std::bitset<256> set;
        for (std::size_t i = 0; i < set.size(); ++i) set[i] = data.byte_set[i] == '1';
        return add_byte_set(set);
      }
      case Kind::control: {
        const auto token = tokenizer_.find_token(data.text);
        if (!token) {
          return Error{Code::invalid_argument,
                       "the tokenizer has no control token \"" + data.text + "\""};
        }
        program_.control_tokens.push_back(*token);
        return add({Op::control, *token});
      }
      case Kind::sequence:
      case Kind::rule:
        for (const Node child : data.children) FACET_TRY_STATUS(emit(child, depth + 1));
        return ok();
      case Kind::choice:
        return emit_choice(data, depth);
      case Kind::repeat:
        return emit_repeat(data, depth);
    }
    return ok();
  }

  Status emit_choice(const Grammar::NodeData& data, int depth) {
    std::vector<std::size_t> jumps;
    for (std::size_t i = 0; i < data.children.size(); ++i) {
      const bool last = i + 1 == data.children.size();
      const std::size_t split = here();
      if (!last) FACET_TRY_STATUS(add({Op::split, address(split + 1)}));
      FACET_TRY_STATUS(emit(data.children[i], depth + 1));
      if (last) break;
      jumps.push_back(here());
      FACET_TRY_STATUS(add({Op::jump}));
      program_.code[split].b = address(here());
    }
    for (const std::size_t jump : jumps) program_.code[jump].a = address(here());
    return ok();
  }

  Status emit_repeat(const Grammar::NodeData& data, int depth) {
    const Node part = data.children.front();
    for (std::int32_t i = 0; i < data.min; ++i) FACET_TRY_STATUS(emit(part, depth + 1));
    if (data.max == -1) {
      const std::size_t split = here();
      FACET_TRY_STATUS(add({Op::split, address(split + 1)}));
      FACET_TRY_STATUS(emit(part, depth + 1));
      FACET_TRY_STATUS(add({Op::jump, address(split)}));
      program_.code[split].b = address(here());
      return ok();
    }
    std::vector<std::size_t> splits;
    for (std::int32_t i = data.min; i < data.max; ++i) {
      splits.push_back(here());
      FACET_TRY_STATUS(add({Op::split, address(here() + 1)}));
      FACET_TRY_STATUS(emit(part, depth + 1));
    }
    for (const std::size_t split : splits) program_.code[split].b = address(here());
    return ok();
  }

  const std::vector<Grammar::NodeData>& nodes_;
  const Tokenizer& tokenizer_;
  std::vector<int> uses_;
  std::vector<std::int32_t> subroutines_;  ///< Address by node; -1: not asked for.
  std::deque<Node> pending_;
  GrammarProgram program_;
};

}  // namespace

Result<GrammarProgram> compile_grammar(const Grammar& grammar, const Tokenizer& tokenizer) {
  FACET_TRY_STATUS(check_nodes(grammar));
  FACET_TRY_STATUS(check_left_recursion(grammar.nodes(), nullable_nodes(grammar.nodes())));
  return Compiler(grammar, tokenizer).compile(grammar.root());
}

}  // namespace facet::engine
