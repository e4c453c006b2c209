#include "base/grammar.h"

#include "base/check.h"

#include <utility>

namespace facet {
namespace {

/// Two independent 64-bit FNV-1a style sums over the same numbers.
class Hasher {
 public:
  void add(std::uint64_t value) {
    low_ = (low_ ^ value) * 0x100000001B3U;
    low_ ^= low_ >> 29U;
    high_ = (high_ + value) * 0x9E3779B97F4A7C15U;
    high_ ^= high_ >> 32U;
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) add(std::uint64_t{static_cast<unsigned char>(c)});
  }
  void add(const ByteAutomaton& automaton) {
    add(automaton.states.size());
    for (const auto& state : automaton.states) {
      add((std::uint64_t{state.edges.size()} << 1U) | (state.accepts ? 1U : 0U));
      for (const auto& edge : state.edges) {
        add((std::uint64_t{edge.first} << 48U) | (std::uint64_t{edge.last} << 32U) |
            static_cast<std::uint32_t>(edge.to));
      }
    }
  }
  [[nodiscard]] Grammar::Hash value() const { return {low_, high_}; }

 private:
  std::uint64_t low_ = 0xCBF29CE484222325U;
  std::uint64_t high_ = 0x84222325CBF29CE4U;
};

}  // namespace

Grammar::Node Grammar::add(NodeData data) {
  nodes_.push_back(std::move(data));
  return static_cast<Node>(nodes_.size() - 1);
}

Grammar::Node Grammar::literal(std::string_view text) {
  return add({.kind = Kind::literal, .text = std::string(text)});
}

Grammar::Node Grammar::bytes(std::string_view accepted, bool negate) {
  NodeData data{.kind = Kind::bytes, .byte_set = std::string(256, negate ? '1' : '0')};
  for (const char c : accepted) data.byte_set[static_cast<unsigned char>(c)] = negate ? '0' : '1';
  return add(std::move(data));
}

Grammar::Node Grammar::code_point(const CodePointSet& set) {
  if (set.empty()) return never();
  return automaton(code_point_automaton(set));
}

Grammar::Node Grammar::automaton(std::shared_ptr<const ByteAutomaton> automaton) {
  FACET_CHECK(automaton != nullptr);
  return add({.kind = Kind::automaton, .automaton = std::move(automaton)});
}

Grammar::Node Grammar::automaton(ByteAutomaton automaton) {
  return this->automaton(std::make_shared<const ByteAutomaton>(std::move(automaton)));
}

Grammar::Node Grammar::control(std::string_view name) {
  return add({.kind = Kind::control, .text = std::string(name)});
}

Grammar::Node Grammar::sequence(std::vector<Node> parts) {
  return add({.kind = Kind::sequence, .children = std::move(parts)});
}

Grammar::Node Grammar::choice(std::vector<Node> alternatives) {
  return add({.kind = Kind::choice, .children = std::move(alternatives)});
}

Grammar::Node Grammar::repeat(Node part, std::int32_t min, std::int32_t max) {
  FACET_CHECK(min >= 0 && (max == -1 || max >= min));
  return add({.kind = Kind::repeat, .children = {part}, .min = min, .max = max});
}

Grammar::Node Grammar::declare(std::string_view name) {
  return add({.kind = Kind::rule, .text = std::string(name)});
}

void Grammar::define(Node rule, Node body) {
  NodeData& data = nodes_.at(static_cast<std::size_t>(rule));
  FACET_CHECK(data.kind == Kind::rule && data.children.empty());
  data.children = {body};
}

Grammar::Hash Grammar::hash() const {
  Hasher hasher;
  hasher.add(nodes_.size());
  hasher.add(static_cast<std::uint64_t>(root_));
  hasher.add(static_cast<std::uint64_t>(rule_depth_max_));
  for (const NodeData& node : nodes_) {
    hasher.add(static_cast<std::uint64_t>(node.kind));
    hasher.add(node.text);
    hasher.add(node.byte_set);
    hasher.add(node.children.size());
    for (const Node child : node.children) hasher.add(static_cast<std::uint64_t>(child));
    hasher.add(static_cast<std::uint64_t>(node.min));
    hasher.add(static_cast<std::uint64_t>(node.max));
    if (node.automaton) hasher.add(*node.automaton);
  }
  return hasher.value();
}

}  // namespace facet
