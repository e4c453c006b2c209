#include "agent/engine_embedder.h"

#include "prompts/embedding_prompts.h"

#include <algorithm>
#include <utility>

namespace facet::agent {

using engine::TokenId;

EngineEmbedder::EngineEmbedder(std::shared_ptr<const engine::Engine> engine)
    : engine_(std::move(engine)) {}

Result<std::unique_ptr<EngineEmbedder>> EngineEmbedder::create(
    std::shared_ptr<const engine::Engine> engine) {
  if (!engine->info().is_embedder) {
    return Error{Code::invalid_argument,
                 "model '" + engine->info().name + "' is a generator, not an embedder"};
  }
  return std::unique_ptr<EngineEmbedder>(new EngineEmbedder(std::move(engine)));
}

std::size_t EngineEmbedder::dimension() const {
  return static_cast<std::size_t>(engine_->info().embedding_dim);
}

std::string EngineEmbedder::identity() const {
  return engine_->info().identity;
}

double EngineEmbedder::search_weight() const {
  return engine_->info().search_weight;
}

Result<std::vector<float>> EngineEmbedder::embed_query(std::string_view text) const {
  return embed(prompts::embedding_query(text));
}

Result<std::vector<float>> EngineEmbedder::embed_document(std::string_view title,
                                                          std::string_view text) const {
  return embed(prompts::embedding_document(text, title));
}

std::size_t EngineEmbedder::tokens_max() const {
  return static_cast<std::size_t>(
      std::max<std::int64_t>(engine_->info().context_tokens_max - 2, 1));
}

std::size_t EngineEmbedder::tokens_left_out(std::string_view prompt) const {
  const std::size_t count = engine_->tokenizer().encode(prompt).size();
  return count - std::min(count, tokens_max());
}

Result<std::vector<float>> EngineEmbedder::embed(std::string_view prompt) const {
  const engine::Tokenizer& tokenizer = engine_->tokenizer();
  std::vector<TokenId> ids = tokenizer.encode(prompt);
  if (ids.size() > tokens_max()) ids.resize(tokens_max());
  if (tokenizer.add_bos()) ids.insert(ids.begin(), tokenizer.bos());
  if (tokenizer.add_eos()) ids.push_back(tokenizer.eos());
  return engine_->embed(ids);
}

}  // namespace facet::agent
