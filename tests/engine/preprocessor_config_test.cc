// preprocessor_config.json: what is done is accepted, anything else refused by name.
#include "engine/vision/preprocessor_config.h"

#include "tests/support/catch.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

using namespace facet;
using namespace facet::engine;
using namespace facet::test;
using Json = nlohmann::ordered_json;

namespace {

const VisionConfig kConfig{.text_hidden = 2560};

/// As published with Gemma 3 4B.
Json published() {
  return {{"do_convert_rgb", nullptr},
          {"do_normalize", true},
          {"do_pan_and_scan", nullptr},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", {0.5, 0.5, 0.5}},
          {"image_processor_type", "Gemma3ImageProcessor"},
          {"image_seq_length", 256},
          {"image_std", {0.5, 0.5, 0.5}},
          {"pan_and_scan_max_num_crops", nullptr},
          {"pan_and_scan_min_crop_size", nullptr},
          {"pan_and_scan_min_ratio_to_activate", nullptr},
          {"processor_class", "Gemma3Processor"},
          {"resample", 2},
          {"rescale_factor", 0.00392156862745098},
          {"size", {{"height", 896}, {"width", 896}}}};
}

}  // namespace

TEST_CASE("the preprocessing that Gemma 3 publishes is accepted", "[engine][vision]") {
  CHECK(check_preprocessor_config(published().dump(), kConfig));
  CHECK(check_preprocessor_config("{}", kConfig));
  Json stated = published();
  stated["pan_and_scan_max_num_crops"] = 4;
  stated["pan_and_scan_min_crop_size"] = 256;
  stated["pan_and_scan_min_ratio_to_activate"] = 1.2;
  stated["do_pan_and_scan"] = false;
  stated["image_mean"] = 0.5;
  stated["image_processor_type"] = "Gemma3ImageProcessorFast";
  CHECK(check_preprocessor_config(stated.dump(), kConfig));
}

TEST_CASE("preprocessing that is not done is refused by its key", "[engine][vision]") {
  const std::vector<std::pair<std::string, Json>> others{
      {"do_normalize", false},
      {"do_rescale", false},
      {"do_resize", false},
      {"do_resize", "yes"},
      {"do_pan_and_scan", true},
      {"image_mean", {0.48, 0.46, 0.41}},
      {"image_mean", {0.5, 0.5}},
      {"image_std", 0.25},
      {"image_processor_type", "SiglipImageProcessor"},
      {"image_seq_length", 64},
      {"pan_and_scan_max_num_crops", 6},
      {"pan_and_scan_min_crop_size", 128},
      {"pan_and_scan_min_ratio_to_activate", 1.5},
      {"resample", 3},
      {"rescale_factor", 0.007843},
      {"size", {{"height", 448}, {"width", 896}}},
      {"size", {{"shortest_edge", 896}}},
      {"size", 896}};
  for (const auto& [key, value] : others) {
    Json json = published();
    json[key] = value;
    INFO(key << " " << value.dump());
    const Status refused = check_preprocessor_config(json.dump(), kConfig);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::unsupported);
    CHECK_THAT(refused.error().message, Catch::StartsWith(key + " is " + value.dump()));
  }
  CHECK_FALSE(check_preprocessor_config("[]", kConfig));
  CHECK_FALSE(check_preprocessor_config("{", kConfig));
}

TEST_CASE("both files of a folder are looked at", "[engine][vision]") {
  const TempDir folder;
  CHECK(check_preprocessor_files(folder.path(), kConfig));
  write_bytes(folder.path() / "preprocessor_config.json", published().dump());
  write_bytes(folder.path() / "processor_config.json",
              Json{{"image_seq_length", 256}, {"image_processor", published()}}.dump());
  CHECK(check_preprocessor_files(folder.path(), kConfig));
  Json other = published();
  other["resample"] = 3;
  write_bytes(folder.path() / "processor_config.json", Json{{"image_processor", other}}.dump());
  const Status refused = check_preprocessor_files(folder.path(), kConfig);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "processor_config.json: resample is 3; 2.0 is done");
  write_bytes(folder.path() / "preprocessor_config.json", other.dump());
  const Status first = check_preprocessor_files(folder.path(), kConfig);
  REQUIRE_FALSE(first);
  CHECK_THAT(first.error().message, Catch::StartsWith("preprocessor_config.json: "));
}
