#include "engine/model/model.h"

#include "base/check.h"
#include "engine/model/identity.h"
#include "engine/model/model_source.h"
#include "engine/model/weights.h"

#include <algorithm>
#include <map>
#include <string>
#include <system_error>
#include <utility>

namespace facet::engine {
namespace {

bool is_folder(const std::filesystem::path& path) {
  std::error_code no_error;  // What cannot be looked at is reported when it is opened.
  return std::filesystem::is_directory(path, no_error);
}

/// "<eos>" and "<end_of_turn>" end an answer wherever they exist (files disagree on which of them
/// they call eos); ids are kept sorted and single.
void complete_stop_ids(const Tokenizer& tokenizer, ModelConfig& config) {
  config.stop_ids.push_back(tokenizer.eos());
  for (const char* name : {"<eos>", "<end_of_turn>"}) {
    const auto id = tokenizer.find_token(name);
    if (id && !config.is_embedder) config.stop_ids.push_back(*id);
  }
  std::sort(config.stop_ids.begin(), config.stop_ids.end());
  config.stop_ids.erase(std::unique(config.stop_ids.begin(), config.stop_ids.end()),
                        config.stop_ids.end());
  std::erase_if(config.stop_ids, [&](std::int32_t id) { return id >= config.vocabulary; });
}

/// "Q8_0 x57, F32 x49": most frequent first.
std::string weight_types(const TensorTable& tensors) {
  std::map<DType, int> counts;
  for (const auto& [name, tensor] : tensors.all()) ++counts[tensor.type];
  std::vector<std::pair<DType, int>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second > b.second;
  });
  std::string out;
  for (const auto& [type, count] : sorted) {
    if (!out.empty()) out += ", ";
    out += std::string(dtype_name(type)) + " x" + std::to_string(count);
  }
  return out;
}

ModelInfo describe(const ModelSource& source) {
  const ModelConfig& config = source.config;
  ModelInfo out;
  out.name = config.name;
  out.plans_first = config.plans_first;
  out.quotes_answers = config.quotes_answers;
  out.copies_arguments = config.copies_arguments;
  out.tools_declared_max = config.tools_declared_max;
  out.trained_tokens_max = config.trained_tokens_max;
  out.plan_weights = config.plan_weights;
  out.slot_weights = config.slot_weights;
  out.thesaurus = config.thesaurus;
  out.refusal_min = config.refusal_min;
  out.search_weight = config.search_weight;
  out.architecture = config.architecture;
  out.identity = model_identity(source);
  out.chat_template = source.chat_template;
  out.weight_types = weight_types(source.tensors);
  for (const auto& [name, tensor] : source.tensors.all()) {
    std::int64_t elements = 1;
    for (const std::int64_t size : tensor.shape) elements *= size;
    out.parameters += elements;
    out.weight_bytes += tensor.bytes;
  }
  out.context_tokens_max = config.context_tokens_max;
  out.layers = static_cast<int>(config.layers.size());
  out.hidden = config.hidden;
  out.vocabulary = config.vocabulary;
  out.embedding_dim = config.embedding_dim;
  out.is_embedder = config.is_embedder;
  return out;
}

}  // namespace

struct Model::Parts {
  std::vector<MappedFile> files;
  ModelConfig config;
  ModelWeights weights;
  std::shared_ptr<const Tokenizer> tokenizer;
  ModelInfo info;
};

Result<std::shared_ptr<const Model>> Model::load(const std::filesystem::path& path,
                                                 const ModelLoadOptions& options) {
  const bool with_tokenizer = options.with_tokenizer;
  auto loaded = [&]() -> Result<std::unique_ptr<Parts>> {
    FACET_TRY(ModelSource source,
              is_folder(path) ? read_hf_model(path, with_tokenizer)
                              : read_gguf_model(path, with_tokenizer));
    auto parts = std::make_unique<Parts>();
    FACET_TRY(parts->weights,
              assemble_weights(
                  source.config, source.tensors, source.naming, source.embedding_may_be_longer));
    parts->info = describe(source);
    parts->config = std::move(source.config);
    if (with_tokenizer) {
      FACET_TRY(parts->tokenizer, Tokenizer::create(std::move(source.vocabulary)));
      complete_stop_ids(*parts->tokenizer, parts->config);
    }
    parts->files = std::move(source.files);
    return parts;
  }();
  if (!loaded) return loaded.error().with_context(path.string());
  return std::shared_ptr<const Model>(new Model(*std::move(loaded)));
}

Model::Model(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Model::~Model() = default;

const ModelConfig& Model::config() const {
  return parts_->config;
}

const LayerWeights& Model::layer(std::size_t index) const {
  FACET_CHECK(index < parts_->weights.layers.size());
  return parts_->weights.layers[index];
}

const TensorView& Model::embedding() const {
  return parts_->weights.embedding;
}

std::span<const float> Model::output_norm() const {
  return parts_->weights.output_norm;
}

const TensorView& Model::dense2() const {
  return parts_->weights.dense2;
}

const TensorView& Model::dense3() const {
  return parts_->weights.dense3;
}

const Tokenizer& Model::tokenizer() const {
  FACET_CHECK(parts_->tokenizer != nullptr);
  return *parts_->tokenizer;
}

const ModelInfo& Model::info() const {
  return parts_->info;
}

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::filesystem::path& path) {
  if (path.extension() == ".model") return Tokenizer::load_sentencepiece(path);
  auto loaded = [&]() -> Result<std::shared_ptr<const Tokenizer>> {
    FACET_TRY(Vocabulary vocabulary,
              is_folder(path) ? read_hf_vocabulary(path) : read_gguf_vocabulary_file(path));
    return Tokenizer::create(std::move(vocabulary));
  }();
  if (!loaded) return loaded.error().with_context(path.string());
  return loaded;
}

}  // namespace facet::engine
