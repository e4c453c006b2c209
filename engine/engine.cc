#include "engine/engine.h"

#include "engine/cpu/instruction_sets.h"
#include "engine/cuda/support.h"
#include "engine/device.h"
#include "engine/generate.h"
#include "engine/kv/cache.h"
#include "engine/model/model.h"
#include "engine/model/resident_weights.h"
#include "engine/runtime.h"
#include "engine/sequence_state.h"
#include "engine/vision/encoder.h"
#include "engine/vision/model.h"
#include "engine/vision/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <thread>
#include <utility>

namespace facet::engine {
namespace {

constexpr int kThreadsMax = 256;
constexpr std::int64_t kPrefillChunkTokens = 128;
constexpr std::int64_t kDeviceChunkTokens = 2048;
constexpr std::int64_t kPrefillChunkTokensMax = 4096;
constexpr std::int64_t kPrefixBytesMax = std::int64_t{1} << 40;

Error out_of_range(const char* field, std::int64_t value, const std::string& expected) {
  return {Code::invalid_argument,
          std::string(field) + " is " + std::to_string(value) + ", expected " + expected};
}

/// The options as the runtime takes them: defaults filled in from the machine and the model.
Result<RuntimeOptions> resolve(const EngineOptions& options,
                               const ModelConfig& config,
                               bool is_cuda) {
  if (options.threads < 0 || options.threads > kThreadsMax) {
    return out_of_range("threads", options.threads, "0 to " + std::to_string(kThreadsMax));
  }
  const std::int64_t chunk =
      options.prefill_chunk_tokens.value_or(is_cuda ? kDeviceChunkTokens : kPrefillChunkTokens);
  if (chunk < 1 || chunk > kPrefillChunkTokensMax) {
    return out_of_range(
        "prefill_chunk_tokens", chunk, "1 to " + std::to_string(kPrefillChunkTokensMax));
  }
  if (options.context_tokens_max < 0 || options.context_tokens_max > config.context_tokens_max) {
    return out_of_range("context_tokens_max",
                        options.context_tokens_max,
                        "0 to the model's " + std::to_string(config.context_tokens_max));
  }
  if (options.prefix_bytes_max < 0 || options.prefix_bytes_max > kPrefixBytesMax) {
    return out_of_range(
        "prefix_bytes_max", options.prefix_bytes_max, "0 to " + std::to_string(kPrefixBytesMax));
  }
  if (options.draft_tokens_max < 0 || options.draft_tokens_max > kDraftTokensMax) {
    return out_of_range(
        "draft_tokens_max", options.draft_tokens_max, "0 to " + std::to_string(kDraftTokensMax));
  }
  RuntimeOptions out{.threads = options.threads,
                     .context_tokens_max = options.context_tokens_max,
                     .prefill_chunk_tokens = chunk,
                     .prefix_bytes_max = options.prefix_bytes_max,
                     .draft_tokens_max = options.draft_tokens_max,
                     .kv_type = options.kv_type.value_or(is_cuda ? KvType::bf16 : KvType::f32),
                     .float_activations = options.float_activations};
  if (out.threads == 0) {
    const auto cores = static_cast<int>(std::thread::hardware_concurrency());
    out.threads = std::clamp(cores, 1, kThreadsMax);
  }
  if (out.context_tokens_max == 0) out.context_tokens_max = config.context_tokens_max;
  return out;
}

ModelWeights weights_of(const Model& model) {
  ModelWeights out{
      .embedding = model.embedding(), .dense2 = model.dense2(), .dense3 = model.dense3()};
  out.output_norm.assign(model.output_norm().begin(), model.output_norm().end());
  for (std::size_t l = 0; l < model.config().layers.size(); ++l) {
    out.layers.push_back(model.layer(l));
  }
  return out;
}

/// Null where there is no tower.
Result<std::shared_ptr<const VisionModel>> load_vision(const EngineOptions& options,
                                                       const ModelConfig& config) {
  std::shared_ptr<const VisionModel> vision;
  std::error_code no_error;  // The model has been read from there already.
  if (!options.vision.empty()) {
    FACET_TRY(vision, VisionModel::load(options.vision));
  } else if (std::filesystem::is_directory(options.model, no_error)) {
    FACET_TRY(vision, VisionModel::find(options.model));
  }
  if (vision != nullptr && vision->config().text_hidden != config.hidden) {
    return Error{Code::invalid_data,
                 "the vision tower gives soft tokens of width " +
                     std::to_string(vision->config().text_hidden) + ", the model has " +
                     std::to_string(config.hidden)};
  }
  return vision;
}

ModelInfo describe(const Model& model,
                   const VisionModel* vision,
                   const Ops& ops,
                   const RuntimeOptions& options) {
  ModelInfo info = model.info();
  if (vision != nullptr) {
    info.image_tokens = vision->config().image_tokens;
    info.image_placeholder = vision->config().placeholder;
  }
  // An image is a chunk of its own.
  const std::int64_t chunk_max =
      std::max<std::int64_t>(options.prefill_chunk_tokens, info.image_tokens);
  info.cpu_path = ops.name;
  info.context_tokens_max = options.context_tokens_max;
  for (const LayerSpec& layer : model.config().layers) {
    if (!layer.causal) continue;
    if (layer.window == 0) {
      info.kv_bytes_per_token += kv_token_bytes(layer, options.kv_type);
    } else {
      info.kv_bytes_fixed += kv_ring_bytes_max(layer, chunk_max, options.kv_type);
    }
  }
  return info;
}

/// A model on its way into a Runtime.
struct Loading {
  ModelConfig config;
  ModelWeights weights;
  RuntimeOptions options;
  std::int64_t image_tokens = 0;
  const VisionModel* vision = nullptr;  ///< Null: text only.
};

/// Copies the weights where that helps. What keeps them alive; `note` as ModelInfo::weights_note.
std::shared_ptr<const void> into_huge_pages(Loading& loading,
                                            std::shared_ptr<const Model> model,
                                            std::string& note) {
  const std::int64_t bytes = matrix_bytes(loading.weights);
  if (bytes < kHugePagesWorthwhile) return model;
  note = why_not_resident(bytes, huge_page_support());
  if (!note.empty()) return model;
  auto copy = make_resident(loading.weights, loading.options.threads, true);
  if (!copy) {
    note = copy.error().message;
    return model;
  }
  // The model describes itself by the views into its files.
  using Both = std::pair<std::shared_ptr<const Model>, std::shared_ptr<const void>>;
  return std::make_shared<const Both>(std::move(model), *std::move(copy));
}

/// The model on the CUDA device that is asked for.
Result<cuda::CudaModel> make_cuda_model(const EngineOptions& options,
                                        const DeviceChoice& choice,
                                        const Loading& loading) {
  if (options.cuda == nullptr) {
    return Error{Code::unavailable,
                 "this build computes on the CPU only: build with -DFACET_CUDA=ON for CUDA"};
  }
  const std::int64_t rows = std::max<std::int64_t>(
      loading.options.prefill_chunk_tokens + kDecodeRows, loading.image_tokens);
  const VisionModel* const vision = loading.vision;
  const cuda::PlanOptions plan{.context_tokens_max = loading.options.context_tokens_max,
                               .rows_max = rows,
                               .prefix_bytes_max = loading.options.prefix_bytes_max,
                               .kv_type = loading.options.kv_type,
                               .weights = options.device_weights,
                               .vision = vision == nullptr ? nullptr : &vision->config()};
  const char* named = std::getenv("FACET_CUDA_PRODUCTS");
  const auto units = cuda::prompt_units_from_name(named == nullptr ? "library" : named);
  if (!units) {
    return Error{
        Code::invalid_argument,
        "FACET_CUDA_PRODUCTS is '" + std::string(named) + "'; known are library, wgmma, mma"};
  }
  ThreadPool pool(loading.options.threads);
  return options.cuda->create(loading.config,
                              loading.weights,
                              {.device = choice.index,
                               .plan = plan,
                               .is_deterministic = options.is_deterministic,
                               .prompt_units = *units,
                               .vision_weights = vision == nullptr ? nullptr : &vision->weights()},
                              pool);
}

}  // namespace

std::int64_t window_max(const ModelConfig& config) {
  std::int64_t out = 0;
  for (const LayerSpec& layer : config.layers) {
    if (layer.causal) out = std::max<std::int64_t>(out, layer.window);
  }
  return out;
}

struct Engine::Parts {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Runtime> runtime;
  std::shared_ptr<const VisionModel> vision;  ///< Null: text only.
  ModelInfo info;
};

Engine::Engine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Engine::~Engine() = default;

Result<std::shared_ptr<Engine>> Engine::load(const EngineOptions& options) {
  const char* forced = std::getenv("FACET_CPU");
  FACET_TRY(const Ops* ops, choose_ops(forced == nullptr ? "" : forced));
  FACET_TRY(const DeviceChoice choice, parse_device(options.device));
  FACET_TRY(auto model, Model::load(options.model, {.with_tokenizer = options.with_tokenizer}));
  auto parts = std::make_unique<Parts>();
  FACET_TRY(parts->vision, load_vision(options, model->config()));
  Loading loading{.config = model->config(), .weights = weights_of(*model)};
  loading.vision = parts->vision.get();
  if (parts->vision != nullptr) loading.image_tokens = parts->vision->config().image_tokens;
  FACET_TRY(loading.options, resolve(options, model->config(), choice.is_cuda));
  std::unique_ptr<Backend> backend;
  std::string device = "cpu";
  std::string note;
  std::string vision_note;
  if (choice.is_cuda) {
    auto made = make_cuda_model(options, choice, loading);
    if (made) {
      const cuda::DeviceInfo& info = made->device;
      device = "cuda:" + std::to_string(info.index) + " (" + info.name + ")";
      backend = std::move(made->backend);
      if (parts->vision != nullptr && !backend->has_vision()) {
        vision_note = "the device has no room for the vision tower: pictures are read on the CPU";
      }
    } else if (choice.falls_back && made.error().code != Code::invalid_argument) {
      note = made.error().message;
      FACET_TRY(loading.options, resolve(options, model->config(), false));
    } else {
      return made.error();
    }
  }
  std::shared_ptr<const void> owner = model;
  std::string weights_note;
  if (backend == nullptr && options.huge_pages) {
    owner = into_huge_pages(loading, model, weights_note);
  }
  parts->info = describe(*model, parts->vision.get(), *ops, loading.options);
  parts->info.weights_note = weights_note;
  parts->info.device = device;
  parts->info.device_note = note;
  parts->info.vision_note = vision_note;
  parts->runtime =
      std::make_shared<const Runtime>(RuntimeModel{.config = std::move(loading.config),
                                                   .weights = std::move(loading.weights),
                                                   .identity = model->info().identity,
                                                   .owner = std::move(owner)},
                                      *ops,
                                      loading.options,
                                      std::move(backend));
  const int started = parts->runtime->pool().threads();
  if (started < loading.options.threads) {
    return Error{Code::unavailable,
                 "the system starts only " + std::to_string(started) + " of " +
                     std::to_string(loading.options.threads) + " threads: ask for fewer"};
  }
  parts->model = std::move(model);
  return std::shared_ptr<Engine>(new Engine(std::move(parts)));
}

const ModelInfo& Engine::info() const {
  return parts_->info;
}

int Engine::threads() const {
  return parts_->runtime->options().threads;
}

PassCost Engine::append_cost(std::int64_t depth, std::int64_t tokens) const {
  return engine::append_cost(*parts_->model,
                             depth,
                             tokens,
                             parts_->runtime->options().prefill_chunk_tokens,
                             parts_->runtime->options().kv_type);
}

namespace {

/// With what the model says about itself where `options` do not.
cuda::PlanOptions of_model(cuda::PlanOptions options,
                           const ModelInfo& info,
                           const VisionModel* vision) {
  if (options.rows_max == 0) {
    options.rows_max = std::max<std::int64_t>(kDeviceChunkTokens + kDecodeRows, info.image_tokens);
  }
  if (options.vision == nullptr && vision != nullptr) options.vision = &vision->config();
  return options;
}

}  // namespace

cuda::MemoryPlan Engine::device_plan(const cuda::PlanOptions& options) const {
  const cuda::PlanOptions full = of_model(options, parts_->info, parts_->vision.get());
  cuda::MemoryPlan plan =
      cuda::plan_needs(parts_->runtime->config(), parts_->runtime->weights(), full);
  plan.vision_bytes = cuda::plan_vision_bytes(full);
  return plan;
}

std::int64_t Engine::device_context(const cuda::PlanOptions& options,
                                    std::int64_t device_bytes) const {
  return cuda::context_that_fits(parts_->runtime->config(),
                                 parts_->runtime->weights(),
                                 of_model(options, parts_->info, parts_->vision.get()),
                                 device_bytes);
}

MachineLimits Engine::machine_limits() const {
  return measure_machine_limits(parts_->runtime->ops(), threads());
}

const Tokenizer& Engine::tokenizer() const {
  return parts_->model->tokenizer();
}

Sequence Engine::new_sequence() const {
  FACET_CHECK(!parts_->info.is_embedder);
  return Sequence(std::make_unique<SequenceState>(parts_->runtime));
}

PrefixStats Engine::prefix_stats() const {
  return parts_->runtime->prefixes().stats();
}

Result<Sequence> Engine::restore(const std::filesystem::path& path, std::string_view format) const {
  if (parts_->info.is_embedder) {
    return Error{Code::unsupported, path.string() + ": an embedding model has no sequences"};
  }
  FACET_TRY(auto state, SequenceState::restore(parts_->runtime, path, format));
  return Sequence(std::move(state));
}

Result<std::shared_ptr<const SoftTokens>> Engine::encode_image(const Image& image) const {
  if (parts_->vision == nullptr) {
    return Error{Code::unsupported, "model '" + parts_->info.name + "' reads text only"};
  }
  const VisionConfig& config = parts_->vision->config();
  const std::vector<float> pixels = preprocess_image(image, config.image_size);
  std::vector<float> out;
  if (parts_->runtime->backend().has_vision()) {
    FACET_TRY(out, parts_->runtime->backend().encode_image(pixels));
  } else {
    const VisionEncoder encoder(
        config, parts_->vision->weights(), parts_->runtime->ops(), parts_->runtime->pool());
    out = encoder.encode(pixels);
  }
  if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); })) {
    return Error{Code::invalid_data, "the soft tokens of the image are not finite"};
  }
  return make_soft_tokens(std::move(out), config.text_hidden);
}

