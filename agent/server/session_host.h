// SessionHost: the server's conversations on the planner loop.
#pragma once

#include "agent/chat_model.h"
#include "agent/citations.h"
#include "agent/journal.h"
#include "agent/loop.h"
#include "agent/server/server.h"
#include "base/clock.h"
#include "tools/executor.h"
#include "tools/tool.h"

#include <functional>
#include <memory>

namespace facet::agent {

/// What every conversation is made from. All borrowed; must outlive the server.
struct SessionHost {
  const ChatModel* model = nullptr;
  /// The tools of one conversation; passages are numbered in its own book.
  std::function<Result<tools::Registry>(std::shared_ptr<PassageBook> book)> make_registry;
  /// A picture as the model takes it; null: every picture is refused.
  std::function<Result<Picture>(const RequestPicture& picture)> read_picture;
  const tools::Executor* executor = nullptr;
  const Clock* clock = nullptr;
  Journal* journal = nullptr;                     ///< May be null.
  PictureSource* pictures = nullptr;              ///< May be null.
  const retrieval::Embedder* embedder = nullptr;  ///< May be null.
  SessionOptions defaults;  ///< A request may change sampling, lower budgets, add instructions.
};

/// A request's tokens may not exceed those of `host.defaults`; a larger max_output_tokens is
/// invalid_argument, as are sampling values out of range. A broken picture is an error of the
/// request, "picture 2: ..." counted over the whole request.
OpenSession session_opener(SessionHost host);

}  // namespace facet::agent
