// What a set of schemas that hold together ($ref, allOf) says about one value. Private to
// base/grammar.
#pragma once

#include "base/grammar/schema_grammar.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace facet::grammar {

using Json = nlohmann::ordered_json;

/// One schema that holds; `settled`: its anyOf and oneOf are already decided elsewhere.
struct Holding {
  const Json* schema = nullptr;
  bool settled = false;
  bool is_free = false;  ///< It stands inside a schema with x-facet-free.
  // clang-tidy 14 takes what the compiler writes for a 0.
  auto operator<=>(const Holding&) const = default;  // NOLINT(modernize-use-nullptr)
};
using Holdings = std::vector<Holding>;

enum TypeBit : unsigned {
  type_null = 1U,
  type_boolean = 2U,
  type_integer = 4U,
  type_number = 8U,  ///< Integers too.
  type_string = 16U,
  type_array = 32U,
  type_object = 64U,
  type_any = 127U,
};

/// The object keywords of one schema: additionalProperties speaks of its neighbours only.
struct ObjectPart {
  std::vector<std::pair<std::string, const Json*>> properties;
  std::vector<std::pair<std::string, const Json*>> patterns;
  const Json* additional = nullptr;
};

struct ItemsPart {
  std::vector<const Json*> prefix;
  const Json* rest = nullptr;
};

struct Bound {  // long double holds every 64-bit integer and every double.
  long double value = 0.0L;
  bool exclusive = false;
};

/// A pattern or a format; `key` is the same for the same one.
struct ShapeText {
  std::string pointer;
  std::string key;
  std::shared_ptr<const TextAutomaton> automaton;
};

/// Patterns that have been read, by their text.
using PatternCache = std::map<std::string, std::shared_ptr<const TextAutomaton>>;
/// From the cache, or read into it. Errors as regex_automaton.
Result<std::shared_ptr<const TextAutomaton>> cached_pattern(const std::string& text,
                                                            PatternCache& cache);

struct Shape {
  std::string pointer;  ///< Of the first schema, for messages.
  bool refuses_all = false;
  bool is_free = false;  ///< One that holds, or is around it, says x-facet-free.
  unsigned types = type_any;
  std::optional<std::vector<const Json*>> values;
  bool has_structured_keywords = false;
  std::optional<Bound> min, max;
  std::uint64_t multiple_of = 1;
  std::int64_t length_min = 0;
  std::int64_t length_max = -1;
  std::vector<ShapeText> texts;
  std::vector<ObjectPart> objects;
  std::vector<std::string> required;
  std::vector<ItemsPart> items;
  std::int64_t items_min = 0;
  std::int64_t items_max = -1;
  std::vector<std::vector<const Json*>> choices;  ///< anyOf and oneOf, not yet decided.
  Holdings holdings;                              ///< All that hold, settled.
};

/// Reads schemas of one document. Not thread-safe.
class ShapeReader {
 public:
  ShapeReader(const Json& document, std::vector<SchemaNote>& notes, PatternCache& patterns);

  /// Errors as SchemaGrammar::value.
  Result<Shape> read(const Holdings& holdings);
  /// The place of a schema that has been reached.
  [[nodiscard]] std::string pointer_of(const Json* schema) const;
  /// Remembers where `child` stands.
  void place(const Json* child, const std::string& pointer);

 private:
  [[nodiscard]] Error endless(const Json* schema) const;
  Status schema(const Json& schema, bool settled, Shape& shape, std::vector<const Json*>& more);
  Status keyword(const Json& schema,
                 const std::string& key,
                 const Json& value,
                 const std::string& at,
                 bool settled,
                 Shape& shape,
                 std::vector<const Json*>& more);
  Status type(const Json& value, const std::string& at, Shape& shape);
  /// enum and const.
  Status values(const std::string& key, const Json& value, const std::string& at, Shape& shape);
  Status number_keyword(const std::string& key,
                        const Json& value,
                        const std::string& at,
                        Shape& shape);
  Status text_keyword(const std::string& key,
                      const Json& value,
                      const std::string& at,
                      Shape& shape);
  Status object_keywords(const Json& schema, Shape& shape);
  Status items_keywords(const Json& schema, Shape& shape);
  Status list(const Json& value, const std::string& at, std::vector<const Json*>& out);
  Result<const Json*> target(const std::string& reference, const std::string& at);
  [[nodiscard]] bool is_relaxed(const Json& schema) const;
  void note(SchemaNote::Kind kind, const std::string& at, const std::string& message);
  Result<std::int64_t> count(const Json& value, const std::string& at);

  const Json& document_;
  std::vector<SchemaNote>& notes_;
  PatternCache& patterns_;
  std::set<std::pair<std::string, std::string>> noted_;
  std::unordered_map<const Json*, std::string> pointers_;
  std::unordered_map<std::string, const Json*> anchors_;
  bool anchors_read_ = false;
};

}  // namespace facet::grammar
