// The part of a run that puts pictures beside the results of a search: within a budget, and with a
// word to the model on each that is not shown.
#include "agent/run.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

/// Puts the picture of `passage` beside the result of `search`. limit_exceeded when the context has
/// no room for it; else the errors of PictureSource::read.
Status Session::Run::show_picture(Pending& search, const retrieval::Passage& passage) {
  FACET_TRY(ShownPicture shown, parts_.pictures->read(passage));
  std::vector<Picture> pictures = pictures_of(search.record.pictures);
  pictures.push_back(shown.picture);
  const std::int64_t room = conversation_.context_tokens_max() - conversation_.context_tokens() -
                            options_.budgets.answer_tokens_reserved;
  FACET_TRY(const std::int64_t tokens,
            conversation_.count_tool_outputs({search.call}, {search.record.output}, pictures));
  if (tokens > room) {
    return Error{Code::limit_exceeded,
                 "with it the result has " + std::to_string(tokens) + " tokens, only " +
                     std::to_string(std::max<std::int64_t>(room, 0)) + " are left"};
  }
  search.record.pictures.push_back(std::move(shown));
  ++pictures_shown_;
  return ok();
}

/// Reads the pictures among the passages that `search` found. What the model is to know of them
/// goes into the result: {"passages": [...], "pictures": [{"passage": 2, "picture": 1},
/// {"passage": 3, "error": "..."}]}. A model that reads text only gets the result as it is.
void Session::Run::attach_pictures(Pending& search, std::size_t passages_before) {
  if (parts_.pictures == nullptr || parts_.passages == nullptr) return;
  const bool takes_pictures = conversation_.takes_result_pictures();
  ordered_json list = ordered_json::array();
  for (const NumberedPassage& found : parts_.passages->since(passages_before)) {
    if (!parts_.pictures->is_picture(found.passage)) continue;
    PictureFound event{.passage_id = found.id, .document = found.passage.document};
    if (!takes_pictures) {
      event.not_shown = "the model, or its dialect, takes results as text only";
    } else if (pictures_shown_ >= options_.result_pictures_max) {
      event.not_shown = "the budget of a run is " + std::to_string(options_.result_pictures_max) +
                        " pictures (result_pictures_max)";
    } else if (stop_.stop_requested()) {
      event.not_shown = "the run was stopped";
    } else if (auto status = show_picture(search, found.passage); !status) {
      event.not_shown = status.error().message;
    } else {
      list.push_back({{"passage", found.id}, {"picture", pictures_shown_}});
    }
    if (!event.not_shown.empty()) {
      list.push_back({{"passage", found.id}, {"error", event.not_shown}});
    }
    recording_.note(event);
    emit(event);
  }
  if (!takes_pictures || list.empty()) return;
  auto content = parse_json(search.record.output.content, "result of the search");
  if (!content || !content->is_object()) return;  // An error: there is nothing to point at.
  (*content)["pictures"] = std::move(list);
  search.record.output.content = dump_json(*content);
}

/// The pictures that the journal says came with a result, read again: the model is to see what it
/// saw.
Status Session::Run::restore_pictures(CallRecord& record) {
  if (record.recorded_pictures.empty()) return ok();
  if (parts_.pictures == nullptr || !conversation_.takes_result_pictures()) {
    return Error{Code::invalid_argument,
                 "the result of " + record.call.id +
                     " was shown with pictures, which this session cannot show"};
  }
  FACET_TRY(const auto json, parse_json(record.recorded_pictures, "recorded pictures"));
  auto pictures = parts_.pictures->read_again(json);
  if (!pictures) return pictures.error().with_context("result of " + record.call.id);
  record.pictures = *std::move(pictures);
  pictures_shown_ += static_cast<int>(record.pictures.size());
  return ok();
}

}  // namespace facet::agent
