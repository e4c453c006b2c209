// The two places a model comes from, each read into the same parts.
#pragma once

#include "base/mapped_file.h"
#include "base/result.h"
#include "engine/model/config.h"
#include "engine/model/naming.h"
#include "engine/model/tensor_table.h"
#include "engine/tokenizer/tokenizer.h"

#include <filesystem>
#include <string>
#include <vector>

namespace facet::engine {

/// Everything a model's files hold, before the weights are put into place. The tensors point into
/// `files`.
struct ModelSource {
  std::vector<MappedFile> files;
  ModelConfig config;
  Vocabulary vocabulary;
  TensorTable tensors;
  TensorNaming naming;
  bool embedding_may_be_longer = false;
  std::string chat_template;  ///< Empty where the files have none, or no tokenizer is read.
};

/// Without the tokenizer the vocabulary stays empty, and every row of the embedding is a token.
Result<ModelSource> read_gguf_model(const std::filesystem::path& path, bool with_tokenizer);
Result<ModelSource> read_hf_model(const std::filesystem::path& folder, bool with_tokenizer);

/// Only the vocabularies of the same.
Result<Vocabulary> read_gguf_vocabulary_file(const std::filesystem::path& path);
Result<Vocabulary> read_hf_vocabulary(const std::filesystem::path& folder);

}  // namespace facet::engine
