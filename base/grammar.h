// Grammar: what a legal output looks like, as data. prompts/ writes it, engine/sampling compiles it
// to a token automaton; neither knows the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facet {

/// A set of nodes that refer to each other by index; plain value. Text is bytes of UTF-8. A control
/// token is one symbol of its own, never the letters of its name.
class Grammar {
 public:
  using Node = std::int32_t;

  enum class Kind : std::uint8_t { literal, bytes, control, sequence, choice, repeat, rule };

  struct NodeData {
    Kind kind = Kind::literal;
    std::string text;            ///< literal: the bytes; control: the token's name; rule: its name.
    std::string byte_set;        ///< bytes: 256 characters of '0' or '1', indexed by byte value.
    std::vector<Node> children;  ///< sequence, choice: parts; repeat, rule: exactly one.
    std::int32_t min = 0;        ///< repeat.
    std::int32_t max = -1;       ///< repeat; -1: no upper bound.
  };

  /// The bytes of `text`, one after the other; empty text matches nothing-at-all (epsilon).
  Node literal(std::string_view text);
  /// Any one byte in `accepted`; with `negate`, any one byte not in it.
  Node bytes(std::string_view accepted, bool negate = false);
  /// The control token with this exact name, e.g. "<escape>".
  Node control(std::string_view name);
  Node sequence(std::vector<Node> parts);
  /// REQUIRES: at least one alternative.
  Node choice(std::vector<Node> alternatives);
  /// REQUIRES: 0 <= min, and max == -1 or max >= min.
  Node repeat(Node part, std::int32_t min, std::int32_t max = -1);
  Node optional(Node part) { return repeat(part, 0, 1); }
  /// A rule whose body is given later by define(); this is how recursion is written.
  Node declare(std::string_view name);
  /// REQUIRES: `rule` came from declare() and is not defined yet.
  void define(Node rule, Node body);

  void set_root(Node root) { root_ = root; }
  [[nodiscard]] Node root() const { return root_; }
  [[nodiscard]] const std::vector<NodeData>& nodes() const { return nodes_; }

 private:
  Node add(NodeData data);

  std::vector<NodeData> nodes_;
  Node root_ = -1;
};

}  // namespace facet
