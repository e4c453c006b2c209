// Engine: tokens in, tokens and vectors out. Knows nothing of messages, tools or documents.
//
//   auto engine = Engine::load({.model = "gemma.gguf"});
//   Sequence sequence = (*engine)->new_sequence();
//   sequence.append(ids);
//   auto result = (*engine)->generate(sequence, request, sink);
#pragma once

#include "base/result.h"
#include "engine/cpu/machine_limits.h"
#include "engine/cuda/weight_form.h"
#include "engine/kv/kv_type.h"
#include "engine/kv/prefix_stats.h"
#include "engine/model/cost.h"
#include "engine/model/info.h"
#include "engine/sampling/constraint.h"
#include "engine/sampling/sampler.h"
#include "engine/tokenizer/tokenizer.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::engine {

/// Fewer than what a rewind gives back for nothing (kRewindFreeTokens).
inline constexpr int kDraftTokensMax = 32;

namespace cuda {
struct CudaSupport;  // engine/cuda/support.h
struct MemoryPlan;   // engine/cuda/plan.h
struct PlanOptions;
}  // namespace cuda

struct EngineOptions {
  /// A GGUF file, or a folder with config.json, *.safetensors and tokenizer.model.
  std::filesystem::path model;
  /// An mmproj GGUF file with the model's vision tower; empty: the one in a model folder, if any.
  std::filesystem::path vision;
  int threads = 0;                      ///< 0: one per core.
  std::int64_t context_tokens_max = 0;  ///< 0: what the model states, which is also the most.
  /// 1 to 4096; a stop is looked for between chunks. Not set: 128, or 2048 on a CUDA device.
  std::optional<std::int64_t> prefill_chunk_tokens;
  /// The most that remembered sequences hold (kv/prefix_tree.h); 0: nothing is remembered.
  std::int64_t prefix_bytes_max = std::int64_t{512} << 20;
  /// The most guesses, copied from the sequence itself where its end stood before (n-gram lookup,
  /// sampling/drafts.h), that a step of generate() checks beside its token; 0 to kDraftTokensMax,
  /// 0: none. Fewer where they do not pay. On the CPU the output is the same with any number, bit
  /// for bit.
  int draft_tokens_max = 8;
  /// How keys and values are kept (kv/kv_type.h). Not set: f32, or bf16 on a CUDA device.
  std::optional<KvType> kv_type;
  /// True: on the CPU the weights are copied into huge pages where the system offers them and has
  /// the memory (model/resident_weights.h); ModelInfo::weights_note says so where not. False: they
  /// are read where the file is mapped.
  bool huge_pages = true;
  /// True: activations stay f32 in every product. False: they are rounded in front of some weights,
  /// which is several times as fast: to 8 bits with a scale for every 32 for Q4_0 and Q8_0, to bf16
  /// for BF16 where the processor has products of it (Activations in ops.h).
  bool float_activations = false;
  /// False: no tokenizer is read (the files need none), and every row of the embedding is a token,
  /// the placeholders of multimodal files too. For checks that speak in ids.
  bool with_tokenizer = true;

  /// Where the model runs, as parse_device reads it (device.h); its vision tower too, where the
  /// device has room for it (ModelInfo::vision_note).
  std::string device;
  /// What the program has of CUDA (cuda/support.h), borrowed for the call; null: nothing, and
  /// "cuda" is unavailable.
  const cuda::CudaSupport* cuda = nullptr;
  cuda::WeightForm device_weights = cuda::WeightForm::stored;
  /// On a CUDA device: a sequence's bits depend on its tokens only, as they always do on the CPU,
  /// not on how it is cut and on who runs beside it. Prompts take many times as long.
  bool is_deterministic = false;
};

/// Called with the logits after one token. (vocabulary); valid during the call. An error ends the
/// work and is handed on.
using LogitsSink = std::function<Status(std::span<const float> logits)>;

class Model;          // engine/model/model.h: immutable weights, shared.
struct Image;         // engine/vision/image.h: 8-bit RGB.
struct SoftTokens;    // engine/vision/soft_tokens.h: an image as the text model takes it.
class SequenceState;  // KV cache, tokens and logits of one sequence.

/// How Sequence::append goes about it.
struct AppendOptions {
  /// Where `ids` hold the ids of the next of these (SoftTokens::ids), that image goes, as one chunk
  /// whose tokens see each other in both directions.
  std::span<const std::shared_ptr<const SoftTokens>> images;
  /// Ascending counts of `ids`, such as the ends of messages: behind that many the engine remembers
  /// the sequence. What lies inside an image is passed over.
  std::span<const std::size_t> boundaries;
  std::stop_token stop;
};

