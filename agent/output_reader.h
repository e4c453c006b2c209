// OutputReader: from sampled tokens to what they say.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"
#include "prompts/dialect.h"

#include <memory>
#include <string>
#include <vector>

namespace facet::agent {

/// Reads sampled tokens one by one; control tokens reach the parser as control, everything else as
/// letters. Used wherever output of the engine is parsed. Not thread-safe.
class OutputReader {
 public:
  OutputReader(const prompts::Dialect& dialect, const engine::Tokenizer& tokenizer);

  /// What has become certain with `id`, which is no stop token.
  std::vector<prompts::ParseEvent> push(engine::TokenId id);
  /// The rest and the whole.
  Result<prompts::ParsedOutput> finish();
  /// Everything read so far, control tokens spelled.
  [[nodiscard]] const std::string& raw() const { return raw_; }

 private:
  const engine::Tokenizer& tokenizer_;
  engine::StreamDecoder decoder_;
  std::unique_ptr<prompts::StreamParser> parser_;
  std::string raw_;
};

}  // namespace facet::agent
