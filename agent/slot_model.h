// Slot filling by a log-linear model: which words of a request a parameter holds. A small model
// confuses what it knows little of: asked to move compost WXS-232 into the basement it may move
// the basement into WXS-232. What values look like, the words beside them, and the words that name
// and describe a parameter say most of what it takes to keep them apart, and need no deep model:
//
//   p(span | parameter) = exp(s(span, parameter)) / sum over all spans and "nothing"
//   s = sum of w[f] over the features f of the span, and of the pairs of one of it with one of the
//       parameter's
//
// with the weights w that the model's file states (engine/model/slot_weights.h), in one table by
// the feature's hash (the hashing trick: Weinberger et al., 2009). They are fitted on requests of
// the model's own training data (models/pocket/train/slot_fit.py). agent/weighed_call.h puts
// the model's own probability beside it.
//
// A span is one word or several in a row, without the punctuation around them; for a number, a
// word with one number in it.
#pragma once

#include "base/chat.h"
#include "engine/model/slot_weights.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// Of longer requests nothing is said: the weights are those of short ones.
inline constexpr std::size_t kSlotRequestWordsMax = 64;
inline constexpr std::size_t kSlotSpanWordsMax = 7;

/// A word of a request: bytes [begin, end) of it.
struct SlotWord {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string lower;  ///< Small letters of ASCII.
  std::string shape;  ///< "A" for Rome, "A-9" for XB-12, "M" for May, "9:9" for 10:30, "a" for red.
  std::string stem;   ///< word_stem() of `lower`.
  std::string number;  ///< The one number in it as JSON writes it; empty where there are more.
};

/// What a parameter may hold; the last of several is nothing, whose value is empty.
struct SlotSpan {
  std::string value;  ///< A string's bytes, or a number as JSON writes it.
  std::size_t begin = 0;
  std::size_t end = 0;
  std::vector<std::uint32_t> crossed;  ///< Features that count alone and with each parameter's,
  std::vector<std::uint32_t> own;      ///< and those that count alone.
};

struct Slot {
  bool is_number = false;
  std::vector<std::uint32_t> features;  ///< The parameter's.
  std::vector<SlotSpan> spans;
};

/// What a parameter holds that is span number `span` of `slot`: null if that is nothing.
nlohmann::ordered_json span_value(const Slot& slot, std::size_t span);

/// The spans of `slot` that are `value`, in order; of null nothing alone.
std::vector<std::size_t> spans_of(const Slot& slot, const nlohmann::ordered_json& value);

/// What arguments are weighed by beside the model: the words of the request, and the weights that
/// say for what.
struct SlotSource {
  const engine::SlotWeights* weights = nullptr;  ///< Null: nothing is said of slots.
  std::string_view request;
};

/// The members of `parameters`, a tool's schema, that are slots: strings and numbers that may be
/// any. None where it has no members.
std::vector<std::string> slot_names(const nlohmann::ordered_json& parameters);

/// The words of one request. A plain value.
class SlotRequest {
 public:
  /// White space is read as single spaces.
  explicit SlotRequest(std::string_view request);

  /// Whether anything is said of the request: it has a word, and not too many.
  [[nodiscard]] bool is_open() const {
    return !words_.empty() && words_.size() <= kSlotRequestWordsMax;
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::vector<SlotWord>& words() const { return words_; }

  /// What the parameter `name` of `tool`, whose schema is `parameters`, may hold. REQUIRES:
  /// is_open(), and `name` among slot_names().
  [[nodiscard]] Slot slot(const ToolSpec& tool,
                          const nlohmann::ordered_json& parameters,
                          const std::string& name) const;

 private:
  std::string text_;
  std::vector<SlotWord> words_;
  /// Each with what does not depend on a parameter, by their first word and then by their last.
  std::vector<std::vector<SlotSpan>> spans_;
};

/// The logarithm of the probability of each span of `slot`.
std::vector<double> slot_log_p(const Slot& slot, const engine::SlotWeights& weights);

/// Where the pair of two features stands in a table, before its size is taken (modulo).
std::uint32_t crossed_feature(std::uint32_t parameter, std::uint32_t span);

}  // namespace facet::agent
