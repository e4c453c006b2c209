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
// word with one number in it; for a list, its items and what stands between them
// (agent/said_values.h); for a value that the schema lists, where its words stand; for true and
// false, a word of the parameter's name or description. A value that is listed, true and false may
// also be meant where nothing says them. The members of an object are parameters.
#pragma once

#include "agent/slot_words.h"
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

/// A parameter, or a member of one that is an object.
struct SlotName {
  std::string name;
  std::string member;  ///< Empty: the parameter itself.

  bool operator==(const SlotName&) const = default;
};

/// What a parameter may hold; the last of several is nothing, whose value is empty.
struct SlotSpan {
  std::string value;      ///< A string's bytes, or JSON (Slot::is_text).
  std::size_t begin = 0;  ///< Bytes [begin, end) of the request; none of what it does not say.
  std::size_t end = 0;
  std::vector<std::uint32_t> crossed;  ///< Features that count alone and with each parameter's,
  std::vector<std::uint32_t> own;      ///< and those that count alone.
};

struct Slot {
  bool is_text = false;                 ///< Holds any string.
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
  bool is_whole = false;  ///< One call is all that is asked for: it should hold all that is said.
};

/// The members of `parameters`, a tool's schema, that are slots: strings and numbers that may be
/// any, lists of such, strings of which all are listed, true and false, and the members of objects
/// that have strings and numbers alone. None where it has no members.
std::vector<SlotName> slot_names(const nlohmann::ordered_json& parameters);

/// What `arguments`, a call's, hold in a slot; null where they do not.
nlohmann::ordered_json slot_argument(const nlohmann::ordered_json& arguments, const SlotName& slot);

/// `arguments` of a tool whose schema is `parameters`, with `value` in a slot; left out where that
/// is null and nothing requires it, as an object without members is.
nlohmann::ordered_json with_slot_argument(nlohmann::ordered_json arguments,
                                          const nlohmann::ordered_json& parameters,
                                          const SlotName& slot,
                                          const nlohmann::ordered_json& value);

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

  /// What the slot `name` of `tool`, whose schema is `parameters`, may hold. REQUIRES: is_open(),
  /// and `name` among slot_names().
  [[nodiscard]] Slot slot(const ToolSpec& tool,
                          const nlohmann::ordered_json& parameters,
                          const SlotName& name) const;

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
