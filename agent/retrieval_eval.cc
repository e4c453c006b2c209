#include "agent/retrieval_eval.h"

#include "agent/eval_json.h"
#include "base/json.h"
#include "retrieval/store.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdlib.h>
#include <string_view>
#include <system_error>
#include <utility>

namespace facet::agent {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr int kPassagesMax = 50;
constexpr std::uintmax_t kFileBytesMax = 64U << 20U;

/// A new folder below the temporary one, gone with this object.
class ScratchFolder {
 public:
  static Result<std::unique_ptr<ScratchFolder>> create() {
    std::string pattern = (fs::temp_directory_path() / "facet-eval-").string();
    pattern.append(6, 'X');  // What mkdtemp replaces.
    if (::mkdtemp(pattern.data()) == nullptr) {
      return Error{Code::unavailable, "cannot create the folder '" + pattern + "'"};
    }
    return std::unique_ptr<ScratchFolder>(new ScratchFolder(pattern));
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;  // Nobody is left to be told; the system empties its folder.
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  explicit ScratchFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

Result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return file_error(Code::not_found, "open", path);
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size > kFileBytesMax) {
    return Error{Code::limit_exceeded,
                 "'" + path.string() + "' is longer than " + std::to_string(kFileBytesMax) +
                     " bytes, or cannot be measured"};
  }
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The records of one of Cranfield's files, in order: ".I n", then fields ".T", ".A", ".B", ".W".
Result<std::vector<JudgedCollection::Document>> cranfield_records(const fs::path& path) {
  FACET_TRY(const std::string file, read_file(path));
  std::vector<JudgedCollection::Document> records;
  std::istringstream in(file);
  char field = 'I';
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.starts_with(".I ")) {
      records.push_back({.id = std::to_string(records.size() + 1)});
      field = 'I';
    } else if (line.size() == 2 && line[0] == '.' && line[1] >= 'A' && line[1] <= 'Z') {
      field = line[1];
    } else if (records.empty()) {
      return Error{Code::invalid_data, path.string() + " does not begin with .I"};
    } else if (field == 'T') {
      records.back().title += (records.back().title.empty() ? "" : " ") + line;
    } else if (field == 'W') {
      records.back().text += line + "\n";
    }
  }
  return records;
}

Result<JudgedCollection> read_cranfield(const fs::path& folder) {
  JudgedCollection out;
  FACET_TRY(out.documents, cranfield_records(folder / "cran.all.1400"));
  FACET_TRY(const auto queries, cranfield_records(folder / "cran.qry"));
  for (const auto& query : queries) out.queries.push_back({.text = query.text});
  FACET_TRY(const std::string judged, read_file(folder / "cranqrel"));
  std::istringstream in(judged);
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::istringstream fields(line);
    std::size_t query = 0;
    std::size_t document = 0;
    int grade = 0;
    if (!(fields >> query >> document >> grade) || query < 1 || query > out.queries.size()) {
      return Error{Code::invalid_data,
                   (folder / "cranqrel").string() + ":" + std::to_string(number) +
                       " is no judgement of one of the " + std::to_string(out.queries.size()) +
                       " queries"};
    }
    if (grade < 1 || grade > 4) continue;  // 5 is "no interest", -1 the document asked from.
    out.queries[query - 1].relevant[std::to_string(document)] = 5.0 - grade;
  }
  return out;
}

/// Without the article's title, which all its paragraphs share.
Status read_paragraph(const ordered_json& paragraph,
                      const std::string& where,
                      JudgedCollection& out) {
  JudgedCollection::Document document{.id = std::to_string(out.documents.size() + 1)};
  FACET_TRY(document.text, json_text(paragraph, "context", where));
  FACET_TRY(const auto* questions, json_array(paragraph, "qas", where));
  for (std::size_t i = 0; i < questions->size(); ++i) {
    JudgedCollection::Query query{.relevant = {{document.id, 1.0}}};
    FACET_TRY(query.text,
              json_text((*questions)[i], "question", where + "/qas/" + std::to_string(i)));
    out.queries.push_back(std::move(query));
  }
  out.documents.push_back(std::move(document));
  return ok();
}

