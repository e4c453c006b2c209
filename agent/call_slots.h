// The arguments of one call as slots of the request it comes from (agent/slot_model.h).
#pragma once

#include "agent/slot_model.h"
#include "base/chat.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace facet::agent {

class CallSlots {
 public:
  /// Of a call of `tool`, whose schema is `parameters`, that holds `arguments`. Nullopt where
  /// nothing can be said: no weights, no slots, a request that is empty or too long, or an argument
  /// that comes from elsewhere. Longer texts than a span has words stay as they are.
  static std::optional<CallSlots> make(const SlotSource& source,
                                       const ToolSpec& tool,
                                       const nlohmann::ordered_json& parameters,
                                       const nlohmann::ordered_json& arguments);

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
