// Recording: one run's view of the journal. It writes what happens, and on resume gives back what
// has happened already.
#pragma once

#include "agent/citations.h"
#include "agent/events.h"
#include "agent/journal.h"

#include <nlohmann/json_fwd.hpp>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::agent {

/// Without a journal every write succeeds and nothing is ever recorded. Not thread-safe.
class Recording {
 public:
  Recording() = default;
  Recording(Journal* journal, std::string run_id) : journal_(journal), run_id_(std::move(run_id)) {}

  /// Reads what the journal holds; puts passages back into `book` (may be null). invalid_data when
  /// an entry cannot be read.
  Status load(PassageBook* book);

  /// The next recorded output, if the run got that far.
  std::optional<StepResult> next_output();
  [[nodiscard]] std::optional<CallRecord> result_of(const ToolCall& call) const;
  /// True when this very call had begun: its effect may have happened. An id may have been given to
  /// another call before, in an output that was cut off.
  [[nodiscard]] bool has_intent(const ToolCall& call) const;

  /// The JSON text of what ToolCatalog::record gave; empty in a journal of an earlier version.
  [[nodiscard]] const std::string& tools() const { return tools_; }
  Status write_tools(const nlohmann::ordered_json& record);
  Status write_output(const StepResult& step);
  Status write_intents(const std::vector<ToolCall>& calls);
  /// Results and the passages they brought: all or none.
  Status write_results(const std::vector<CallRecord>& records,
                       const std::vector<NumberedPassage>& passages);
  /// Keeps `event` for the next write: events need no transaction of their own. What was recorded
  /// already is not noted again while a run is put back.
  void note(const Event& event);
  Status finish(const RunResult& result);

 private:
  Status write(std::vector<JournalEntry> entries);

  Journal* journal_ = nullptr;
  std::string run_id_;
  std::vector<JournalEntry> noted_;
  bool is_replaying_ = false;
  std::string tools_;
  std::deque<StepResult> outputs_;
  std::map<std::string, CallRecord, std::less<>> results_;
  std::map<std::string, ToolCall, std::less<>> intents_;
};

}  // namespace facet::agent
