#include "agent/toolbox.h"

#include "agent/document_search.h"
#include "agent/engine_embedder.h"
#include "base/check.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "plugins/loader.h"
#include "tools/builtin/calculator.h"
#include "tools/builtin/current_time.h"
#include "tools/builtin/files.h"
#include "tools/builtin/workspace.h"

#include <algorithm>
#include <utility>

namespace facet::agent {

struct Toolbox::Parts {
  ToolboxOptions options;
  std::unique_ptr<TokenizerCounter> counter;
  std::unique_ptr<retrieval::Embedder> embedder;
  std::unique_ptr<retrieval::Store> store;
  std::shared_ptr<const tools::Workspace> workspace;
  std::vector<std::shared_ptr<const tools::Tool>> plugin_tools;
};

Toolbox::Toolbox(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Toolbox::~Toolbox() = default;

const retrieval::Store* Toolbox::store() const {
  return parts_->store.get();
}

const retrieval::Embedder* Toolbox::embedder() const {
  return parts_->embedder.get();
}

Result<std::unique_ptr<retrieval::Embedder>> load_embedder(const std::filesystem::path& path,
                                                           int threads) {
  auto engine = engine::Engine::load({.model = path, .threads = threads});
  if (!engine) return Error{Code::unavailable, engine.error().message};
  FACET_TRY(auto embedder, EngineEmbedder::create(*std::move(engine)));
  return std::unique_ptr<retrieval::Embedder>(std::move(embedder));
}

Result<std::unique_ptr<Toolbox>> Toolbox::open(const ToolboxOptions& options,
                                               std::shared_ptr<const engine::Tokenizer> tokenizer) {
  if (options.passages_max < 1 || options.passages_max > 20) {
    return Error{Code::invalid_argument,
                 "passages_max is " + std::to_string(options.passages_max) + ", expected 1 to 20"};
  }
  auto parts = std::make_shared<Parts>();
  parts->options = options;
  if (options.store) {
    FACET_CHECK(tokenizer != nullptr);
    parts->counter = std::make_unique<TokenizerCounter>(std::move(tokenizer));
    if (options.embedder) {
      FACET_TRY(parts->embedder, load_embedder(*options.embedder, options.threads));
    }
    FACET_TRY(parts->store,
              retrieval::Store::open({.folder = *options.store,
                                      .embedder = parts->embedder.get(),
                                      .counter = parts->counter.get()}));
  }
  if (options.workspace) {
    FACET_TRY(parts->workspace, tools::Workspace::open(options.workspace->string()));
  }
  for (const auto& path : options.plugins) {
    FACET_TRY(auto plugin, plugins::load_plugin(path));
    parts->plugin_tools.insert(parts->plugin_tools.end(), plugin.tools.begin(), plugin.tools.end());
  }
  std::unique_ptr<Toolbox> toolbox(new Toolbox(std::move(parts)));
  // Wrong names show up when the program starts, not in the middle of a session.
  FACET_TRY(const tools::Registry registry,
            toolbox->make_registry(std::make_shared<PassageBook>()));
  for (const std::string& name : options.only) {
    if (registry.find(name) == nullptr) {
      return Error{Code::not_found, "there is no tool '" + name + "' with these options"};
    }
  }
  return toolbox;
}

Result<tools::Registry> Toolbox::make_registry(std::shared_ptr<PassageBook> book) const {
  std::vector<std::shared_ptr<const tools::Tool>> all;
  if (parts_->store) {
    // The store borrows from the parts too, so they are kept as a whole.
    auto search = std::make_shared<StoreSearch>(
        std::shared_ptr<const retrieval::Store>(parts_, parts_->store.get()),
        std::shared_ptr<const retrieval::TokenCounter>(parts_, parts_->counter.get()),
        std::move(book));
    all.push_back(tools::make_search_documents(
        std::move(search), {.top_k = static_cast<std::size_t>(parts_->options.passages_max)}));
  }
  all.push_back(tools::make_calculator());
  all.push_back(tools::make_current_time(std::make_shared<SystemClock>()));
  if (parts_->workspace) {
    all.push_back(tools::make_list_files(parts_->workspace));
    all.push_back(tools::make_read_file(parts_->workspace));
  }
  all.insert(all.end(), parts_->plugin_tools.begin(), parts_->plugin_tools.end());
  tools::Registry registry;
  const auto& only = parts_->options.only;
  for (auto& tool : all) {
    const bool is_wanted =
        only.empty() || std::find(only.begin(), only.end(), tool->spec().name) != only.end();
    if (is_wanted) FACET_TRY_STATUS(registry.add(std::move(tool)));
  }
  return registry;
}

}  // namespace facet::agent
