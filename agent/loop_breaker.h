// LoopBreaker: notices a model that makes the same call again and again.
#pragma once

#include "base/chat.h"

#include <map>
#include <string>

namespace facet::agent {

/// Not thread-safe. Calls are the same when name and arguments are, whatever the order of keys.
class LoopBreaker {
 public:
  /// How often this call has been made, this time included.
  int count(const ToolCall& call);

 private:
  std::map<std::string, int> counts_;
};

}  // namespace facet::agent
