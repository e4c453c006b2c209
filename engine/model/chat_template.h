// The chat template that a model's files bring: Jinja text. It is shown and recognised, never run.
#pragma once

#include "base/result.h"
#include "engine/model/gguf.h"

#include <filesystem>
#include <string>

namespace facet::engine {

/// More is limit_exceeded.
inline constexpr std::size_t kChatTemplateBytesMax = 1U << 20U;

/// Key tokenizer.chat_template; empty without it.
Result<std::string> read_gguf_chat_template(const Gguf& gguf);

/// The first of chat_template.jinja, chat_template.json and tokenizer_config.json that has one, as
/// transformers looks for it; of several named ones the one named "default". Empty without any.
/// invalid_data, naming the file, when it is not what it should be.
Result<std::string> read_hf_chat_template(const std::filesystem::path& folder);

}  // namespace facet::engine
