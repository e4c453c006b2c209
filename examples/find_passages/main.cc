// Index a folder and search it, without any model: BM25 over SQLite, citations with byte spans.
//   find_passages FOLDER QUERY STORE
#include "retrieval/store.h"

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace {

int fail(const facet::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: find_passages FOLDER QUERY STORE\n");
    return 2;
  }
  auto store = facet::retrieval::Store::open({.folder = argv[3], .chunk_tokens_max = 48});
  if (!store) return fail(store.error());
  const std::vector<std::filesystem::path> roots{argv[1]};
  const auto report = (*store)->index(roots);
  if (!report) return fail(report.error());
  std::printf("%lld chunks in the store\n", static_cast<long long>(report->chunks));
  const auto passages = (*store)->search(argv[2], {.top_k = 3});
  if (!passages) return fail(passages.error());
  for (const auto& passage : *passages) {
    std::printf("%s, bytes %llu-%llu: %s\n",
                passage.document.c_str(),
                static_cast<unsigned long long>(passage.byte_begin),
                static_cast<unsigned long long>(passage.byte_end),
                passage.text.c_str());
  }
  return 0;
}