/// One context: the tokens so far with their KV. A value with one owner; move-only; copies are made
/// by name with fork(). Not thread-safe; different sequences may be used from different threads.
class Sequence {
 public:
  explicit Sequence(std::unique_ptr<SequenceState> state);
  Sequence(Sequence&&) noexcept;
  Sequence& operator=(Sequence&&) noexcept;
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;
  ~Sequence();

  /// Runs `ids` through the model behind what is there. limit_exceeded (naming both counts, nothing
  /// appended) when they do not fit the context or no memory is left for their keys and values;
  /// cancelled between chunks when a stop is asked for; unavailable when the device failed: the
  /// tokens of finished chunks stay appended.
  Status append(std::span<const TokenId> ids, const std::stop_token& stop = {});

  /// The same, and gives `sink` the logits after each of `ids`, in order. The tokens of finished
  /// chunks (16 here) stay appended when it ends early.
  Status append_scored(std::span<const TokenId> ids,
                       const LogitsSink& sink,
                       const std::stop_token& stop = {});

  /// append() of one token; its best successor, as in a greedy generation (invalid_data where the
  /// logits hold NaN). A CUDA device finds it and sends it in place of all logits, for which
  /// logits() then runs the token again; and it begins to compute the successor at once, for the
  /// call that appends it.
  Result<TokenId> append_greedily(TokenId id, const std::stop_token& stop = {});

  /// append() with images and boundaries. invalid_argument, and nothing appended, when ids and
  /// images do not match.
  Status append(std::span<const TokenId> ids, const AppendOptions& options);
  /// append_scored() with images, which have a row for each of their positions too; the rows of one
  /// image are held at once (256 of Gemma's vocabulary are 256 MiB). Boundaries are passed over.
  Status append_scored(std::span<const TokenId> ids,
                       const AppendOptions& options,
                       const LogitsSink& sink);

  /// Takes the place of an empty sequence: the longest beginning of `ids` that the engine
  /// remembers, images included, is there without being computed; bit for bit what append would
  /// have given. How many tokens that are; append the rest. Where `ids` leave what is remembered,
  /// append will remember the sequence in passing. REQUIRES: tokens().empty().
  std::size_t recall(std::span<const TokenId> ids);

  /// Lets the engine remember the sequence as it is now, for recall() of any other.
  void remember();

  /// Logits over the vocabulary after the last token. (vocabulary); valid until the next change.
  /// After a rewind, a cancelled append, or a generation on a device that ended otherwise than by a
  /// stop token or tokens_max, the last token is run once more to get them, which may fail as
  /// append does and then leaves the sequence without it. REQUIRES: !tokens().empty().
  [[nodiscard]] Result<std::span<const float>> logits() const;

  /// An independent sequence with the same tokens and KV.
  [[nodiscard]] Sequence fork() const;

  /// Drops everything behind the first `tokens` tokens; the result is exactly, bit for bit, as if
  /// the rest had never been there. Going back fewer than kRewindFreeTokens (kv/cache.h) behind the
  /// furthest point is free, as is any distance in a model without sliding layers. Further back,
  /// the windows are gone, and since their contents depend through the layers on ever earlier
  /// tokens, everything behind the last remembered place is run again (and counted): keep a fork(),
  /// or remember(), where you mean to come back.
  /// The logits at the end of an image need the window of its beginning, which is as far back.
  /// invalid_argument when `tokens` is more than tokens().size() or inside an image.
  Status rewind(std::size_t tokens);

  /// Writes tokens and KV to `path` (temporary file, sync, rename), checksummed and keyed by the
  /// model's identity and by `format`: what the tokens were written with, such as a dialect's name
  /// and version. At most 256 bytes.
  Status save(const std::filesystem::path& path, std::string_view format = {}) const;

  /// Ids below 0 are positions of images, made from their content: equal ids, equal images.
  [[nodiscard]] std::span<const TokenId> tokens() const;
  /// Tokens that have gone through the forward pass in this sequence's life, forks counted from 0:
  /// the proof that nothing is computed twice.
  [[nodiscard]] std::int64_t computed_tokens() const;

  [[nodiscard]] SequenceState& state() { return *state_; }

 private:
  std::unique_ptr<SequenceState> state_;
};

/// Called with each piece of text as it becomes certain. Return false to cancel.
using TextSink = std::function<bool(std::string_view text, TokenId id)>;

enum class FinishReason { stop, length, cancelled, timeout };
std::string_view finish_reason_name(FinishReason reason);

