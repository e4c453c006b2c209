#include "tools/builtin/search_documents.h"

#include "base/json.h"
#include "base/utf8.h"
#include "tools/typed.h"

#include <utility>

namespace facet::tools {

FACET_FIELDS(FoundPassage, FACET_FIELD(id, ""), FACET_FIELD(source, ""), FACET_FIELD(text, ""))

namespace {

struct SearchArgs {
  std::string query;
};
// The longest query ends one that a small model would repeat until its tokens run out.
FACET_FIELDS(SearchArgs,
             FACET_FIELD(query,
                         "What to look for.",
                         {.length_min = 1, .length_max = 300, .is_free = true}))

struct SearchResult {
  std::vector<FoundPassage> passages;
};
FACET_FIELDS(SearchResult, FACET_FIELD(passages, ""))

std::size_t json_bytes(const FoundPassage& passage) {
  JsonWriter out;
  typed::write(out, passage);
  return out.text().size();
}

/// As many passages as fit into `bytes_max` of JSON; at least a piece of the first.
SearchResult fitted(std::vector<FoundPassage> passages, std::size_t bytes_max) {
  SearchResult out;
  std::size_t used = sizeof(R"({"passages":[]})");
  for (FoundPassage& passage : passages) {
    while (out.passages.empty() && passage.text.size() > 1 &&
           used + json_bytes(passage) > bytes_max) {
      passage.text = std::string(utf8_prefix(passage.text, passage.text.size() / 2));
    }
    used += json_bytes(passage) + 1;
    if (used > bytes_max) break;
    out.passages.push_back(std::move(passage));
  }
  return out;
}

}  // namespace

std::shared_ptr<const Tool> make_search_documents(std::shared_ptr<DocumentSearch> search,
                                                  SearchToolOptions options) {
  return make_tool<SearchArgs>(
      std::string(kSearchDocuments),
      "Searches the user's documents.",
      [search = std::move(search), options](const SearchArgs& args,
                                            const CallContext& context) -> Result<SearchResult> {
        if (args.query.size() > options.query_bytes_max) {
          return Error{Code::limit_exceeded,
                       "the query has " + std::to_string(args.query.size()) +
                           " bytes; the limit is " + std::to_string(options.query_bytes_max)};
        }
        FACET_TRY(std::vector<FoundPassage> passages, search->search(args.query, options.top_k));
        return fitted(std::move(passages), context.output_bytes_max);
      });
}

}  // namespace facet::tools
