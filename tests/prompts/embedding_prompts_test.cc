#include "prompts/embedding_prompts.h"

#include "tests/support/catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace facet::prompts {

TEST_CASE("Embedding prompts put the task in front of the text", "[prompts][unit]") {
  CHECK(embedding_query("x y") == "task: search result | query: x y");
  CHECK(embedding_query("x", EmbeddingTask::code_retrieval) == "task: code retrieval | query: x");
  CHECK(embedding_document("t") == "title: none | text: t");
  CHECK(embedding_document("t", "Mars") == "title: Mars | text: t");
}

TEST_CASE("Embedding tasks have names", "[prompts][unit]") {
  for (const EmbeddingTask task : embedding_tasks()) {
    const auto found = embedding_task_from_name(embedding_task_name(task));
    REQUIRE(found);
    CHECK(*found == task);
  }
  const auto unknown = embedding_task_from_name("poetry");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message.find("poetry") != std::string::npos);
}

TEST_CASE("Embedding prompts are found by the names that sentence-transformers gives them",
          "[prompts][unit]") {
  CHECK(*embedding_prompt("", "x") == "x");
  CHECK(*embedding_prompt("query", "x") == "task: search result | query: x");
  CHECK(*embedding_prompt("document", "x") == "title: none | text: x");
  CHECK(*embedding_prompt("Retrieval-document", "x") == "title: none | text: x");
  CHECK(*embedding_prompt("STS", "x") == "task: sentence similarity | query: x");
  CHECK(*embedding_prompt("InstructionRetrieval", "x") == "task: code retrieval | query: x");
  CHECK(*embedding_prompt("Summarization", "x") == "task: summarization | query: x");
  CHECK(*embedding_prompt("fact_checking", "x") == "task: fact checking | query: x");
  const auto unknown = embedding_prompt("Query", "x");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::invalid_argument);
  CHECK(unknown.error().message.find("Retrieval-query") != std::string::npos);
}

TEST_CASE("Embedding prompts equal the reference fixtures", "[prompts][unit]") {
  const char* set = std::getenv("FACET_REFERENCE");
  const std::filesystem::path folder =
      (set != nullptr ? std::filesystem::path(set)
                      : std::filesystem::path(FACET_SOURCE_DIR) / "../shared/reference") /
      "prompt-formats/embeddinggemma";
  if (!std::filesystem::is_directory(folder)) {
    WARN("skipped: prompt-formats/embeddinggemma");
    return;
  }
  const std::string query = "Which planet is known as the Red Planet?";
  const std::string document =
      "Mars, known for its reddish appearance, is often referred to as the Red Planet.";
  const auto [file, prompt] = GENERATE_COPY(table<std::string, std::string>({
      {"query_search", embedding_query(query)},
      {"query_question_answering", embedding_query(query, EmbeddingTask::question_answering)},
      {"query_fact_checking", embedding_query(query, EmbeddingTask::fact_checking)},
      {"query_code", embedding_query(query, EmbeddingTask::code_retrieval)},
      {"classification", embedding_query(query, EmbeddingTask::classification)},
      {"clustering", embedding_query(query, EmbeddingTask::clustering)},
      {"sentence_similarity", embedding_query(query, EmbeddingTask::sentence_similarity)},
      {"summarization", embedding_query(query, EmbeddingTask::summarization)},
      {"document_no_title", embedding_document(document)},
      {"document_with_title", embedding_document(document, "Mars")},
  }));
  std::ifstream in(folder / (file + ".txt"), std::ios::binary);
  REQUIRE(in.good());
  const std::string expected((std::istreambuf_iterator<char>(in)),
                             std::istreambuf_iterator<char>());
  CHECK(prompt == expected);
}

}  // namespace facet::prompts
