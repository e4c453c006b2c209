// Pictures with the files they came from: what a journal keeps of them, so that a resumed run sees
// the same ones or says why it cannot.
#pragma once

#include "agent/pictures.h"
#include "base/result.h"
#include "engine/engine.h"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>
#include <vector>

namespace facet::agent {

/// A plain value.
struct ShownPicture {
  std::string path;  ///< Absolute.
  bool pan_and_scan = false;
  Picture picture;
  /// The first ids of each image. Ids are made from what the vision tower saw, so equal marks mean
  /// an equal picture, an equal tower and equal arithmetic.
  std::vector<engine::TokenId> marks;
};

/// `picture` with its marks and its place, made absolute.
ShownPicture make_shown_picture(const std::string& path, bool pan_and_scan, Picture picture);

/// read_picture with the file's place. Errors as read_picture gives them.
Result<ShownPicture> read_shown_picture(const engine::Engine& engine,
                                        const std::string& path,
                                        bool pan_and_scan);

/// [{"path", "pan_and_scan", "marks"}], and back: every file is read and encoded again.
/// invalid_data for another form; invalid_argument, naming the file, when it does not give the
/// picture that was recorded.
nlohmann::ordered_json shown_pictures_json(std::span<const ShownPicture> pictures);
Result<std::vector<ShownPicture>> read_shown_again(const engine::Engine& engine,
                                                   const nlohmann::ordered_json& json);

/// Only the pictures, in order.
std::vector<Picture> pictures_of(std::span<const ShownPicture> shown);

}  // namespace facet::agent
