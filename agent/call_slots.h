// The arguments of one call as slots of the request it comes from (agent/slot_model.h).
#pragma once

#include "agent/slot_model.h"
#include "base/chat.h"
#include "engine/model/slot_weights.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace facet::agent {

inline constexpr std::size_t kFitSlotsMax = 16;

/// How much of a request the most probable call of a tool holds.
struct SlotFit {
  int filled = 0;              ///< Slots that hold something.
  int open = 0;                ///< Other parameters.
  bool leaves_number = false;  ///< A word with a digit fills no slot, and no list may hold it.
  bool leaves_name = false;    ///< A word with a capital, but the first of a sentence, fills none.
  int left = 0;  ///< Words that say something, that the tool does not declare, and that fill none.

  bool operator==(const SlotFit&) const = default;
};

/// Of a request that is not open, or a tool whose parameters are no JSON object, nothing is said.
/// Of more slots than kFitSlotsMax the first ones may hold something.
SlotFit slot_fit(const SlotRequest& request,
                 const engine::SlotWeights& weights,
                 const ToolSpec& tool);

class CallSlots {
 public:
  /// Of a call of `tool`, whose schema is `parameters`, that holds `arguments`. Nullopt where
  /// nothing can be said: no weights, no slots, a request that is empty or too long, or an argument
  /// that comes from elsewhere. Longer texts than a span has words stay as they are. Key words,
  /// which stand in the request with others between them, come from elsewhere but where they are
  /// among the arguments `doubtful`. A list stays where the request says none that it may be.
  static std::optional<CallSlots> make(const SlotSource& source,
                                       const ToolSpec& tool,
                                       const nlohmann::ordered_json& parameters,
                                       const nlohmann::ordered_json& arguments,
                                       const std::set<std::string>& doubtful = {});

  CallSlots(CallSlots&&) noexcept;
  CallSlots& operator=(CallSlots&&) noexcept;
  CallSlots(const CallSlots&) = delete;
  CallSlots& operator=(const CallSlots&) = delete;
  ~CallSlots();

  /// The logarithm of the probability of what `arguments` hold in the slots, times what it counts.
  /// What is no span is as probable as the least probable one.
  [[nodiscard]] double score(const nlohmann::ordered_json& arguments) const;

  /// The `count` most probable calls, of those that a search over one slot after the other finds:
  /// no two slots share a word, or have one that stands in an argument that is no slot, which stays
  /// what it is in `arguments`. A required slot that holds nothing is null, another one left out.
  [[nodiscard]] std::vector<nlohmann::ordered_json> best(const nlohmann::ordered_json& arguments,
                                                         std::size_t count) const;

 private:
  struct Impl;
  explicit CallSlots(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace facet::agent
