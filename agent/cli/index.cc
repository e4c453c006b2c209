// facet index, facet search: documents into a store and out of it again.
#include "agent/citations.h"
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "agent/cli/workbench.h"
#include "agent/engine_embedder.h"
#include "engine/model/model.h"
#include "retrieval/store.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace facet::agent::cli {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

/// A store with what it borrows.
struct OpenStore {
  std::unique_ptr<retrieval::Embedder> embedder;
  std::shared_ptr<const engine::Tokenizer> tokenizer;
  std::unique_ptr<TokenizerCounter> counter;
  std::unique_ptr<retrieval::Store> store;
};

Result<fs::path> store_folder(const std::string& given) {
  if (!given.empty()) return fs::path(given);
  return default_store();
}

/// Chunks are measured by the generator's own tokenizer; its weights are not needed for that. Null,
/// with a warning, when nobody named a model and there is none.
Result<std::shared_ptr<const engine::Tokenizer>> chunk_tokenizer(const std::string& model,
                                                                 Console& console) {
  const auto path = find_model(model, ModelKind::generator);
  if (path) {
    auto tokenizer = engine::load_tokenizer(*path);
    if (!tokenizer) return as_unavailable(tokenizer.error());
    return tokenizer;
  }
  if (!model.empty()) return as_unavailable(path.error());
  console.warn("chunks are measured in bytes, not in tokens (" + path.error().message + ")");
  return std::shared_ptr<const engine::Tokenizer>();
}

/// The embedder at `path` on `device` (ModelOptions::device); where auto falls back to the CPU a
/// warning says why.
Result<std::unique_ptr<retrieval::Embedder>> embedder_on(const std::string& device,
                                                         const fs::path& path,
                                                         int threads,
                                                         Console& console) {
  FACET_TRY_STATUS(check_device(device));
  console.progress(0, 0, "loading " + path.string());
  auto engine = engine::Engine::load(
      {.model = path, .threads = threads, .device = device_name(device), .cuda = cuda_of_build()});
  console.end_progress();
  if (!engine) return as_unavailable(engine.error());
  const std::string& note = (*engine)->info().device_note;
  if (!note.empty()) console.warn("computing on the CPU: " + note);
  FACET_TRY(auto embedder, EngineEmbedder::create(*std::move(engine)));
  return std::unique_ptr<retrieval::Embedder>(std::move(embedder));
}

Result<OpenStore> open_store(const fs::path& folder,
                             const std::string& embedder,
                             const std::string& device,
                             const std::optional<std::string>& model,
                             int threads,
                             std::int64_t chunk_tokens_max,
                             Console& console) {
  OpenStore open;
  FACET_TRY(const auto embedder_path, choose_embedder(embedder, console));
  if (embedder_path) {
    FACET_TRY(open.embedder, embedder_on(device, *embedder_path, threads, console));
  }
  if (model) {
    FACET_TRY(open.tokenizer, chunk_tokenizer(*model, console));
    if (open.tokenizer) open.counter = std::make_unique<TokenizerCounter>(open.tokenizer);
  }
  FACET_TRY(open.store,
            retrieval::Store::open({.folder = folder,
                                    .embedder = open.embedder.get(),
                                    .counter = open.counter.get(),
                                    .chunk_tokens_max = chunk_tokens_max}));
  return open;
}

ordered_json report_json(const retrieval::IndexReport& report) {
  ordered_json failed = ordered_json::array();
  for (const retrieval::FailedDocument& document : report.failed) {
    failed.push_back({{"document", document.document},
                      {"reason", document.error.message},
                      {"code", code_name(document.error.code)}});
  }
  return {{"added", report.added},
          {"updated", report.updated},
          {"deleted", report.deleted},
          {"unchanged", report.unchanged},
          {"failed", std::move(failed)},
          {"chunks", report.chunks}};
}

/// not_found for a root that is not there, where no store can know it from before either: a
/// misspelt name leaves no empty store behind.
Status check_roots(const std::vector<fs::path>& roots, const fs::path& store) {
  if (check_store(store)) return ok();
  for (const fs::path& root : roots) {
    std::error_code error;
    if (!fs::exists(root, error)) {
      return Error{Code::not_found, "'" + root.string() + "' does not exist"};
    }
  }
  return ok();
}

/// Of all that was named nothing could be read.
bool is_fruitless(const retrieval::IndexReport& report) {
  const auto done = report.added + report.updated + report.deleted + report.unchanged;
  return done == 0 && !report.failed.empty();
}

void show_report(const retrieval::IndexReport& report, Console& console) {
  console.out_line(std::to_string(report.added) + " added, " + std::to_string(report.updated) +
                   " updated, " + std::to_string(report.deleted) + " deleted, " +
                   std::to_string(report.unchanged) + " unchanged, " +
                   std::to_string(report.failed.size()) + " failed; " +
                   std::to_string(report.chunks) + " chunks in the store");
  for (const retrieval::FailedDocument& document : report.failed) {
    console.out_line("failed  " + printable(document.error.message));  // It begins with the name.
  }
}

}  // namespace

int run_index(const IndexOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto folder = store_folder(options.store);
  if (!folder) return console.fail(folder.error(), options.json);
  const std::vector<fs::path> roots(options.roots.begin(), options.roots.end());
  if (auto status = check_roots(roots, *folder); !status) {
    return console.fail(status.error(), options.json);
  }
  auto open = open_store(*folder,
                         options.embedder,
                         options.device,
                         options.model,
                         options.threads,
                         options.chunk_tokens_max,
                         console);
  if (!open) return console.fail(open.error(), options.json);
  const auto report = open->store->index(
      roots,
      [&](const retrieval::IndexProgress& progress) {
        console.progress(progress.done, progress.total, progress.document);
      },
      environment.stop);
  console.end_progress();
  if (!report) return console.fail(report.error(), options.json);
  if (options.json) {
    console.out_json(report_json(*report));
  } else {
    show_report(*report, console);
  }
  return is_fruitless(*report) ? exit_failed : exit_ok;
}

int run_search(const SearchOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto folder = store_folder(options.store);
  if (!folder) return console.fail(folder.error(), options.json);
  if (auto status = check_store(*folder); !status)
    return console.fail(status.error(), options.json);
  const auto open = open_store(*folder,
                               options.embedder,
                               "cpu",  // For one question nothing is loaded there.
                               std::nullopt,
                               options.threads,
                               retrieval::StoreOptions{}.chunk_tokens_max,
                               console);
  if (!open) return console.fail(open.error(), options.json);
  const auto passages = open->store->search(options.query, {.top_k = options.top_k});
  if (!passages) return console.fail(passages.error(), options.json);
  ordered_json list = ordered_json::array();
  std::int64_t number = 0;
  for (const retrieval::Passage& passage : *passages) {
    ++number;
    if (options.json) {
      list.push_back(passage_json(passage));
      continue;
    }
    std::string place = std::to_string(number) + ". " + passage.document;
    if (passage.page > 0) place += ", page " + std::to_string(passage.page);
    if (!passage.heading.empty()) place += ", " + passage.heading;
    place +=
        ", bytes " + std::to_string(passage.byte_begin) + "-" + std::to_string(passage.byte_end);
    console.out_line(console.styled(Style::bold, printable(place)));
    console.out_line(printable(passage.text) + "\n");
  }
  if (options.json) {
    console.out_json({{"query", options.query}, {"passages", std::move(list)}});
  } else if (passages->empty()) {
    console.note("no passage of the store matches");
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
