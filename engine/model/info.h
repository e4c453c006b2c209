// ModelInfo: facts about a loaded model that people and stores ask for.
#pragma once

#include "engine/model/plan_weights.h"
#include "engine/model/slot_weights.h"
#include "engine/model/thesaurus.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace facet::engine {

/// Facts about a loaded model, for `models inspect`, doctor and store keys. Model fills what the
/// files say; Engine adds cpu_path and the kv_ fields, which depend on how it runs.
struct ModelInfo {
  std::string name;
  std::string architecture;  ///< "gemma3" or "gemma-embedding".
  std::string identity;      ///< Hash over config and tensor table: equal files, equal string.
  std::string cpu_path;      ///< "avx512", "avx2" or "portable": what was chosen at start.
  std::string device;        ///< "cpu", or "cuda:0 (NVIDIA H200)": where it runs; filled by Engine.
  /// Why "auto" did not take the CUDA device; empty where that does not apply.
  std::string device_note;
  /// Why pictures are read on the CPU although text is not; empty where that is not so.
  std::string vision_note;
  std::string weight_types;  ///< e.g. "Q8_0 x57, F32 x49".
  /// The Jinja text of the file's own chat template; empty where it has none. Never run.
  std::string chat_template;
  /// Why weights that are worth it are not in huge pages; empty where they are, or are too small.
  std::string weights_note;
  std::int64_t parameters = 0;
  std::int64_t weight_bytes = 0;
  std::int64_t context_tokens_max = 0;
  std::int64_t kv_bytes_per_token = 0;  ///< Global layers only.
  std::int64_t kv_bytes_fixed = 0;      ///< The rings of the sliding layers.
  int layers = 0;
  int hidden = 0;
  int vocabulary = 0;
  int embedding_dim = 0;  ///< 0 for a generator.
  int image_tokens = 0;   ///< Of one image, filled by Engine; 0: the model reads text only.
  /// Stands for each of them in ids of the reference's processor (image_token_index, else 262144).
  int image_placeholder = 262144;
  bool is_embedder = false;
  /// Weight of an embedder's ranking beside full-text search's 1; key "facet.search_weight".
  double search_weight = 1.0;
  /// Trained to answer in the words of passages; key "facet.quotes_answers".
  bool quotes_answers = false;
  /// Trained to copy the arguments of calls; key "facet.copies_arguments".
  bool copies_arguments = false;
  /// The most tools that should be declared to it at once; 0: as many as fit. Key
  /// "facet.tools_declared_max".
  int tools_declared_max = 0;
  /// The longest text that it was trained on, where that is less than its context; 0: not known.
  /// Key "facet.trained_tokens_max".
  std::int64_t trained_tokens_max = 0;
  bool plans_first = false;  ///< Trained to begin with a plan when asked; key "facet.plan_first".
  std::optional<PlanWeights> plan_weights;          ///< Nullopt: a plan is what the model says.
  std::shared_ptr<const SlotWeights> slot_weights;  ///< Null: arguments are what the model says.
  std::shared_ptr<const Thesaurus> thesaurus;       ///< Null: no words are alike.
  /// A quoted answer is the refusal where the model gives that at least this probability; 0: where
  /// it is what the model says. Key "facet.refusal_min".
  double refusal_min = 0.0;
};

}  // namespace facet::engine
