#include "agent/shown_pictures.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace facet::agent {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr std::size_t kMarksPerImage = 4;  // 31 bits each.

std::vector<engine::TokenId> marks_of(const Picture& picture) {
  std::vector<engine::TokenId> out;
  for (const auto& image : picture.images) {
    const std::size_t count = std::min(kMarksPerImage, image->ids.size());
    out.insert(
        out.end(), image->ids.begin(), image->ids.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return out;
}

/// What the journal says of one picture; `picture` is empty.
Result<ShownPicture> record_from_json(const ordered_json& json) {
  try {
    ShownPicture out;
    out.path = json.at("path").get<std::string>();
    out.pan_and_scan = json.at("pan_and_scan").get<bool>();
    out.marks = json.at("marks").get<std::vector<engine::TokenId>>();
    return out;
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("recorded picture: ") + error.what()};
  }
}

}  // namespace

ShownPicture make_shown_picture(const std::string& path, bool pan_and_scan, Picture picture) {
  std::error_code error;
  const fs::path full = fs::absolute(path, error);
  ShownPicture out{.path = error ? path : full.string(),
                   .pan_and_scan = pan_and_scan,
                   .picture = std::move(picture)};
  out.marks = marks_of(out.picture);
  return out;
}

Result<ShownPicture> read_shown_picture(const engine::Engine& engine,
                                        const std::string& path,
                                        bool pan_and_scan) {
  FACET_TRY(Picture picture, read_picture(engine, path, pan_and_scan));
  return make_shown_picture(path, pan_and_scan, std::move(picture));
}

ordered_json shown_pictures_json(std::span<const ShownPicture> pictures) {
  ordered_json out = ordered_json::array();
  for (const ShownPicture& shown : pictures) {
    out.push_back(
        {{"path", shown.path}, {"pan_and_scan", shown.pan_and_scan}, {"marks", shown.marks}});
  }
  return out;
}

Result<std::vector<ShownPicture>> read_shown_again(const engine::Engine& engine,
                                                   const ordered_json& json) {
  if (!json.is_array()) return Error{Code::invalid_data, "recorded pictures are not a list"};
  std::vector<ShownPicture> out;
  for (const ordered_json& item : json) {
    FACET_TRY(const ShownPicture record, record_from_json(item));
    FACET_TRY(ShownPicture now, read_shown_picture(engine, record.path, record.pan_and_scan));
    if (now.marks != record.marks) {
      return Error{Code::invalid_argument,
                   record.path +
                       ": it is not the picture of the recorded run: the file, the vision tower "
                       "or the processor's instruction set is another"};
    }
    out.push_back(std::move(now));
  }
  return out;
}

std::vector<Picture> pictures_of(std::span<const ShownPicture> shown) {
  std::vector<Picture> out;
  for (const ShownPicture& picture : shown) out.push_back(picture.picture);
  return out;
}

}  // namespace facet::agent
