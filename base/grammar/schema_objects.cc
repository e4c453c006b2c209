// Objects of schemas, and the front of the room: SchemaGrammar.
#include "base/grammar/completable.h"
#include "base/grammar/regex.h"
#include "base/grammar/schema_writer.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::grammar {
namespace {

constexpr std::size_t kPatternsMax = 4;

std::string shown(const std::string& pointer) {
  return pointer.empty() ? std::string("the schema") : "the schema at " + pointer;
}

bool is_false(const Json* schema) {
  return schema->is_boolean() && !schema->get<bool>();
}

}  // namespace

Result<TextAutomaton> SchemaWriter::pattern(const Json* schema, const std::string& text) {
  auto automaton = cached_pattern(text, nodes_.patterns);
  if (!automaton) return automaton.error().with_context(shown(reader_.pointer_of(schema)));
  return **automaton;
}

Result<SchemaWriter::MemberSchemas> SchemaWriter::member_schemas(const Shape& shape,
                                                                 const std::string& name) {
  MemberSchemas out;
  const auto add = [&](const Json* schema) {
    out.refused = out.refused || is_false(schema);
    out.holdings.push_back({schema, false, shape.is_free});
  };
  for (const ObjectPart& part : shape.objects) {
    bool is_known = false;
    for (const auto& [known, schema] : part.properties) {
      if (known != name) continue;
      is_known = true;
      add(schema);
    }
    for (const auto& [text, schema] : part.patterns) {
      FACET_TRY(const TextAutomaton automaton, pattern(schema, text));
      if (!automaton.matches(name)) continue;
      is_known = true;
      add(schema);
    }
    if (!is_known && part.additional != nullptr) add(part.additional);
  }
  return out;
}

Result<bool> SchemaWriter::may_lack(const Holdings& holdings, bool is_argument) {
  if (!nodes_.options.may_lack || !is_argument || holdings.empty()) return false;
  FACET_TRY(const Shape shape, reader_.read(holdings));
  return !shape.is_free;
}

Result<std::vector<SchemaWriter::Member>> SchemaWriter::members(const Shape& shape,
                                                                const ObjectSyntax& syntax,
                                                                bool outermost) {
  std::vector<std::string> names;
  for (const ObjectPart& part : shape.objects) {
    for (const auto& [name, schema] : part.properties) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  for (const std::string& name : shape.required) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (const auto before = nodes_.syntax.key_before; before != nullptr) {
    std::stable_sort(
        names.begin(), names.end(), [&](const auto& a, const auto& b) { return before(a, b); });
  }
  std::vector<Member> out;
  for (const std::string& name : names) {
    const bool required =
        std::find(shape.required.begin(), shape.required.end(), name) != shape.required.end();
    FACET_TRY(MemberSchemas schemas, member_schemas(shape, name));
    const std::string at =
        schemas.holdings.empty() ? shape.pointer : reader_.pointer_of(schemas.holdings[0].schema);
    if (!nodes_.can_spell_key(name, syntax)) {
      return Error{Code::invalid_argument,
                   shown(at) + ": the name " + json_quote(name) + " cannot be written in a call"};
    }
    if (schemas.refused) {
      if (required) out.push_back({never(at), true});
      continue;
    }
    FACET_TRY(const bool lacks, may_lack(schemas.holdings, required && outermost));
    Node value =
        schemas.holdings.empty() ? nodes_.any_value() : value_of(std::move(schemas.holdings));
    if (lacks) value = grammar_.choice({value, nodes_.literal(Json())});
    out.push_back(
        {grammar_.sequence({nodes_.key(name, syntax), nodes_.colon(syntax), value}), required});
  }
  return out;
}

/// A member that no property declares: one alternative for each set of patterns its name matches.
/// never() where the object has none.
Result<Grammar::Node> SchemaWriter::extra_member(const Shape& shape,
                                                 const ObjectSyntax& syntax,
                                                 bool outermost) {
  std::vector<std::string_view> declared;
  std::vector<std::pair<const ObjectPart*, std::size_t>> patterns;
  std::vector<TextAutomaton> automata;
  // Arguments that a tool does not describe are none.
  bool is_open = shape.objects.empty() && !outermost;
  for (const ObjectPart& part : shape.objects) {
    for (const auto& [name, schema] : part.properties) declared.push_back(name);
    is_open = is_open || part.additional != nullptr;
    for (std::size_t i = 0; i < part.patterns.size(); ++i) {
      patterns.emplace_back(&part, i);
      FACET_TRY(TextAutomaton automaton, pattern(part.patterns[i].second, part.patterns[i].first));
      automata.push_back(std::move(automaton));
    }
  }
  for (const std::string& name : shape.required) declared.push_back(name);
  if (patterns.size() > kPatternsMax) {
    return Error{Code::limit_exceeded,
                 shown(shape.pointer) + " has more than " + std::to_string(kPatternsMax) +
                     " patterns for the names of its properties"};
  }
  const TextAutomaton others = complement(word_texts(declared));
  std::vector<Node> out;
  for (unsigned matched = 0; matched < 1U << patterns.size(); ++matched) {
    TextAutomaton names = others;
    Holdings holdings;
    bool refused = matched == 0 && !is_open;
    for (std::size_t i = 0; i < patterns.size() && !refused; ++i) {
      const bool is_matched = (matched >> i & 1U) != 0;
      auto both = intersection(names, is_matched ? automata[i] : complement(automata[i]));
      if (!both) return both.error().with_context(shown(shape.pointer));
      names = *std::move(both);
    }
    for (const ObjectPart& part : shape.objects) {
      bool is_known = false;
      for (std::size_t i = 0; i < patterns.size(); ++i) {
        if (patterns[i].first != &part || (matched >> i & 1U) == 0) continue;
        is_known = true;
        holdings.push_back({part.patterns[patterns[i].second].second, false, shape.is_free});
      }
      if (!is_known && part.additional != nullptr) {
        holdings.push_back({part.additional, false, shape.is_free});
      }
    }
    refused = refused || names.is_empty() ||
              std::any_of(holdings.begin(), holdings.end(), [](const Holding& holding) {
                return is_false(holding.schema);
              });
    if (refused) continue;
    const Node value = holdings.empty() ? nodes_.any_value() : value_of(std::move(holdings));
    out.push_back(grammar_.sequence({nodes_.key(names, syntax), nodes_.colon(syntax), value}));
  }
  if (!is_open && patterns.empty()) {
    note(SchemaNote::Kind::closed, shape.pointer, "only the declared properties are offered");
  }
  return out.size() == 1 ? out.front() : grammar_.choice(std::move(out));
}

/// From the last member to the first: `after` follows a member that is there, `first` are the ways
/// to begin the list. Each is built once and shared, so the grammar grows with the number of
/// members only.
Grammar::Node SchemaWriter::member_list(const std::vector<Member>& members,
                                        Node extra,
                                        int extra_max) {
  const Node comma = nodes_.comma();
  const Node more = grammar_.sequence({comma, extra});
  Node after = grammar_.repeat(more, 0, extra_max);
  std::vector<Node> first{grammar_.optional(
      grammar_.sequence({extra, grammar_.repeat(more, 0, std::max(extra_max - 1, 0))}))};
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    if (member->required) first.clear();
    first.push_back(grammar_.sequence({member->node, after}));
    const Node continues = grammar_.sequence({comma, member->node});
    after = grammar_.sequence({member->required ? continues : grammar_.optional(continues), after});
  }
  return grammar_.choice(std::move(first));
}

