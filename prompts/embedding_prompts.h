// EmbeddingGemma's prompts: a prefix names the task, the text follows directly. Queries and
// documents take different prefixes; mixing them up costs retrieval quality without an error.
// Source: sentence-transformers configuration of google/embeddinggemma-300m.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

enum class EmbeddingTask {
  search,  ///< Also retrieval, reranking and bitext mining.
  question_answering,
  fact_checking,
  code_retrieval,  ///< Also retrieval by instruction.
  classification,  ///< Also with several labels.
  clustering,
  sentence_similarity,  ///< Also pair classification.
  summarization,
};

/// "search", "question_answering", "fact_checking", "code_retrieval", "classification",
/// "clustering", "sentence_similarity", "summarization".
std::string_view embedding_task_name(EmbeddingTask task);
/// invalid_argument that lists the names otherwise.
Result<EmbeddingTask> embedding_task_from_name(std::string_view name);
std::vector<EmbeddingTask> embedding_tasks();

/// What is embedded for a query, or for a text of another task: "task: search result | query: ..".
std::string embedding_query(std::string_view text, EmbeddingTask task = EmbeddingTask::search);

/// What is embedded for a document of an index: "title: none | text: .." without a title.
std::string embedding_document(std::string_view text, std::string_view title = {});

/// `text` behind the prompt of that name: "query", "document", a task's name (above), or a name of
/// the sentence-transformers configuration ("Retrieval-query", "STS", "Clustering", ...). Empty:
/// the text alone. invalid_argument that lists the names otherwise.
Result<std::string> embedding_prompt(std::string_view prompt_name, std::string_view text);

}  // namespace facet::prompts
