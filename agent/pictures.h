// Pictures for a local model: from files to soft tokens, and into the tokens of a prompt.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/vision/image.h"
#include "engine/vision/soft_tokens.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace facet::agent {

/// A picture as a model takes it: the whole one, then its crops, if any. A plain value.
struct Picture {
  std::vector<std::shared_ptr<const engine::SoftTokens>> images;
};

/// Reads and encodes a file. With `pan_and_scan` a long picture gets crops beside the whole one.
/// unsupported when the model reads text only; else the errors of load_image and encode_image,
/// their messages beginning with the path.
Result<Picture> read_picture(const engine::Engine& engine,
                             const std::filesystem::path& path,
                             bool pan_and_scan);

/// The same for a picture that is in memory already, its file's bytes within `limits`.
Result<Picture> decode_picture(const engine::Engine& engine,
                               std::span<const std::byte> bytes,
                               bool pan_and_scan,
                               const engine::ImageLimits& limits = {});

/// What Sequence::append takes.
struct PromptTokens {
  std::vector<engine::TokenId> ids;
  std::vector<std::shared_ptr<const engine::SoftTokens>> images;
};

/// `segments` as tokens, with `pictures` where their image markers are, one each. Without pictures
/// this is Tokenizer::encode. invalid_argument when markers and pictures differ in number;
/// unsupported when the vocabulary lacks the tokens around an image.
Result<PromptTokens> tokenize_prompt(const engine::Tokenizer& tokenizer,
                                     const std::vector<Segment>& segments,
                                     std::span<const Picture> pictures);

/// `ids` as the reference's processor makes them, with `pictures` (their crops included) in place
/// of the placeholders, in order: each run of info().image_placeholder becomes the next image. A
/// run is image_tokens long, as the processor writes it, or a single id that stands for all of
/// them. invalid_argument for a run of another length, or when runs and images differ in number.
Result<PromptTokens> place_pictures(const engine::ModelInfo& info,
                                    std::span<const engine::TokenId> ids,
                                    std::span<const Picture> pictures);

}  // namespace facet::agent
