// What the tests of this room share: reference fixtures, golden files, seeded conversations.
#pragma once

#include "prompts/dialect.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace facet::prompts::test {

/// One rendering of the reference: either `rendered` or `error` is filled in.
struct Fixture {
  std::string name;
  RenderInput input;
  std::string rendered;
  std::string error;
};

/// Fixtures of `$FACET_REFERENCE/prompt-formats/<folder>`, sorted by name; empty, with a warning
/// that names the folder, when it is not there.
std::vector<Fixture> load_fixtures(const std::string& folder);

/// The whole file; fails the test when it cannot be read.
std::string read_file(const std::string& path);
/// tests/golden/prompts/<name>.
std::string golden(const std::string& name);

/// Seeded values. `depth` bounds the nesting of arrays and objects.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(bound)); }
  /// Letters, punctuation of the dialects, quotes, white space, UTF-8, names of control tokens.
  std::string text(int parts_max);
  std::string identifier();
  /// JSON text of one value, or of one object with distinct keys.
  std::string json(int depth);
  std::string json_object(int depth);
  /// From now on keys of objects may be any text, not only names.
  void allow_any_key() { any_key_ = true; }

 private:
  std::mt19937 engine_;
  bool any_key_ = false;
};

/// What is left of `whole` behind `head`; fails the test when it does not begin with it.
std::vector<Segment> tail(const std::vector<Segment>& whole, const std::vector<Segment>& head);

/// Rendered segments as a model would emit them: one control segment per control token, everything
/// else data.
std::vector<Segment> as_output(const Dialect& dialect, const std::vector<Segment>& rendered);

/// Feeds `segments`, data cut into pieces of `piece_bytes` (0: not cut); events of text and of
/// pieces of arguments joined.
struct Fed {
  std::vector<ParseEvent> events;
  Result<ParsedOutput> output;
};
Fed feed(const Dialect& dialect, const std::vector<Segment>& segments, std::size_t piece_bytes);
/// As feed(), data cut in two at every byte offset `cut` counted over all data.
Fed feed_cut(const Dialect& dialect, const std::vector<Segment>& segments, std::size_t cut);

/// Fails the test unless the calls that the events tell of are those of the output.
void check_told(const Fed& fed);

/// Feeds `output` whole, cut at every place and byte by byte; the test fails where they differ, or
/// when it does not hold just these calls. The order of keys does not count: rendering may sort.
void check_calls_however_cut(const Dialect& dialect,
                             const std::vector<Segment>& output,
                             const std::vector<ToolCall>& calls);

}  // namespace facet::prompts::test