Result<Grammar::Node> SchemaWriter::object(const Shape& shape,
                                           const ObjectSyntax& syntax,
                                           bool outermost) {
  FACET_TRY(const std::vector<Member> members, this->members(shape, syntax, outermost));
  FACET_TRY(const Node extra, extra_member(shape, syntax, outermost));
  // An argument given twice is an error to those who read calls, so there is one more at most.
  const int extra_max = outermost ? 1 : nodes_.options.extra_members_max;
  return grammar_.sequence({grammar_.literal(syntax.open),
                            member_list(members, extra, extra_max),
                            grammar_.literal(syntax.close)});
}

struct SchemaGrammar::Parts {
  Parts(Grammar& grammar, const ValueSyntax& syntax, const SchemaGrammarOptions& options)
      : nodes(grammar, syntax, options) {}

  Result<Grammar::Node> write(const Json& schema, const ObjectSyntax* root_object) {
    SchemaWriter writer(nodes, schema, notes);
    auto node = writer.run(root_object);
    contradiction = writer.contradiction();
    if (node && nodes.options.copies == nullptr && !is_completable(nodes.grammar, *node)) {
      const std::string where =
          contradiction.empty() ? "" : ", it contradicts itself at " + contradiction;
      return Error{Code::invalid_argument,
                   "the schema allows nothing: no value satisfies it" + where};
    }
    return node;
  }

  ValueNodes nodes;
  std::vector<SchemaNote> notes;
  std::string contradiction;
};

SchemaGrammar::SchemaGrammar(Grammar& grammar,
                             const ValueSyntax& syntax,
                             const SchemaGrammarOptions& options)
    : parts_(std::make_unique<Parts>(grammar, syntax, options)) {
  grammar.set_rule_depth_max(options.value_depth_max);
}

SchemaGrammar::~SchemaGrammar() = default;

Result<Grammar::Node> SchemaGrammar::value(const Json& schema) {
  return parts_->write(schema, nullptr);
}

Result<Grammar::Node> SchemaGrammar::object(const Json& schema, const ObjectSyntax& syntax) {
  return parts_->write(schema, &syntax);
}

const std::vector<SchemaNote>& SchemaGrammar::notes() const {
  return parts_->notes;
}

const std::string& SchemaGrammar::contradiction() const {
  return parts_->contradiction;
}

Result<SchemaText> grammar_of_schema(std::string_view text, const SchemaGrammarOptions& options) {
  if (text.size() > options.schema_bytes_max) {
    return Error{Code::limit_exceeded,
                 "a schema of " + std::to_string(text.size()) + " bytes, at most " +
                     std::to_string(options.schema_bytes_max) + " are read"};
  }
  FACET_TRY(const Json schema,
            parse_json(text, "schema", {.nesting_depth_max = options.schema_depth_max}));
  SchemaText out;
  const ValueSyntax json;
  SchemaGrammar writer(out.grammar, json, options);
  FACET_TRY(const Grammar::Node root, writer.value(schema));
  out.grammar.set_root(root);
  out.notes = writer.notes();
  return out;
}

}  // namespace facet::grammar
