// ToolIndex: which of many tools fit a question, by the words of their names, descriptions and
// parameters (BM25), and by an embedder where there is one.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "retrieval/embedder.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace facet::agent {

/// The same query always gives the same order. Immutable but for the vectors it keeps; thread-safe.
class ToolIndex {
 public:
  /// Of the tools that match best by words, so many are compared with the query by the embedder:
  /// with thousands of tools not each can be embedded.
  static constexpr std::size_t kEmbeddedMax = 64;

  /// `tools` and `embedder`, which may be null, are borrowed. Parameters that are not JSON count as
  /// words.
  ToolIndex(const std::vector<ToolSpec>& tools, const retrieval::Embedder* embedder);
  ToolIndex(const ToolIndex&) = delete;
  ToolIndex& operator=(const ToolIndex&) = delete;
  ~ToolIndex() = default;

  /// Indices into the tools, best first, equal ones in their order: those that share a word with
  /// `query`, and with an embedder also others while there are at most kEmbeddedMax. Errors of the
  /// embedder.
  [[nodiscard]] Result<std::vector<std::size_t>> best(std::string_view query) const;

 private:
  struct Posting {
    std::uint32_t tool = 0;
    float weight = 0.0F;  ///< How often the word stands there, by the field's weight.
  };

  void add(std::uint32_t tool, const ToolSpec& spec);
  [[nodiscard]] std::vector<std::size_t> by_words(std::string_view query) const;
  Status fuse(std::string_view query, std::vector<std::size_t>& ranked) const;
  Result<double> similarity(const std::vector<float>& query, std::size_t tool) const;

  const std::vector<ToolSpec>& tools_;
  const retrieval::Embedder* embedder_;
  std::unordered_map<std::string, std::vector<Posting>> postings_;
  std::vector<float> lengths_;
  double length_mean_ = 0.0;
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, std::vector<float>> vectors_;  ///< By tool; guarded by mutex_.
};

/// The words of a text in lower case: letters and digits, cut at `_`, `-`, `.` and where a capital
/// follows a small letter ("getWeather_v2" is get, weather, v2); no endings are cut off.
std::vector<std::string> tool_words(std::string_view text);

}  // namespace facet::agent
