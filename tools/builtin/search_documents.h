// search_documents: the tool through which a model reads the user's documents. What searches is an
// interface, because tools know no store; the agent brings one.
#pragma once

#include "base/result.h"
#include "tools/tool.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet::tools {

inline constexpr std::string_view kSearchDocuments = "search_documents";  ///< The tool's name.

/// A passage as the model sees it. `id` is what an answer cites as [id].
struct FoundPassage {
  std::int64_t id = 0;
  std::string source;  ///< For example "travel.md".
  std::string text;
};

/// Finds passages. Implementations must be safe to call from several threads at once.
class DocumentSearch {
 public:
  DocumentSearch() = default;
  DocumentSearch(const DocumentSearch&) = delete;
  DocumentSearch& operator=(const DocumentSearch&) = delete;
  virtual ~DocumentSearch() = default;

  /// At most `top_k` passages for `query`, best first.
  virtual Result<std::vector<FoundPassage>> search(std::string_view query, std::size_t top_k) = 0;
};

struct SearchToolOptions {
  std::size_t top_k = 5;
  /// For calls whose arguments nobody held to the schema.
  std::size_t query_bytes_max = 2000;
};

/// Tool `search_documents` with the one parameter `query`, 1 to 300 characters; the result is
/// {"passages":[{"id":1,"source":"travel.md","text":"..."}]}. Passages that do not fit into the
/// output limit of the call are left out from the last on; a first one that is too long is cut.
std::shared_ptr<const Tool> make_search_documents(std::shared_ptr<DocumentSearch> search,
                                                  SearchToolOptions options = {});

}  // namespace facet::tools
