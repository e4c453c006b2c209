// Values of schemas as nodes of a grammar: a rule for each set of schemas that hold together, its
// body written when its turn comes. Private to base/grammar.
#pragma once

#include "base/grammar/schema_shape.h"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace facet::grammar {

/// The nodes that all schemas of one grammar share.
class ValueNodes {
 public:
  using Node = Grammar::Node;

  ValueNodes(Grammar& grammar, const ValueSyntax& syntax, const SchemaGrammarOptions& options);

  Grammar& grammar;
  const ValueSyntax syntax;
  const SchemaGrammarOptions options;
  PatternCache patterns;
  /// Nodes of strings and numbers by what they hold their values to.
  std::map<std::string, Node> known;

  Node comma() const { return comma_; }
  Node colon(const ObjectSyntax& object);
  Node any_string() const { return string_; }
  Node integer() const { return integer_; }
  Node number() const { return number_; }
  /// Every JSON value; written when it is first asked for.
  Node any_value();
  /// A string around `content`.
  Node quoted(Node content);
  Node spelled_text(const TextAutomaton& texts);
  Node string_of_length(std::int64_t min, std::int64_t max);
  /// What may be copied from options.copies; never() where nothing is so long.
  Node copied_string(std::int64_t min, std::int64_t max);
  /// One of `numbers`, texts of JSON numbers.
  Node copied_number(const std::vector<std::string>& numbers, bool integers);
  /// One of some scalars.
  Node scalars(const std::vector<const Json*>& values);
  /// Exactly `value`.
  Node literal(const Json& value);
  /// The key of a member; a bare one must be spellable.
  [[nodiscard]] bool can_spell_key(const std::string& name, const ObjectSyntax& object) const;
  Node key(const std::string& name, const ObjectSyntax& object);
  /// A key out of `names`; those that cannot be spelled are left out.
  Node key(const TextAutomaton& names, const ObjectSyntax& object);

 private:
  [[nodiscard]] Spelling spelling() const;
  [[nodiscard]] TextAutomaton bare_keys() const;
  [[nodiscard]] std::string quoted_text(std::string_view text) const;
  [[nodiscard]] std::string scalar_text(const Json& value) const;
  Node spaced(const std::string& text);
  void write_numbers();
  Node copied_expression();

  Node comma_ = -1;
  Node string_ = -1;
  Node integer_ = -1;
  Node number_ = -1;
  Node character_ = -1;
  Node any_ = -1;
  std::map<std::string, Node> colons_;
  std::map<std::pair<std::int64_t, std::int64_t>, Node> lengths_;
};

/// Writes the values of one document.
class SchemaWriter {
 public:
  using Node = Grammar::Node;

  SchemaWriter(ValueNodes& nodes, const Json& document, std::vector<SchemaNote>& notes);

  Result<Node> run(const ObjectSyntax* root_object);
  [[nodiscard]] const std::string& contradiction() const { return contradiction_; }

 private:
  struct Pending {
    Holdings holdings;
    Node rule = -1;
  };

  Node value_of(const Json* schema) { return value_of(Holdings{{schema}}); }
  Node value_of(Holdings holdings);
  Result<Node> body(const Holdings& holdings, const ObjectSyntax* root_object);
  Result<Node> alternatives(const Shape& shape);
  Result<Node> enumeration(const Shape& shape);
  Result<bool> fits(const Json& value, const Shape& shape);
  Result<Node> number(const Shape& shape, bool integers);
  Result<Node> bounded_number(const Shape& shape, bool integers);
  /// Whether a string or a number must be copied.
  [[nodiscard]] bool is_copied(const Shape& shape) const;
  Result<Node> copied_number(const Shape& shape, bool integers);
  Result<Node> string(const Shape& shape);
  Result<Node> array(const Shape& shape);
  Result<Node> object(const Shape& shape, const ObjectSyntax& syntax, bool outermost);

  struct Member {
    Node node = -1;
    bool required = false;
  };
  Result<std::vector<Member>> members(const Shape& shape,
                                      const ObjectSyntax& syntax,
                                      bool outermost);
  /// Whether null may stand for a required member: SchemaGrammarOptions::may_lack. `is_argument`:
  /// it is one, and of the outermost object.
  Result<bool> may_lack(const Holdings& holdings, bool is_argument);
  Result<Node> extra_member(const Shape& shape, const ObjectSyntax& syntax, bool outermost);
  /// What holds for a member `name`; nullopt when a schema refuses every value.
  struct MemberSchemas {
    Holdings holdings;
    bool refused = false;
  };
  Result<MemberSchemas> member_schemas(const Shape& shape, const std::string& name);
  Node member_list(const std::vector<Member>& members, Node extra, int extra_max);
  Result<TextAutomaton> pattern(const Json* schema, const std::string& text);
  Node never(const std::string& pointer);
  void note(SchemaNote::Kind kind, const std::string& pointer, const std::string& message);

  ValueNodes& nodes_;
  Grammar& grammar_;
  const Json& document_;
  std::vector<SchemaNote>& notes_;
  ShapeReader reader_;
  std::map<Holdings, Node> known_;
  std::deque<Pending> pending_;
  std::string contradiction_;
};

}  // namespace facet::grammar
