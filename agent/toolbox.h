// Toolbox: everything the tools of an agent stand on - the store with its embedder, the workspace,
// the plugins - opened once and shared by all sessions of a program.
#pragma once

#include "agent/citations.h"
#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"
#include "retrieval/embedder.h"
#include "retrieval/store.h"
#include "tools/tool.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace facet::agent {

struct ToolboxOptions {
  std::optional<std::filesystem::path> store;      ///< Without it there is no search_documents.
  std::optional<std::filesystem::path> embedder;   ///< Without it the search is BM25 only.
  std::optional<std::filesystem::path> workspace;  ///< Without it there are no file tools.
  std::vector<std::filesystem::path> plugins;      ///< `.so` files.
  std::vector<std::string> only;  ///< Names of the tools to offer; empty: all that can be.
  int passages_max = 3;           ///< Of one search; 1..20. Small models mix up more than that.
  int threads = 0;                ///< For the embedder; 0: one per core.
};

/// Thread-safe after open. Registries share what they need of it and may outlive it.
class Toolbox {
 public:
  /// Counts with `tokenizer`, the generator's; it may be null without a store.
  /// Errors of the store, the embedder, the workspace and the plugins as they are; not_found for a
  /// name in `only` that no tool has.
  static Result<std::unique_ptr<Toolbox>> open(const ToolboxOptions& options,
                                               std::shared_ptr<const engine::Tokenizer> tokenizer);

  Toolbox(const Toolbox&) = delete;
  Toolbox& operator=(const Toolbox&) = delete;
  ~Toolbox();

  /// The tools of one session; passages it finds are numbered in `book`.
  [[nodiscard]] Result<tools::Registry> make_registry(std::shared_ptr<PassageBook> book) const;

  /// Null without a store.
  [[nodiscard]] const retrieval::Store* store() const;
  /// The store's; null without one.
  [[nodiscard]] const retrieval::Embedder* embedder() const;

 private:
  struct Parts;
  explicit Toolbox(std::shared_ptr<const Parts> parts);
  std::shared_ptr<const Parts> parts_;
};

/// Loads an embedding model for a store. unavailable, naming the path, whatever keeps it from being
/// loaded; invalid_argument for a generator.
Result<std::unique_ptr<retrieval::Embedder>> load_embedder(const std::filesystem::path& path,
                                                           int threads);

}  // namespace facet::agent
