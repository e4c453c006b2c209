#include "prompts/embedding_prompts.h"

#include <array>
#include <utility>

namespace facet::prompts {
namespace {

struct Row {
  EmbeddingTask task;
  std::string_view name;
  std::string_view words;
};

constexpr std::array<Row, 8> kRows{{
    {EmbeddingTask::search, "search", "search result"},
    {EmbeddingTask::question_answering, "question_answering", "question answering"},
    {EmbeddingTask::fact_checking, "fact_checking", "fact checking"},
    {EmbeddingTask::code_retrieval, "code_retrieval", "code retrieval"},
    {EmbeddingTask::classification, "classification", "classification"},
    {EmbeddingTask::clustering, "clustering", "clustering"},
    {EmbeddingTask::sentence_similarity, "sentence_similarity", "sentence similarity"},
    {EmbeddingTask::summarization, "summarization", "summarization"},
}};

/// Names of the sentence-transformers configuration, beside "query" and "document".
constexpr std::array<std::pair<std::string_view, EmbeddingTask>, 12> kPublished{{
    {"query", EmbeddingTask::search},
    {"Retrieval", EmbeddingTask::search},
    {"Retrieval-query", EmbeddingTask::search},
    {"Reranking", EmbeddingTask::search},
    {"BitextMining", EmbeddingTask::search},
    {"InstructionRetrieval", EmbeddingTask::code_retrieval},
    {"Classification", EmbeddingTask::classification},
    {"MultilabelClassification", EmbeddingTask::classification},
    {"Clustering", EmbeddingTask::clustering},
    {"PairClassification", EmbeddingTask::sentence_similarity},
    {"STS", EmbeddingTask::sentence_similarity},
    {"Summarization", EmbeddingTask::summarization},
}};

const Row& row_of(EmbeddingTask task) {
  for (const Row& row : kRows) {
    if (row.task == task) return row;
  }
  return kRows.front();
}

}  // namespace

std::string_view embedding_task_name(EmbeddingTask task) {
  return row_of(task).name;
}

Result<EmbeddingTask> embedding_task_from_name(std::string_view name) {
  std::string known;
  for (const Row& row : kRows) {
    if (row.name == name) return row.task;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return Error{Code::invalid_argument,
               "unknown embedding task \"" + std::string(name) + "\"; known are " + known};
}

std::vector<EmbeddingTask> embedding_tasks() {
  std::vector<EmbeddingTask> tasks;
  for (const Row& row : kRows) tasks.push_back(row.task);
  return tasks;
}

std::string embedding_query(std::string_view text, EmbeddingTask task) {
  return "task: " + std::string(row_of(task).words) + " | query: " + std::string(text);
}

std::string embedding_document(std::string_view text, std::string_view title) {
  return "title: " + std::string(title.empty() ? "none" : title) + " | text: " + std::string(text);
}

Result<std::string> embedding_prompt(std::string_view prompt_name, std::string_view text) {
  if (prompt_name.empty()) return std::string(text);
  if (prompt_name == "document" || prompt_name == "Retrieval-document") {
    return embedding_document(text);
  }
  std::string known = "document, Retrieval-document";
  for (const auto& [name, task] : kPublished) {
    if (name == prompt_name) return embedding_query(text, task);
    known += ", " + std::string(name);
  }
  for (const Row& row : kRows) {
    if (row.name == prompt_name) return embedding_query(text, row.task);
    known += ", " + std::string(row.name);
  }
  return Error{Code::invalid_argument,
               "unknown prompt name \"" + std::string(prompt_name) + "\"; known are " + known};
}

}  // namespace facet::prompts
