// From a JSON Schema (draft 2020-12) to the grammar of its instances, in whatever syntax a dialect
// writes JSON values.
//
// Sound: every text of the grammar is an instance. A keyword that cannot be enforced is an error
// with its JSON pointer; `"x-facet-relaxed": true` in the same schema object, or at the root for
// all, permits it instead, and a note says so. Narrower than the draft, each with a note:
//  - properties come in one order, each once; an object that declares properties and says nothing
//    of others has no others;
//  - arrays without maxItems, recursion and numbers have the bounds of SchemaGrammarOptions;
//  - a number with bounds or multipleOf is written without an exponent.
//
// With SchemaGrammarOptions::may_lack there are texts that are no instances: they say what is
// missing. With a CopySource, strings and numbers are only those that stand in it: see
// SchemaGrammarOptions::copies.
#pragma once

#include "base/grammar.h"
#include "base/grammar/text_automaton.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet::grammar {

class CopySource;

/// How objects are written: open, members with commas, close.
struct ObjectSyntax {
  std::string open = "{";
  std::string close = "}";
  std::string colon = ":";
  enum class Keys {
    quoted,  ///< As strings.
    bare,    ///< As they are; only names that a bare key can spell.
  } keys = Keys::quoted;
};

CodePointSet default_bare_key(bool with_space);

/// How a dialect writes values. The default is JSON as most models write it: ", " and ": ", the
/// spaces optional.
struct ValueSyntax {
  enum class Strings {
    json,    ///< "..." with JSON's escapes.
    python,  ///< "..." with Python's escapes.
    control  ///< Between two control tokens, any text.
  } strings = Strings::json;
  std::string string_control;  ///< control: the token's name.
  ObjectSyntax object;
  std::string comma = ",";
  bool optional_space = true;  ///< One space may follow a comma and a colon.
  std::string true_word = "true";
  std::string false_word = "false";
  std::string null_word = "null";
  /// The characters of a bare key, the first of them and the others. The default is everything
  /// that Gemma's own call syntax does not use, and no white space at the start.
  CodePointSet bare_key_start = default_bare_key(false);
  CodePointSet bare_key_part = default_bare_key(true);
  /// The order of members; null: as declared.
  bool (*key_before)(std::string_view a, std::string_view b) = nullptr;
  /// The text of a number; null: as JSON.
  std::string (*number_text)(const nlohmann::ordered_json& number) = nullptr;
};

struct SchemaGrammarOptions {
  int array_items_max = 64;    ///< Where the schema says nothing.
  int extra_members_max = 64;  ///< Of an object, beside its declared properties.
  int number_digits_max = 17;  ///< Before and after the point, each, where nothing bounds a number.
  int value_depth_max = 24;    ///< Values of recursive schemas inside each other.
  std::size_t schema_bytes_max = 1U << 20U;
  int schema_depth_max = 96;  ///< Nesting of the schema's text.
  std::size_t rules_max = 20'000;
  std::size_t alternatives_max = 256;  ///< That nested anyOf of one value multiply to.
  /// Not null: strings and numbers are what copy_source.h says, unless the schema lists them (enum,
  /// const) or says how they are written (pattern, format). A schema with `"x-facet-free": true`
  /// and what is inside it describe values that are composed in another way: they stay free, as do
  /// values that no schema describes. A property that nothing can fill is left out.
  const CopySource* copies = nullptr;
  /// A required member of an object() may also be null, which says that nothing is known of it: a
  /// text with one is no instance. Not one that is or holds what "x-facet-free" exempts.
  bool may_lack = false;
};

/// Something a reader of the schema should know. `pointer` is a JSON pointer into the schema.
struct SchemaNote {
  enum class Kind {
    bound,     ///< A bound that the schema does not state.
    closed,    ///< Members that are not declared are not offered.
    narrowed,  ///< Only some spellings or values are offered.
    relaxed    ///< Not enforced, as x-facet-relaxed permits.
  } kind = Kind::bound;
  std::string pointer;
  std::string message;

  bool operator==(const SchemaNote&) const = default;
};

/// Adds values of schemas to one grammar; what schemas have in common is written once. Schemas must
/// outlive the object. Not thread-safe.
class SchemaGrammar {
 public:
  SchemaGrammar(Grammar& grammar,
                const ValueSyntax& syntax,
                const SchemaGrammarOptions& options = {});
  SchemaGrammar(const SchemaGrammar&) = delete;
  SchemaGrammar& operator=(const SchemaGrammar&) = delete;
  ~SchemaGrammar();

  /// An instance of `schema`. invalid_argument for what is no schema and for one without instances,
  /// unsupported for what cannot be enforced, limit_exceeded for what is too large; the message
  /// names the pointer.
  Result<Grammar::Node> value(const nlohmann::ordered_json& schema);
  /// An object that is an instance of `schema`, the outermost one written in `syntax`: the
  /// arguments of a call. A schema that describes no members has none here, and of members that are
  /// not declared there is one at most. With SchemaGrammarOptions::copies, here and in value(), a
  /// schema without instances is a node that cannot be completed, and no error.
  Result<Grammar::Node> object(const nlohmann::ordered_json& schema, const ObjectSyntax& syntax);

  [[nodiscard]] const std::vector<SchemaNote>& notes() const;
  /// Where the last schema first contradicts itself; empty when it does not. A schema may still
  /// have instances then.
  [[nodiscard]] const std::string& contradiction() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The grammar of one JSON value of the schema in `text`, and the notes on it. invalid_argument
/// also for a schema without instances.
struct SchemaText {
  Grammar grammar;
  std::vector<SchemaNote> notes;
};
Result<SchemaText> grammar_of_schema(std::string_view text,
                                     const SchemaGrammarOptions& options = {});

/// The texts of a `format`; null for one that has no automaton. Known: date, time, date-time, uuid,
/// ipv4, email, uri (their ASCII forms). The pointer is valid for the whole program.
const TextAutomaton* format_automaton(std::string_view format);

}  // namespace facet::grammar