Result<JudgedCollection> read_squad(const fs::path& path) {
  FACET_TRY(const std::string text, read_file(path));
  FACET_TRY(const ordered_json root, parse_json(text, path.string()));
  JudgedCollection out;
  FACET_TRY(const auto* articles, json_array(root, "data", path.string()));
  for (std::size_t i = 0; i < articles->size(); ++i) {
    const std::string where = path.string() + "/data/" + std::to_string(i);
    FACET_TRY(const auto* paragraphs, json_array((*articles)[i], "paragraphs", where));
    for (std::size_t k = 0; k < paragraphs->size(); ++k) {
      FACET_TRY_STATUS(
          read_paragraph((*paragraphs)[k], where + "/paragraphs/" + std::to_string(k), out));
    }
  }
  return out;
}

Result<JudgedCollection::Query> read_query(const ordered_json& json, const std::string& where) {
  FACET_TRY_STATUS(json_only_fields(json, {"text", "relevant"}, where));
  JudgedCollection::Query query;
  FACET_TRY(query.text, json_text(json, "text", where));
  FACET_TRY(const auto* relevant, json_object(json, "relevant", where));
  for (const auto& [id, gain] : relevant->items()) {
    if (!gain.is_number()) {
      std::string message = where;
      message.append("/relevant/").append(id).append(" is not a number");
      return Error{Code::invalid_argument, std::move(message)};
    }
    query.relevant[id] = gain.get<double>();
  }
  return query;
}

Result<JudgedCollection> read_lines(const fs::path& path) {
  JudgedCollection out;
  FACET_TRY_STATUS(
      for_each_line(path, [&](std::string_view line, const std::string& where) -> Result<bool> {
        FACET_TRY(const ordered_json root, parse_json(line, where));
        FACET_TRY_STATUS(json_only_fields(root, {"document", "query"}, where));
        if (root.size() != 1) {
          return Error{Code::invalid_argument, where + " is neither a document nor a query"};
        }
        if (root.contains("query")) {
          FACET_TRY(out.queries.emplace_back(), read_query(root["query"], where + "/query"));
          return true;
        }
        const std::string at = where + "/document";
        const ordered_json& json = root["document"];
        FACET_TRY_STATUS(json_only_fields(json, {"id", "title", "text"}, at));
        JudgedCollection::Document document;
        FACET_TRY(document.id, json_text(json, "id", at));
        FACET_TRY(document.title, json_text(json, "title", at));
        FACET_TRY(document.text, json_text(json, "text", at));
        out.documents.push_back(std::move(document));
        return true;
      }));
  return out;
}

Status check(const JudgedCollection& collection, const fs::path& path) {
  if (collection.documents.empty() || collection.queries.empty()) {
    return Error{Code::invalid_data,
                 "'" + path.string() + "' holds " + std::to_string(collection.documents.size()) +
                     " documents and " + std::to_string(collection.queries.size()) + " queries"};
  }
  std::set<std::string> ids;
  for (const auto& document : collection.documents) {
    if (!ids.insert(document.id).second) {
      return Error{Code::invalid_data,
                   "'" + path.string() + "' holds two documents '" + document.id + "'"};
    }
  }
  for (const auto& query : collection.queries) {
    for (const auto& [id, gain] : query.relevant) {
      if (ids.count(id) > 0) continue;
      return Error{Code::invalid_data,
                   "'" + path.string() + "' judges the document '" + id + "', which it lacks"};
    }
  }
  return ok();
}

/// File names are numbers: an id may be anything.
fs::path document_path(const fs::path& folder, std::size_t index) {
  return folder / (std::to_string(index + 1) + ".md");
}

Status write_documents(const JudgedCollection& collection, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  for (std::size_t i = 0; i < collection.documents.size(); ++i) {
    const auto& document = collection.documents[i];
    std::ofstream out(document_path(folder, i), std::ios::binary);
    if (!document.title.empty()) out << "# " << document.title << "\n\n";
    out << document.text << "\n";
    out.close();
    if (!out) {
      return Error{Code::unavailable, "cannot write '" + document_path(folder, i).string() + "'"};
    }
  }
  return ok();
}

