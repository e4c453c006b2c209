// facet eval retrieval: how well the search ranks a judged collection.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "agent/cli/workbench.h"
#include "agent/engine_embedder.h"
#include "agent/retrieval_eval.h"
#include "engine/model/model.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace facet::agent::cli {

using nlohmann::ordered_json;

namespace {

/// What the collection is indexed with.
struct Parts {
  std::unique_ptr<retrieval::Embedder> embedder;
  std::shared_ptr<const engine::Tokenizer> tokenizer;
  std::unique_ptr<TokenizerCounter> counter;
};

Result<Parts> load_parts(const EvalRetrievalOptions& options, Console& console) {
  Parts parts;
  FACET_TRY(const auto embedder, choose_embedder(options.embedder, console));
  if (embedder) {
    FACET_TRY(parts.embedder, load_embedder(*embedder, options.threads));
  }
  const auto path = find_model(options.model, ModelKind::generator);
  if (!path) return as_unavailable(path.error());
  auto tokenizer = engine::load_tokenizer(*path);
  if (!tokenizer) return as_unavailable(tokenizer.error());
  parts.tokenizer = *std::move(tokenizer);
  parts.counter = std::make_unique<TokenizerCounter>(parts.tokenizer);
  return parts;
}

void show(const std::vector<RankingQuality>& rows, Console& console) {
  console.out_line("              nDCG@10  recall@5  recall@10     MRR  queries");
  for (const RankingQuality& row : rows) {
    char line[128];
    std::snprintf(line,
                  sizeof line,
                  "%-12s  %7.4f  %8.4f  %9.4f  %6.4f  %7zu",
                  row.name.c_str(),
                  row.ndcg_at_10,
                  row.recall_at_5,
                  row.recall_at_10,
                  row.mrr,
                  row.queries);
    console.out_line(line);
  }
}

}  // namespace

int run_eval_retrieval(const EvalRetrievalOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto collection = read_collection(options.data);
  if (!collection) return console.fail(collection.error(), options.json);
  const auto parts = load_parts(options, console);
  if (!parts) return console.fail(parts.error(), options.json);
  const auto rows = score_retrieval(
      *collection,
      {.embedder = parts->embedder.get(),
       .counter = parts->counter.get(),
       .chunk_tokens_max = options.chunk_tokens_max,
       .queries_max = static_cast<std::size_t>(options.queries_max),
       .progress = [&](std::size_t done,
                       std::size_t total,
                       const std::string& what) { console.progress(done, total, what); },
       .stop = environment.stop});
  console.end_progress();
  if (!rows) return console.fail(rows.error(), options.json);
  if (!options.json) {
    show(*rows, console);
    return exit_ok;
  }
  ordered_json list = ordered_json::array();
  for (const RankingQuality& row : *rows) list.push_back(ranking_quality_json(row));
  console.out_json({{"data", options.data},
                    {"documents", collection->documents.size()},
                    {"rankings", std::move(list)}});
  return exit_ok;
}

}  // namespace facet::agent::cli