struct GenerateRequest {
  std::int64_t tokens_max = 256;
  SamplingOptions sampling;
  std::vector<TokenId> stop_ids;  ///< The stop token is appended to the sequence and to ids.
  /// Borrowed; may be null. Tokens that it leaves no choice about are appended in one pass without
  /// sampling. Where tokens_max has room for a shortest completion, it is always completed.
  Constraint* constraint = nullptr;
  std::optional<int> draft_tokens_max;  ///< In place of EngineOptions::draft_tokens_max.
  /// False: tokens are chosen from all logits even where the device finds the best of them. The
  /// same tokens, but a megabyte comes from the device for each.
  bool candidates = true;
  bool jump_forward = true;       ///< False: forced tokens are sampled like all others.
  bool text_with_control = true;  ///< Spell control tokens in text (parsers need them).
  std::stop_token stop;
  std::chrono::milliseconds time_max{0};  ///< 0: none.
};

struct GenerateResult {
  std::vector<TokenId> ids;  ///< All sampled tokens, the stop token last when there is one.
  std::string text;          ///< Without the stop token.
  /// length also where the constraint brought the output to its end for want of room.
  FinishReason finish_reason = FinishReason::stop;
  std::size_t forced_tokens = 0;    ///< Of ids, those that the constraint left no choice about.
  std::int64_t drafted_tokens = 0;  ///< Guesses that were computed,
  std::int64_t accepted_draft_tokens = 0;  ///< and those of them that are in ids.
  double decode_ms = 0.0;
};

/// A loaded model with its thread pool. Thread-safe for different sequences.
class Engine {
 public:
  /// Loads and checks every tensor. not_found, invalid_data, unsupported as the file deserves; the
  /// message names file, tensor and value. invalid_argument for options out of range. The
  /// environment variable FACET_CPU (amx, avx512, avx2, portable) forces an instruction set:
  /// invalid_argument for another name, unsupported where this machine cannot run it. unavailable
  /// when the device cannot be had or is too small, saying what to do; with "auto" the model then
  /// runs on the CPU, and info().device_note says why.
  static Result<std::shared_ptr<Engine>> load(const EngineOptions& options);

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  [[nodiscard]] const ModelInfo& info() const;
  [[nodiscard]] int threads() const;
  /// What appending `tokens` tokens behind `depth` others reads and computes.
  /// REQUIRES: !info().is_embedder, tokens >= 1.
  [[nodiscard]] PassCost append_cost(std::int64_t depth, std::int64_t tokens) const;
  /// What this machine can do with the engine's threads and instructions; measures for a second.
  [[nodiscard]] MachineLimits machine_limits() const;
  /// What the model needs of a CUDA device's memory, in vision_bytes what its tower takes besides,
  /// and the longest context that fits `device_bytes` without it. rows_max 0: Engine::load's.
  [[nodiscard]] cuda::MemoryPlan device_plan(const cuda::PlanOptions& options) const;
  [[nodiscard]] std::int64_t device_context(const cuda::PlanOptions& options,
                                            std::int64_t device_bytes) const;
  /// REQUIRES: loaded with_tokenizer.
  [[nodiscard]] const Tokenizer& tokenizer() const;

  /// An empty sequence. REQUIRES: !info().is_embedder.
  [[nodiscard]] Sequence new_sequence() const;

  /// Reads what Sequence::save wrote. invalid_data for a broken file, unsupported for another
  /// version, another model or another format.
  [[nodiscard]] Result<Sequence> restore(const std::filesystem::path& path,
                                         std::string_view format = {}) const;

  /// What is remembered of this engine's sequences, and how often that was of use.
  [[nodiscard]] PrefixStats prefix_stats() const;

  /// Samples until a stop id, tokens_max, the context's end, the deadline or a stop. Every sampled
  /// token is appended to `sequence` (its KV is there when this returns). Cancel, length and
  /// timeout are finish reasons, not errors. invalid_argument for options out of range or an empty
  /// sequence; invalid_data when the model gives NaN or the constraint leaves no token: what was
  /// sampled before stays in the sequence. REQUIRES: loaded with_tokenizer.
  Result<GenerateResult> generate(Sequence& sequence,
                                  const GenerateRequest& request,
                                  const TextSink& sink = {}) const;

  /// The soft tokens of a picture, resized to the tower's square; see preprocess.h for crops. Takes
  /// seconds to minutes on a CPU. unsupported when the model reads text only, invalid_data when its
  /// tower gives values that are not finite.
  [[nodiscard]] Result<std::shared_ptr<const SoftTokens>> encode_image(const Image& image) const;

  /// The L2-normalised vector of `ids` (bos and eos included by the caller). (embedding_dim)
  /// REQUIRES: info().is_embedder. limit_exceeded when longer than the context.
  [[nodiscard]] Result<std::vector<float>> embed(std::span<const TokenId> ids) const;

 private:
  struct Parts;
  explicit Engine(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace facet::engine
