#include "agent/recording.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

ordered_json record_json(const CallRecord& record) {
  ordered_json json = {{"id", record.call.id},
                       {"name", record.call.name},
                       {"arguments", record.call.arguments},
                       {"content", record.output.content},
                       {"is_error", record.output.is_error},
                       {"outcome", record.outcome},
                       {"elapsed_ms", record.elapsed.count()}};
  if (!record.pictures.empty()) json["pictures"] = shown_pictures_json(record.pictures);
  return json;
}

Result<CallRecord> record_from_json(const ordered_json& json) {
  try {
    CallRecord record;
    record.call = {.id = json.at("id").get<std::string>(),
                   .name = json.at("name").get<std::string>(),
                   .arguments = json.at("arguments").get<std::string>()};
    record.output = {.content = json.at("content").get<std::string>(),
                     .is_error = json.at("is_error").get<bool>()};
    record.outcome = json.at("outcome").get<std::string>();
    record.elapsed = std::chrono::milliseconds(json.at("elapsed_ms").get<std::int64_t>());
    if (json.contains("pictures")) record.recorded_pictures = dump_json(json.at("pictures"));
    return record;
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("recorded result: ") + error.what()};
  }
}

Result<ToolCall> intent_from_json(const ordered_json& json) {
  try {
    return ToolCall{.id = json.at("id").get<std::string>(),
                    .name = json.at("name").get<std::string>(),
                    .arguments = json.at("arguments").get<std::string>()};
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("recorded intent: ") + error.what()};
  }
}

Status restore_passages(const ordered_json& json, PassageBook& book) {
  for (const auto& item : json) {
    FACET_TRY(const retrieval::Passage passage, passage_from_json(item));
    const auto next = static_cast<std::int64_t>(book.size()) + 1;
    FACET_TRY_STATUS(book.restore({.id = next, .passage = passage}));
  }
  return ok();
}

}  // namespace

Status Recording::load(PassageBook* book) {
  if (journal_ == nullptr) return ok();
  FACET_TRY(const auto entries, journal_->entries(run_id_));
  for (const JournalEntry& entry : entries) {
    FACET_TRY(const ordered_json json, parse_json(entry.body, "journal entry"));
    if (entry.kind == "output") {
      FACET_TRY(StepResult step, step_from_json(json));
      outputs_.push_back(std::move(step));
    } else if (entry.kind == "tools") {
      tools_ = entry.body;
    } else if (entry.kind == "intent") {
      FACET_TRY(ToolCall call, intent_from_json(json));
      const std::string id = call.id;
      intents_.insert_or_assign(id, std::move(call));
    } else if (entry.kind == "result") {
      FACET_TRY(CallRecord record, record_from_json(json));
      const std::string id = record.call.id;
      results_.insert_or_assign(id, std::move(record));
    } else if (entry.kind == "passages") {
      if (book != nullptr) FACET_TRY_STATUS(restore_passages(json, *book));
    } else if (entry.kind != "event") {
      return Error{Code::invalid_data, "unknown journal entry '" + entry.kind + "'"};
    }
  }
  is_replaying_ = !outputs_.empty();
  return ok();
}

std::optional<StepResult> Recording::next_output() {
  if (outputs_.empty()) {
    is_replaying_ = false;
    return std::nullopt;
  }
  StepResult step = std::move(outputs_.front());
  outputs_.pop_front();
  return step;
}

std::optional<CallRecord> Recording::result_of(const ToolCall& call) const {
  const auto found = results_.find(call.id);
  if (found == results_.end()) return std::nullopt;
  return found->second;
}

bool Recording::has_intent(const ToolCall& call) const {
  const auto found = intents_.find(call.id);
  return found != intents_.end() && found->second == call;
}

Status Recording::write(std::vector<JournalEntry> entries) {
  if (journal_ == nullptr) return ok();
  entries.insert(entries.end(), noted_.begin(), noted_.end());
  noted_.clear();
  return entries.empty() ? ok() : journal_->append(run_id_, entries);
}

Status Recording::write_tools(const ordered_json& record) {
  return write({{.kind = "tools", .body = dump_json(record)}});
}

Status Recording::write_output(const StepResult& step) {
  return write({{.kind = "output", .body = dump_json(step_json(step))}});
}

Status Recording::write_intents(const std::vector<ToolCall>& calls) {
  std::vector<JournalEntry> entries;
  for (const ToolCall& call : calls) {
    const ordered_json json = {{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}};
    intents_.insert_or_assign(call.id, call);
    entries.push_back({.kind = "intent", .body = dump_json(json)});
  }
  return write(std::move(entries));
}

Status Recording::write_results(const std::vector<CallRecord>& records,
                                const std::vector<NumberedPassage>& passages) {
  std::vector<JournalEntry> entries;
  entries.reserve(records.size() + 1);
  for (const CallRecord& record : records) {
    entries.push_back({.kind = "result", .body = dump_json(record_json(record))});
  }
  if (!passages.empty()) {
    ordered_json list = ordered_json::array();
    for (const NumberedPassage& entry : passages) list.push_back(passage_json(entry.passage));
    entries.push_back({.kind = "passages", .body = dump_json(list)});
  }
  return write(std::move(entries));
}

void Recording::note(const Event& event) {
  if (journal_ == nullptr || is_replaying_) return;
  noted_.push_back({.kind = "event", .body = dump_json(event_json(event))});
}

Status Recording::finish(const RunResult& result) {
  if (journal_ == nullptr) return ok();
  FACET_TRY_STATUS(write({}));
  return journal_->finish_run(
      run_id_, run_finish_name(result.finish), dump_json(run_result_json(result)));
}

}  // namespace facet::agent
