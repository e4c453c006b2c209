#include "engine/model/chat_template.h"
#include "engine/model/hf_config.h"
#include "engine/model/model_source.h"
#include "engine/model/safetensors.h"
#include "engine/tokenizer/model_proto.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace facet::engine {
namespace {

// Text files, published multimodal files, files saved again by newer transformers, ShieldGemma 2
// (whose class wraps Gemma 3 once more), EmbeddingGemma.
constexpr std::string_view kPrefixes[] = {"model.",
                                          "language_model.model.",
                                          "model.language_model.",
                                          "model.language_model.model.",
                                          "model.model.language_model.",
                                          "model.model.language_model.model.",
                                          ""};

bool has(const std::filesystem::path& path) {
  std::error_code no_error;  // What cannot be looked at is reported by whoever opens it.
  return std::filesystem::exists(path, no_error);
}

/// Calls `use` with the text of `folder / name`; errors name the file.
template <typename Use>
auto with_file(const std::filesystem::path& folder, const std::string& name, Use use)
    -> decltype(use(std::string_view())) {
  FACET_TRY(const MappedFile file, MappedFile::open(folder / name));
  const auto bytes = file.bytes();
  auto out = use(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  if (!out) return out.error().with_context(name);
  return out;
}

Result<TensorNaming> find_naming(const TensorTable& tensors) {
  for (const std::string_view prefix : kPrefixes) {
    TensorNaming naming = hf_naming(prefix);
    if (tensors.find(naming.embedding) != nullptr) return naming;
  }
  return Error{Code::invalid_data, "tensor 'model.embed_tokens.weight' is missing"};
}

/// Refuses a sentence-transformers folder whose pooling or dense layers compute something else than
/// the mean over tokens and plain products. The files may be absent.
Status check_head(const std::filesystem::path& folder) {
  if (has(folder / "1_Pooling" / "config.json")) {
    FACET_TRY_STATUS(with_file(folder, "1_Pooling/config.json", check_pooling_config));
  }
  for (const std::string name : {"2_Dense/config.json", "3_Dense/config.json"}) {
    if (has(folder / name)) FACET_TRY_STATUS(with_file(folder, name, check_dense_config));
  }
  return ok();
}

/// The two dense layers of a sentence-transformers folder, if it has them.
Status read_dense(const std::filesystem::path& folder, ModelSource& out) {
  FACET_TRY_STATUS(check_head(folder));
  if (!has(folder / "2_Dense") && !has(folder / "3_Dense")) return ok();
  for (const std::string name : {"2_Dense", "3_Dense"}) {
    FACET_TRY(MappedFile file, MappedFile::open(folder / name / "model.safetensors"));
    if (auto status = read_safetensors(file.bytes(), name + "/", out.tensors); !status) {
      return status.error().with_context(name + "/model.safetensors");
    }
    out.files.push_back(std::move(file));
    const std::string bias = name + "/linear.bias";
    if (out.tensors.find(bias) != nullptr) {
      return Error{Code::unsupported, "tensor '" + bias + "': the family's heads have no bias"};
    }
  }
  for (const std::string name : {"2_Dense/linear.weight", "3_Dense/linear.weight"}) {
    const StoredTensor* tensor = out.tensors.find(name);
    if (tensor == nullptr || tensor->shape.size() != 2 || tensor->shape[0] > (1 << 20)) {
      return Error{Code::invalid_data, "tensor '" + name + "' is not a matrix"};
    }
  }
  out.config.dense_hidden = static_cast<int>(out.tensors.find("2_Dense/linear.weight")->shape[0]);
  out.config.embedding_dim = static_cast<int>(out.tensors.find("3_Dense/linear.weight")->shape[0]);
  return check_config(out.config);
}

/// Tokens are the pieces of the tokenizer: rows behind them are padding of multimodal files.
Status match_vocabulary(ModelSource& source) {
  const std::size_t pieces = source.vocabulary.pieces.size();
  if (pieces > static_cast<std::size_t>(source.config.vocabulary)) {
    return Error{Code::invalid_data,
                 "the tokenizer has " + std::to_string(pieces) + " pieces, vocab_size is " +
                     std::to_string(source.config.vocabulary)};
  }
  source.config.vocabulary = static_cast<int>(pieces);
  source.embedding_may_be_longer = true;
  return ok();
}

Result<Vocabulary> read_vocabulary(const std::filesystem::path& folder, bool is_embedder) {
  FACET_TRY(const MappedFile file, MappedFile::open(folder / "tokenizer.model"));
  auto vocabulary = parse_model_proto(file.bytes());
  if (!vocabulary) return vocabulary.error().with_context("tokenizer.model");
  vocabulary->add_eos = is_embedder;
  if (has(folder / "tokenizer_config.json")) {
    FACET_TRY_STATUS(with_file(folder, "tokenizer_config.json", [&](std::string_view text) {
      return apply_tokenizer_config(text, *vocabulary);
    }));
  }
  // The embedder's tokenizer closes a text with eos whatever its file says about chat use.
  if (is_embedder) vocabulary->add_eos = true;
  return vocabulary;
}

}  // namespace

Result<ModelSource> read_hf_model(const std::filesystem::path& folder, bool with_tokenizer) {
  ModelSource out;
  FACET_TRY(out.config, with_file(folder, "config.json", read_hf_config));
  if (has(folder / "generation_config.json")) {
    FACET_TRY_STATUS(with_file(folder, "generation_config.json", [&](std::string_view text) {
      return apply_generation_config(text, out.config);
    }));
  }
  if (with_tokenizer) {
    FACET_TRY(out.vocabulary, read_vocabulary(folder, out.config.is_embedder));
    FACET_TRY(out.chat_template, read_hf_chat_template(folder));
  }
  FACET_TRY_STATUS(read_safetensors_folder(folder, out.tensors, out.files));
  if (out.config.is_embedder) FACET_TRY_STATUS(read_dense(folder, out));
  FACET_TRY(out.naming, find_naming(out.tensors));
  if (with_tokenizer) FACET_TRY_STATUS(match_vocabulary(out));
  out.config.name = std::filesystem::absolute(folder).lexically_normal().filename().string();
  return out;
}

Result<Vocabulary> read_hf_vocabulary(const std::filesystem::path& folder) {
  if (!has(folder / "config.json")) return read_vocabulary(folder, false);
  FACET_TRY(const ModelConfig config, with_file(folder, "config.json", read_hf_config));
  return read_vocabulary(folder, config.is_embedder);
}

}  // namespace facet::engine
