#include "agent/picture_source.h"

#include "base/mapped_file.h"
#include "retrieval/loaders/loader.h"
#include "retrieval/sha256.h"

#include <algorithm>

namespace facet::agent {

bool StorePictures::is_picture(const retrieval::Passage& passage) const {
  const auto format = retrieval::format_of(passage.document);
  return format && *format == retrieval::Format::picture;
}

Result<ShownPicture> StorePictures::read(const retrieval::Passage& passage) {
  FACET_TRY(const retrieval::DocumentFile file, store_->document_file(passage.document));
  const std::lock_guard guard(mutex_);
  const auto kept = std::find_if(
      kept_.begin(), kept_.end(), [&](const auto& entry) { return entry.first == file.hash; });
  auto mapped = MappedFile::open(file.path);
  if (!mapped) return mapped.error().with_context(passage.document);
  if (retrieval::sha256_hex(retrieval::sha256(mapped->bytes())) != file.hash) {
    return Error{Code::invalid_data,
                 passage.document + ": it has changed since it was indexed (run facet index)"};
  }
  if (kept != kept_.end()) return kept->second;
  auto picture = decode_picture(*engine_, mapped->bytes(), /*pan_and_scan=*/false);
  if (!picture) return picture.error().with_context(passage.document);
  ShownPicture shown = make_shown_picture(file.path.string(), false, *std::move(picture));
  if (kept_.size() == kKeptMax) kept_.pop_front();
  kept_.emplace_back(file.hash, shown);
  return shown;
}

Result<std::vector<ShownPicture>> StorePictures::read_again(const nlohmann::ordered_json& json) {
  return read_shown_again(*engine_, json);
}

}  // namespace facet::agent
