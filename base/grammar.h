// Grammar: what a legal output looks like, as data. prompts/ writes it, engine/sampling compiles it
// to a token automaton; neither knows the other. Front ends that write one: base/grammar/.
#pragma once

#include "base/byte_automaton.h"
#include "base/code_points.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet {

/// A set of nodes that refer to each other by index; plain value. Text is bytes of UTF-8. A control
/// token is one symbol of its own, never the letters of its name.
class Grammar {
 public:
  using Node = std::int32_t;

  enum class Kind : std::uint8_t {
    literal,
    bytes,
    control,
    sequence,
    choice,
    repeat,
    rule,
    automaton
  };

  struct NodeData {
    Kind kind = Kind::literal;
    std::string text;            ///< literal: the bytes; control: the token's name; rule: its name.
    std::string byte_set;        ///< bytes: 256 characters of '0' or '1', indexed by byte value.
    std::vector<Node> children;  ///< sequence, choice: parts; repeat, rule: exactly one.
    std::int32_t min = 0;        ///< repeat.
    std::int32_t max = -1;       ///< repeat; -1: no upper bound.
    std::shared_ptr<const ByteAutomaton> automaton;  ///< automaton; never null there.
  };

  /// The bytes of `text`, one after the other; empty text matches nothing-at-all (epsilon).
  Node literal(std::string_view text);
  /// Any one byte in `accepted`; with `negate`, any one byte not in it.
  Node bytes(std::string_view accepted, bool negate = false);
  /// Any one code point of `set`, in UTF-8. An empty set matches nothing: see never().
  Node code_point(const CodePointSet& set);
  /// The control token with this exact name, e.g. "<escape>".
  Node control(std::string_view name);
  Node sequence(std::vector<Node> parts);
  /// One of `alternatives`; none of them can be written when there are none: see never().
  Node choice(std::vector<Node> alternatives);
  /// What no text matches. A part of a grammar that cannot be completed is as if it were not there;
  /// only a grammar that as a whole matches nothing is an error.
  Node never() { return choice({}); }
  /// REQUIRES: 0 <= min, and max == -1 or max >= min.
  Node repeat(Node part, std::int32_t min, std::int32_t max = -1);
  Node optional(Node part) { return repeat(part, 0, 1); }
  /// The language of `automaton`, which is shared and must not change. REQUIRES: every state of it
  /// reaches one that accepts, as after minimized(); or there is none at all.
  Node automaton(std::shared_ptr<const ByteAutomaton> automaton);
  Node automaton(ByteAutomaton automaton);
  /// A rule whose body is given later by define(); this is how recursion is written.
  Node declare(std::string_view name);
  /// REQUIRES: `rule` came from declare() and is not defined yet.
  void define(Node rule, Node body);

  void set_root(Node root) { root_ = root; }
  [[nodiscard]] Node root() const { return root_; }
  [[nodiscard]] const std::vector<NodeData>& nodes() const { return nodes_; }

  /// How many rules may be inside each other, those at the end of a rule (which need no way back)
  /// not counted; 0: as many as memory allows. Ways that could only end deeper are not offered.
  void set_rule_depth_max(std::int32_t depth) { rule_depth_max_ = depth; }
  [[nodiscard]] std::int32_t rule_depth_max() const { return rule_depth_max_; }

  /// Equal for equal grammars (128 bits; not against forgers).
  struct Hash {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Hash&) const = default;
  };
  [[nodiscard]] Hash hash() const;

 private:
  Node add(NodeData data);

  std::vector<NodeData> nodes_;
  Node root_ = -1;
  std::int32_t rule_depth_max_ = 0;
};

}  // namespace facet
