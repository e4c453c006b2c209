#include "engine/vision/preprocessor_config.h"

#include "base/json.h"
#include "base/mapped_file.h"
#include "engine/vision/preprocess.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <string>
#include <system_error>

namespace facet::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kPillowBilinear = 2;
constexpr double kTolerance = 1e-9;

Error refused(const std::string& key, const Json& value, const std::string& done) {
  return Error{Code::unsupported, key + " is " + dump_json(value) + "; " + done + " is done"};
}

/// The value at `key`, or null where it is absent or null.
const Json* stated(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Status expect_flag(const Json& object, const std::string& key, bool expected) {
  const Json* value = stated(object, key);
  if (value == nullptr || *value == expected) return ok();
  return refused(key, *value, expected ? "true" : "false");
}

Status expect_number(const Json& object, const std::string& key, double expected) {
  const Json* value = stated(object, key);
  if (value == nullptr) return ok();
  if (value->is_number() && std::abs(value->get<double>() - expected) < kTolerance) return ok();
  return refused(key, *value, dump_json(Json(expected)));
}

/// Three times 0.5, or once for all colours.
Status expect_halves(const Json& object, const std::string& key) {
  const Json* value = stated(object, key);
  if (value == nullptr || *value == 0.5 || *value == Json::array({0.5, 0.5, 0.5})) return ok();
  return refused(key, *value, "[0.5, 0.5, 0.5]");
}

Status expect_size(const Json& object, int side) {
  const Json* size = stated(object, "size");
  if (size == nullptr) return ok();
  const bool is_square = size->is_object() && size->contains("height") && size->contains("width") &&
                         size->at("height") == side && size->at("width") == side;
  if (is_square) return ok();
  return refused("size", *size, std::to_string(side) + " x " + std::to_string(side));
}

/// Gemma3ImageProcessor under the names it has had (Fast, Pil): they do the same.
Status expect_kind(const Json& object) {
  const Json* kind = stated(object, "image_processor_type");
  if (kind == nullptr) return ok();
  if (kind->is_string() && kind->get<std::string>().starts_with("Gemma3ImageProcessor")) {
    return ok();
  }
  return refused("image_processor_type", *kind, "Gemma3ImageProcessor");
}

Status check_object(const Json& object, const VisionConfig& config) {
  FACET_TRY_STATUS(expect_kind(object));
  for (const char* key : {"do_resize", "do_rescale", "do_normalize"}) {
    FACET_TRY_STATUS(expect_flag(object, key, true));
  }
  FACET_TRY_STATUS(expect_flag(object, "do_pan_and_scan", false));
  FACET_TRY_STATUS(expect_size(object, config.image_size));
  FACET_TRY_STATUS(expect_number(object, "resample", kPillowBilinear));
  FACET_TRY_STATUS(expect_number(object, "rescale_factor", 1.0 / 255.0));
  FACET_TRY_STATUS(expect_halves(object, "image_mean"));
  FACET_TRY_STATUS(expect_halves(object, "image_std"));
  FACET_TRY_STATUS(expect_number(object, "image_seq_length", config.image_tokens));
  const PanAndScanOptions crops;
  FACET_TRY_STATUS(expect_number(object, "pan_and_scan_min_crop_size", crops.crop_side_min));
  FACET_TRY_STATUS(expect_number(object, "pan_and_scan_max_num_crops", crops.crops_max));
  return expect_number(object, "pan_and_scan_min_ratio_to_activate", crops.ratio_min);
}

}  // namespace

Status check_preprocessor_config(std::string_view json, const VisionConfig& config) {
  FACET_TRY(const Json object, parse_json(json, "preprocessor_config.json"));
  if (!object.is_object()) return Error{Code::invalid_data, "it is not an object"};
  return check_object(object, config);
}

Status check_preprocessor_files(const std::filesystem::path& folder, const VisionConfig& config) {
  for (const char* name : {"preprocessor_config.json", "processor_config.json"}) {
    std::error_code no_error;  // What cannot be looked at is not there for us.
    if (!std::filesystem::exists(folder / name, no_error)) continue;
    FACET_TRY(const MappedFile file, MappedFile::open(folder / name));
    const auto bytes = file.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    FACET_TRY(const Json root, parse_json(text, name));
    if (!root.is_object())
      return Error{Code::invalid_data, std::string(name) + " is not an object"};
    const Json* object = &root;
    if (std::string_view(name) == "processor_config.json") {
      object = stated(root, "image_processor");
      if (object == nullptr) continue;
      if (!object->is_object()) {
        return Error{Code::invalid_data, std::string(name) + ": image_processor is no object"};
      }
    }
    const Status status = check_object(*object, config);
    if (!status) return status.error().with_context(name);
  }
  return ok();
}

}  // namespace facet::engine