/// Ids of documents, best first: each at the place of its best passage.
std::vector<std::string> ranked_documents(const JudgedCollection& collection,
                                          const std::vector<retrieval::Passage>& passages) {
  std::vector<std::string> ids;
  for (const retrieval::Passage& passage : passages) {
    const std::size_t number = std::stoul(fs::path(passage.document).stem().string());
    const std::string& id = collection.documents.at(number - 1).id;
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ids;
}

struct Way {
  const char* name;
  bool use_bm25;
  bool use_dense;
};

Result<RankingQuality> ask_all(const retrieval::Store& store,
                               const JudgedCollection& collection,
                               const Way& way,
                               const RetrievalEvalOptions& options) {
  RankingQuality sum{.name = way.name, .queries = collection.queries.size()};
  if (options.queries_max > 0) sum.queries = std::min(sum.queries, options.queries_max);
  for (std::size_t i = 0; i < sum.queries; ++i) {
    if (options.stop.stop_requested()) return Error{Code::cancelled, "stopped between two queries"};
    if (options.progress) options.progress(i, sum.queries, way.name);
    const auto& query = collection.queries[i];
    FACET_TRY(const auto passages,
              store.search(
                  query.text,
                  {.top_k = kPassagesMax, .use_bm25 = way.use_bm25, .use_dense = way.use_dense}));
    const auto ranking = ranked_documents(collection, passages);
    sum.ndcg_at_10 += retrieval::ndcg_at(ranking, query.relevant, 10);
    sum.recall_at_5 += retrieval::recall_at(ranking, query.relevant, 5);
    sum.recall_at_10 += retrieval::recall_at(ranking, query.relevant, 10);
    sum.mrr += retrieval::reciprocal_rank(ranking, query.relevant);
  }
  const auto count = static_cast<double>(sum.queries);
  for (double* mean : {&sum.ndcg_at_10, &sum.recall_at_5, &sum.recall_at_10, &sum.mrr}) {
    *mean /= count;
  }
  return sum;
}

}  // namespace

Result<JudgedCollection> read_collection(const fs::path& path) {
  std::error_code error;
  JudgedCollection collection;
  if (fs::is_directory(path, error)) {
    FACET_TRY(collection, read_cranfield(path));
  } else if (path.extension() == ".jsonl") {
    FACET_TRY(collection, read_lines(path));
  } else {
    FACET_TRY(collection, read_squad(path));
  }
  FACET_TRY_STATUS(check(collection, path));
  return collection;
}

Result<std::vector<RankingQuality>> score_retrieval(const JudgedCollection& collection,
                                                    const RetrievalEvalOptions& options) {
  FACET_TRY(const auto scratch, ScratchFolder::create());
  const fs::path documents = scratch->path() / "documents";
  FACET_TRY_STATUS(write_documents(collection, documents));
  FACET_TRY(const auto store,
            retrieval::Store::open({.folder = scratch->path() / "store",
                                    .embedder = options.embedder,
                                    .counter = options.counter,
                                    .chunk_tokens_max = options.chunk_tokens_max}));
  const std::vector<fs::path> roots = {documents};
  FACET_TRY(const auto report,
            store->index(
                roots,
                [&](const retrieval::IndexProgress& progress) {
                  if (options.progress) options.progress(progress.done, progress.total, "indexing");
                },
                options.stop));
  if (!report.failed.empty()) return report.failed.front().error;
  std::vector<Way> ways = {{"full text", true, false}};
  if (options.embedder != nullptr) {
    ways.push_back({"vectors", false, true});
    ways.push_back({"both", true, true});
  }
  std::vector<RankingQuality> out;
  for (const Way& way : ways) {
    FACET_TRY(out.emplace_back(), ask_all(*store, collection, way, options));
  }
  return out;
}

ordered_json ranking_quality_json(const RankingQuality& quality) {
  return {{"name", quality.name},
          {"queries", quality.queries},
          {"ndcg_at_10", quality.ndcg_at_10},
          {"recall_at_5", quality.recall_at_5},
          {"recall_at_10", quality.recall_at_10},
          {"mrr", quality.mrr}};
}

}  // namespace facet::agent
