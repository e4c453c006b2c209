// The front ends that make a grammar out of foreign text: JSON Schema, patterns, GBNF. What they
// accept is run: every state must have a way to the end, and what a schema's grammar writes must be
// an instance of it.
#include "base/grammar.h"

#include "base/check.h"
#include "base/grammar/gbnf.h"
#include "base/grammar/regex.h"
#include "base/grammar/schema_grammar.h"
#include "base/json.h"
#include "base/json_pointer.h"
#include "base/utf8.h"
#include "engine/sampling/constraint.h"
#include "tests/fuzz/targets.h"
#include "tests/support/fake_tokenizer.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::fuzz {
namespace {

using engine::TokenId;

constexpr std::size_t kInputBytesMax = 4096;  ///< Larger grammars only make the fuzzer slow.

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `text` cut at its first line feed.
std::pair<std::string_view, std::string_view> two_parts(std::string_view text) {
  const std::size_t at = std::min(text.find('\n'), text.size());
  return {text.substr(0, at), text.substr(std::min(at + 1, text.size()))};
}

const test::FakeTokenizer& bytes_only() {
  static const test::FakeTokenizer tokenizer = test::byte_tokenizer({});
  return tokenizer;
}

/// What comes of choosing among the allowed bytes by `seed`; nothing where that takes too long.
std::optional<std::string> walk(engine::Constraint& constraint, std::uint32_t seed) {
  constexpr std::int64_t kStepsMax = 300;
  std::string out;
  std::int64_t left = constraint.shortest() + 40;
  if (left > kStepsMax) return std::nullopt;
  while (constraint.is_open()) {
    const auto mask = constraint.mask();
    std::vector<TokenId> fitting;
    bool may_go_on = false;
    for (TokenId id = 0; id < 256; ++id) {
      const auto at = static_cast<std::size_t>(id);
      const bool allowed = (mask[at / 64] >> (at % 64) & 1U) != 0;
      may_go_on = may_go_on || allowed;
      if (allowed && constraint.fits(id, left - 2)) fitting.push_back(id);
    }
    FACET_CHECK(may_go_on);
    FACET_CHECK(!fitting.empty());  // Room for the shortest completion was there from the start.
    seed = seed * 1664525U + 1013904223U;
    const TokenId next = fitting[(seed >> 8U) % fitting.size()];
    FACET_CHECK(constraint.accept(next).has_value());
    out += bytes_only().token_bytes(next);
    --left;
  }
  return out;
}

/// The texts of some walks; none for a grammar that is refused.
std::vector<std::string> texts_of(const Grammar& grammar) {
  const auto start = engine::make_constraint(
      grammar, bytes_only(), {.stack_states_max = 256, .free_after = false});
  if (!start) {
    check_message(start.error());
    return {};
  }
  std::vector<std::string> out;
  for (std::uint32_t seed = 0; seed < 2; ++seed) {
    if (auto text = walk(*(*start)->clone(), seed)) out.push_back(*std::move(text));
  }
  return out;
}

}  // namespace

bool schema(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes).substr(0, kInputBytesMax);
  const auto made = grammar::grammar_of_schema(text);
  if (!made) {
    check_place(made.error());
    return false;
  }
  const auto validator = tools::Schema::compile_text(text);
  const bool is_relaxed =
      std::any_of(made->notes.begin(), made->notes.end(), [](const grammar::SchemaNote& note) {
        return note.kind == grammar::SchemaNote::Kind::relaxed;
      });
  for (const std::string& written : texts_of(made->grammar)) {
    const auto value = parse_json(written, "what the grammar wrote");
    FACET_CHECK(value.has_value());
    if (!validator || is_relaxed) continue;
    const auto violation = validator->check(*value);
    FACET_CHECK(!violation || violation->message.find(" steps to check") != std::string::npos);
  }
  return true;
}

bool regex(std::span<const std::byte> bytes) {
  const auto [pattern, text] = two_parts(text_of(bytes).substr(0, kInputBytesMax));
  const auto automaton = grammar::regex_automaton(pattern);
  if (!automaton) {
    check_message(automaton.error());
    return false;
  }
  FACET_CHECK(automaton->states.size() <= grammar::kTextStatesMax);
  if (!is_utf8(pattern) || !is_utf8(text)) return true;
  // RE2 is who validates patterns: they must agree.
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 other(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!other.ok()) return true;
  const bool matches = re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), other);
  FACET_CHECK(automaton->matches(text) == matches);
  return true;
}

bool gbnf(std::span<const std::byte> bytes) {
  const auto grammar = grammar::read_gbnf(text_of(bytes).substr(0, kInputBytesMax));
  if (!grammar) {
    check_place(grammar.error());
    return false;
  }
  (void)texts_of(*grammar);
  return true;
}

bool schema_check(std::span<const std::byte> bytes) {
  const auto [text, instance_text] = two_parts(text_of(bytes));
  const auto document = parse_json(text, "schema");
  const auto instance = parse_json(instance_text, "instance");
  if (!document || !instance) return false;
  const auto schema = tools::Schema::compile(*document, {.check_steps_max = 20'000});
  if (!schema) {
    check_place(schema.error());
    return false;
  }
  const auto violation = schema->check(*instance);
  if (!violation) return true;
  FACET_CHECK(!violation->message.empty());
  FACET_CHECK(is_utf8(violation->message));
  FACET_CHECK(resolve_pointer(*instance, violation->instance_pointer) != nullptr);
  FACET_CHECK(schema->check(*instance)->text() == violation->text());
  return true;
}

}  // namespace facet::fuzz