Result<std::vector<float>> Engine::embed(std::span<const TokenId> ids) const {
  FACET_CHECK(parts_->info.is_embedder);
  if (ids.empty()) return Error{Code::invalid_argument, "there are no tokens to embed"};
  if (static_cast<std::int64_t>(ids.size()) > parts_->info.context_tokens_max) {
    return Error{Code::limit_exceeded,
                 std::to_string(ids.size()) + " tokens do not fit the context of " +
                     std::to_string(parts_->info.context_tokens_max)};
  }
  const int vocabulary = parts_->runtime->config().vocabulary;
  for (const TokenId id : ids) {
    if (id >= 0 && id < vocabulary) continue;
    return Error{Code::invalid_argument,
                 "token id " + std::to_string(id) + " is outside the vocabulary of " +
                     std::to_string(vocabulary)};
  }
  FACET_TRY(std::vector<float> out, parts_->runtime->backend().embed(ids));
  if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); })) {
    return Error{Code::invalid_data, "the model's vector is not finite"};
  }
  return out;
}

Result<GenerateResult> Engine::generate(Sequence& sequence,
                                        const GenerateRequest& request,
                                        const TextSink& sink) const {
  FACET_CHECK(&sequence.state().runtime() == parts_->runtime.get());
  return engine::generate(sequence.state(), tokenizer(), request, sink);
}

}  // namespace facet::engine
