// Schema: a JSON Schema (draft 2020-12) compiled once, then used to check values from many threads.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace facet::tools {

struct SchemaOptions {
  /// What to do with a keyword that no vocabulary of draft 2020-12 knows. `refuse` finds the typing
  /// error that would otherwise constrain nothing; names that begin with "x-" always pass.
  enum class UnknownKeywords { refuse, ignore } unknown_keywords = UnknownKeywords::refuse;
  std::size_t schema_bytes_max = 1U << 20U;
  std::size_t subschemas_max = 10'000;
  /// Nested checks of one value, so that a schema which refers to itself without end stops.
  int check_depth_max = 256;
  /// Subschemas applied to one value in all, so that nested alternatives cannot take for ever.
  std::size_t check_steps_max = 1'000'000;
  std::size_t pattern_bytes_max = 4096;
  std::size_t pattern_memory_bytes_max = 1U << 20U;
};

/// Why a value was refused: where in the value, which keyword of the schema, and both in words.
struct SchemaViolation {
  std::string instance_pointer;  ///< JSON pointer into the value; empty for the value itself.
  std::string keyword_pointer;   ///< JSON pointer into the schema.
  std::string message;           ///< "must be an integer, is the string \"five\"".

  /// "/nights must be an integer, is the string \"five\" (schema: /properties/nights/type)".
  [[nodiscard]] std::string text() const;
};

struct SchemaProgram;

/// Immutable, cheap to copy, thread-safe.
///
/// Supported: every keyword of the applicator, validation, metadata and content vocabularies and of
/// the core and unevaluated vocabularies, except those that need another document: $vocabulary, and
/// a $ref or $dynamicRef that leaves the document. `format` and the
/// content keywords are annotations, as the draft has them by default. `pattern` is RE2's dialect:
/// a pattern that RE2 cannot run (look-around, back references) is refused. String lengths count
/// code points.
class Schema {
 public:
  /// invalid_argument for a schema that is not one (wrong type of a keyword, $ref to nowhere, a
  /// broken pattern), unsupported for the keywords named above, limit_exceeded beyond a limit. The
  /// message begins with the JSON pointer of the place.
  static Result<Schema> compile(const nlohmann::ordered_json& schema, SchemaOptions options = {});
  static Result<Schema> compile_text(std::string_view schema, SchemaOptions options = {});

  /// The first reason why `instance` does not satisfy the schema, or nothing when it does.
  [[nodiscard]] std::optional<SchemaViolation> check(const nlohmann::ordered_json& instance) const;

 private:
  explicit Schema(std::shared_ptr<const SchemaProgram> program) : program_(std::move(program)) {}

  std::shared_ptr<const SchemaProgram> program_;
};

}  // namespace facet::tools
