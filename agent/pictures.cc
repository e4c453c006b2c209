#include "agent/pictures.h"

#include "engine/vision/preprocess.h"
#include "prompts/image_prompts.h"

#include <string>
#include <utility>

namespace facet::agent {
namespace {

Result<Picture> encode(const engine::Engine& engine,
                       const engine::Image& image,
                       bool pan_and_scan) {
  Picture out;
  FACET_TRY(auto whole, engine.encode_image(image));
  out.images.push_back(std::move(whole));
  if (!pan_and_scan) return out;
  for (const engine::ImageRegion& region : engine::pan_and_scan(image.width, image.height)) {
    FACET_TRY(auto crop, engine.encode_image(engine::crop_image(image, region)));
    out.images.push_back(std::move(crop));
  }
  return out;
}

Status check_sees(const engine::Engine& engine) {
  if (engine.info().image_tokens > 0) return ok();
  return Error{Code::unsupported, "model '" + engine.info().name + "' reads text only"};
}

Status check_vocabulary(const engine::Tokenizer& tokenizer) {
  for (const std::string_view name : {prompts::kStartOfImage, prompts::kEndOfImage}) {
    const auto id = tokenizer.find_token(name);
    if (id && tokenizer.is_control(*id)) continue;
    return Error{Code::unsupported,
                 "images need the token " + std::string(name) + ", which the vocabulary lacks"};
  }
  return ok();
}

}  // namespace

Result<Picture> read_picture(const engine::Engine& engine,
                             const std::filesystem::path& path,
                             bool pan_and_scan) {
  if (auto status = check_sees(engine); !status) {
    return status.error().with_context(path.string());
  }
  FACET_TRY(const engine::Image image, engine::load_image(path));
  Result<Picture> out = encode(engine, image, pan_and_scan);
  if (!out) return out.error().with_context(path.string());
  return out;
}

Result<Picture> decode_picture(const engine::Engine& engine,
                               std::span<const std::byte> bytes,
                               bool pan_and_scan,
                               const engine::ImageLimits& limits) {
  FACET_TRY_STATUS(check_sees(engine));
  FACET_TRY(const engine::Image image, engine::decode_image(bytes, limits));
  return encode(engine, image, pan_and_scan);
}

Result<PromptTokens> tokenize_prompt(const engine::Tokenizer& tokenizer,
                                     const std::vector<Segment>& segments,
                                     std::span<const Picture> pictures) {
  PromptTokens out;
  if (pictures.empty()) {
    out.ids = tokenizer.encode(segments);
    return out;
  }
  FACET_TRY_STATUS(check_vocabulary(tokenizer));
  std::vector<int> crops;
  for (const Picture& picture : pictures) {
    crops.push_back(static_cast<int>(picture.images.size()) - 1);
    out.images.insert(out.images.end(), picture.images.begin(), picture.images.end());
  }
  FACET_TRY(const auto parts, prompts::split_at_images(segments, crops));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::vector<engine::TokenId> ids = tokenizer.encode(parts[i]);
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    if (i == out.images.size()) break;
    out.ids.insert(out.ids.end(), out.images[i]->ids.begin(), out.images[i]->ids.end());
  }
  return out;
}

Result<PromptTokens> place_pictures(const engine::ModelInfo& info,
                                    std::span<const engine::TokenId> ids,
                                    std::span<const Picture> pictures) {
  PromptTokens out;
  for (const Picture& picture : pictures) {
    out.images.insert(out.images.end(), picture.images.begin(), picture.images.end());
  }
  const auto whole = static_cast<std::size_t>(info.image_tokens);
  std::size_t runs = 0;
  for (std::size_t at = 0; at < ids.size();) {
    std::size_t end = at;
    while (end < ids.size() && ids[end] == info.image_placeholder) ++end;
    if (end == at) {
      out.ids.push_back(ids[at++]);
      continue;
    }
    if (end - at != 1 && end - at != whole) {
      return Error{Code::invalid_argument,
                   std::to_string(end - at) + " image placeholders at id " + std::to_string(at) +
                       ", expected " + std::to_string(whole) + " or 1"};
    }
    if (runs < out.images.size()) {
      const auto& image = out.images[runs]->ids;
      out.ids.insert(out.ids.end(), image.begin(), image.end());
    }
    ++runs;
    at = end;
  }
  if (runs == out.images.size()) return out;
  return Error{Code::invalid_argument,
               "the ids have placeholders for " + std::to_string(runs) + " images, " +
                   std::to_string(out.images.size()) + " are given (crops included)"};
}

}  // namespace facet::agent
