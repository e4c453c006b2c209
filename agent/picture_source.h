// PictureSource: from a passage that stands for a picture to the picture itself, so that what a
// search finds can be looked at, not only read about.
#pragma once

#include "agent/shown_pictures.h"
#include "base/result.h"
#include "engine/engine.h"
#include "retrieval/store.h"

#include <nlohmann/json_fwd.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace facet::agent {

/// Implementations are thread-safe.
class PictureSource {
 public:
  PictureSource() = default;
  PictureSource(const PictureSource&) = delete;
  PictureSource& operator=(const PictureSource&) = delete;
  virtual ~PictureSource() = default;

  /// Whether the passage is of a picture's document.
  [[nodiscard]] virtual bool is_picture(const retrieval::Passage& passage) const = 0;
  /// The picture of such a passage, encoded.
  virtual Result<ShownPicture> read(const retrieval::Passage& passage) = 0;
  /// What shown_pictures_json recorded, read again: errors as read_shown_again gives them.
  virtual Result<std::vector<ShownPicture>> read_again(const nlohmann::ordered_json& json) = 0;
};

/// The pictures of a store's documents, from the files they were indexed from. Engine and store are
/// borrowed. Keeps the pictures it encoded last: encoding takes minutes.
class StorePictures final : public PictureSource {
 public:
  StorePictures(const engine::Engine* engine, const retrieval::Store* store)
      : engine_(engine), store_(store) {}

  [[nodiscard]] bool is_picture(const retrieval::Passage& passage) const override;
  /// not_found for a file that is gone, invalid_data for one that is not, byte for byte, what was
  /// indexed, unsupported when the model reads text only; else the errors of decode_picture.
  Result<ShownPicture> read(const retrieval::Passage& passage) override;
  Result<std::vector<ShownPicture>> read_again(const nlohmann::ordered_json& json) override;

 private:
  static constexpr std::size_t kKeptMax = 8;

  const engine::Engine* engine_;
  const retrieval::Store* store_;
  std::mutex mutex_;
  std::deque<std::pair<std::string, ShownPicture>> kept_;  ///< By content hash, oldest first.
};

}  // namespace facet::agent
