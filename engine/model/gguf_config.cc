#include "engine/model/gguf_config.h"

#include "base/checked.h"
#include "engine/model/in_quotes.h"

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::int64_t kGlobalEvery = 6;
constexpr double kLocalTheta = 1e4;
constexpr double kGlobalTheta = 1e6;
constexpr int kLayersOf27b = 62;
constexpr int kPoolingMean = 1;

Error invalid(std::string message) {
  return Error{Code::invalid_data, std::move(message)};
}

Error unsupported(std::string message) {
  return Error{Code::unsupported, std::move(message)};
}

/// Reads keys below the architecture's name.
class Keys {
 public:
  Keys(const Gguf& gguf, std::string_view architecture)
      : gguf_(gguf), prefix_(std::string(architecture) + ".") {}

  [[nodiscard]] std::string name(std::string_view key) const { return prefix_ + std::string(key); }

  [[nodiscard]] Result<int> need_int(std::string_view key) const {
    FACET_TRY(const std::int64_t value, gguf_.need_integer(name(key)));
    const auto narrow = checked_cast<int>(value);
    if (!narrow) return invalid("key '" + name(key) + "' is " + std::to_string(value));
    return *narrow;
  }
  [[nodiscard]] Result<int> int_or(std::string_view key, int otherwise) const {
    if (gguf_.find(name(key)) == nullptr) return otherwise;
    return need_int(key);
  }
  [[nodiscard]] Result<double> number_or(std::string_view key, double otherwise) const {
    FACET_TRY(const auto value, gguf_.number(name(key)));
    return value.value_or(otherwise);
  }
  [[nodiscard]] const Gguf& gguf() const { return gguf_; }

 private:
  const Gguf& gguf_;
  std::string prefix_;
};

/// Which layers slide: from a period, from one flag per layer, or every sixth one global. None in a
/// generator's file that states neither a window nor which layers have it (as in llama.cpp; such
/// relatives of Gemma 3 exist).
Result<std::vector<bool>> sliding_layers(const Keys& keys, int layers, bool is_embedder) {
  const std::string name = keys.name("attention.sliding_window_pattern");
  const GgufValue* value = keys.gguf().find(name);
  std::int64_t period = kGlobalEvery;
  if (value == nullptr && !is_embedder &&
      keys.gguf().find(keys.name("attention.sliding_window")) == nullptr) {
    period = 1;
  }
  if (value != nullptr && std::holds_alternative<std::int64_t>(*value)) {
    period = std::get<std::int64_t>(*value);
    if (period < 1) return invalid("key '" + name + "' is " + std::to_string(period));
  } else if (value != nullptr) {
    const auto* array = std::get_if<GgufArray>(value);
    const auto* flags = array == nullptr ? nullptr : std::get_if<std::vector<std::int64_t>>(array);
    if (flags == nullptr || flags->size() != static_cast<std::size_t>(layers)) {
      return invalid("key '" + name + "' is neither a period nor one flag per layer");
    }
    return std::vector<bool>(flags->begin(), flags->end());
  }
  std::vector<bool> out(static_cast<std::size_t>(layers));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = (static_cast<std::int64_t>(i) + 1) % period != 0;
  }
  return out;
}

/// The divisor of positions on global layers. As in llama.cpp a factor without a type is linear,
/// and old files have it under another name.
Result<double> rope_divisor(const Keys& keys) {
  FACET_TRY(const auto type, keys.gguf().string(keys.name("rope.scaling.type")));
  FACET_TRY(const double old_factor, keys.number_or("rope.scale_linear", 1.0));
  FACET_TRY(const double factor, keys.number_or("rope.scaling.factor", old_factor));
  if (type && *type == "none") return 1.0;
  if (!type || *type == "linear") return factor;
  return unsupported("rope scaling " + in_quotes(*type) + "; linear and none are read");
}

Status refuse_softcaps(const Keys& keys) {
  for (const std::string_view key : {"final_logit_softcapping", "attn_logit_softcapping"}) {
    FACET_TRY(const double cap, keys.number_or(key, 0.0));
    if (cap != 0.0) return unsupported(keys.name(key) + " is " + std::to_string(cap));
  }
  return ok();
}

/// What all layers have in common.
Result<LayerSpec> read_layer_base(const Keys& keys, const ModelConfig& config, int layers) {
  LayerSpec out;
  FACET_TRY(out.heads, keys.need_int("attention.head_count"));
  if (out.heads < 1) return invalid("head count is " + std::to_string(out.heads));
  FACET_TRY(out.kv_heads, keys.int_or("attention.head_count_kv", out.heads));
  FACET_TRY(out.head_dim, keys.int_or("attention.key_length", config.hidden / out.heads));
  FACET_TRY(const int value_dim, keys.int_or("attention.value_length", out.head_dim));
  if (value_dim != out.head_dim) {
    return unsupported("value length " + std::to_string(value_dim) + " beside key length " +
                       std::to_string(out.head_dim));
  }
  FACET_TRY(out.ffn, keys.need_int("feed_forward_length"));
  const double width =
      layers == kLayersOf27b ? static_cast<double>(config.hidden) / out.heads : out.head_dim;
  FACET_TRY(const double scale, keys.number_or("attention.scale", 1.0 / std::sqrt(width)));
  out.attention_scale = static_cast<float>(scale);
  out.causal = !config.is_embedder;
  return out;
}

Status read_layers(const Keys& keys, ModelConfig& config) {
  FACET_TRY(const int layers, keys.need_int("block_count"));
  if (layers < 1 || layers > ConfigLimits().layers_max) {
    return invalid("key '" + keys.name("block_count") + "' is " + std::to_string(layers));
  }
  FACET_TRY(const LayerSpec base, read_layer_base(keys, config, layers));
  FACET_TRY(const std::vector<bool> sliding, sliding_layers(keys, layers, config.is_embedder));
  FACET_TRY(const double global_theta, keys.number_or("rope.freq_base", kGlobalTheta));
  // Two converters write the local base, each under a name of its own; most files leave it out.
  FACET_TRY(double local_theta, keys.number_or("rope.local.freq_base", kLocalTheta));
  FACET_TRY(local_theta, keys.number_or("rope.freq_base_swa", local_theta));
  FACET_TRY(const double divisor, rope_divisor(keys));
  for (const bool slides : sliding) {
    LayerSpec layer = base;
    layer.rope_theta = slides ? local_theta : global_theta;
    layer.rope_divisor = slides ? 1.0 : divisor;
    if (slides) {
      FACET_TRY(const int window, keys.need_int("attention.sliding_window"));
      if (window < 1) return invalid("sliding window is " + std::to_string(window));
      layer.window = layer.causal ? window : window / 2 + 1;
    }
    config.layers.push_back(layer);
  }
  return ok();
}

Status read_embedder(const Keys& keys, ModelConfig& config) {
  FACET_TRY(const int pooling, keys.int_or("pooling_type", kPoolingMean));
  if (pooling != kPoolingMean) {
    return unsupported("pooling type " + std::to_string(pooling) + "; mean (1) is read");
  }
  FACET_TRY(const auto search_weight, keys.gguf().number("facet.search_weight"));
  config.search_weight = search_weight.value_or(config.search_weight);
  config.embedding_dim = config.hidden;
  const StoredTensor* dense2 = keys.gguf().tensors().find("dense_2.weight");
  const StoredTensor* dense3 = keys.gguf().tensors().find("dense_3.weight");
  if (dense2 == nullptr && dense3 == nullptr) return ok();
  if (dense2 == nullptr || dense3 == nullptr || dense2->shape.size() != 2 ||
      dense3->shape.size() != 2) {
    return invalid("dense_2.weight and dense_3.weight are not two matrices");
  }
  config.dense_hidden = checked_cast<int>(dense2->shape[0]).value_or(-1);
  config.embedding_dim = checked_cast<int>(dense3->shape[0]).value_or(-1);
  return ok();
}

/// The tokens that end an answer.
Status read_stop_ids(const Gguf& gguf, ModelConfig& config) {
  for (const std::string_view key : {"tokenizer.ggml.eos_token_id",
                                     "tokenizer.ggml.eot_token_id",
                                     "tokenizer.ggml.eom_token_id"}) {
    FACET_TRY(const auto id, gguf.integer(key));
    if (!id) continue;
    if (*id < 0 || *id >= config.vocabulary) {
      return invalid("key '" + std::string(key) + "' is " + std::to_string(*id) +
                     ", the vocabulary has " + std::to_string(config.vocabulary) + " tokens");
    }
    config.stop_ids.push_back(static_cast<std::int32_t>(*id));
  }
  return ok();
}

template <typename T>
Result<const std::vector<T>*> need_array(const Gguf& gguf, std::string_view key) {
  const GgufValue* value = gguf.find(key);
  if (value == nullptr) return invalid("key '" + std::string(key) + "' is missing");
  const auto* array = std::get_if<GgufArray>(value);
  const auto* out = array == nullptr ? nullptr : std::get_if<std::vector<T>>(array);
  if (out == nullptr) return invalid("key '" + std::string(key) + "' has the wrong type");
  return out;
}

Result<TokenId> token_id(const Gguf& gguf, std::string_view key, TokenId otherwise) {
  FACET_TRY(const auto value, gguf.integer(key));
  if (!value) return otherwise;
  const auto id = checked_cast<TokenId>(*value);
  if (!id) return invalid("key '" + std::string(key) + "' is " + std::to_string(*value));
  return *id;
}

/// llama.cpp's converter writes user-defined pieces with plain spaces; SentencePiece wants U+2581.
std::string with_space_marks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += "\xE2\x96\x81";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

Result<std::vector<Piece>> read_pieces(const Gguf& gguf) {
  FACET_TRY(const auto* tokens, need_array<std::string_view>(gguf, "tokenizer.ggml.tokens"));
  FACET_TRY(const auto* scores, need_array<double>(gguf, "tokenizer.ggml.scores"));
  FACET_TRY(const auto* types, need_array<std::int64_t>(gguf, "tokenizer.ggml.token_type"));
  if (scores->size() != tokens->size() || types->size() != tokens->size()) {
    return invalid("the tokenizer has " + std::to_string(tokens->size()) + " tokens, " +
                   std::to_string(scores->size()) + " scores and " + std::to_string(types->size()) +
                   " types");
  }
  std::vector<Piece> out;
  out.reserve(tokens->size());
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    const std::int64_t type = (*types)[i];
    if (type < 1 || type > 6) {
      return invalid("token " + std::to_string(i) + " has type " + std::to_string(type));
    }
    out.push_back(Piece{.text = with_space_marks((*tokens)[i]),
                        .score = static_cast<float>((*scores)[i]),
                        .type = static_cast<Piece::Type>(type)});
  }
  return out;
}

Result<int> tools_declared_max(const Gguf& gguf) {
  constexpr std::int64_t kMost = 16'384;  // As many as a session can have.
  FACET_TRY(const auto tools, gguf.integer("facet.tools_declared_max"));
  if (tools && (*tools < 1 || *tools > kMost)) {
    return invalid("facet.tools_declared_max is " + std::to_string(*tools));
  }
  return static_cast<int>(tools.value_or(0));
}

Result<std::int64_t> trained_tokens_max(const Gguf& gguf) {
  FACET_TRY(const auto tokens, gguf.integer("facet.trained_tokens_max"));
  if (tokens && *tokens < 1) {
    return invalid("facet.trained_tokens_max is " + std::to_string(*tokens));
  }
  return tokens.value_or(0);
}

Result<double> refusal_min(const Gguf& gguf) {
  FACET_TRY(const auto bound, gguf.number("facet.refusal_min"));
  if (bound && !(*bound > 0.0 && *bound <= 1.0)) {
    return invalid("facet.refusal_min is " + std::to_string(*bound) + ", expected above 0, to 1");
  }
  return bound.value_or(0.0);
}

Result<std::optional<PlanWeights>> plan_weights(const Gguf& gguf) {
  constexpr double kMost = 100.0;
  PlanWeights out;
  const std::pair<std::string_view, double*> keys[] = {{"facet.plan.model", &out.model},
                                                       {"facet.plan.answer", &out.answer},
                                                       {"facet.plan.words", &out.words},
                                                       {"facet.plan.cover", &out.cover},
                                                       {"facet.plan.parameters", &out.parameters},
                                                       {"facet.plan.filled", &out.filled},
                                                       {"facet.plan.open", &out.open},
                                                       {"facet.plan.number", &out.number},
                                                       {"facet.plan.name", &out.name},
                                                       {"facet.plan.left", &out.left}};
  std::string_view missing;
  int found = 0;
  for (const auto& [key, weight] : keys) {
    FACET_TRY(const auto value, gguf.number(key));
    if (!value) {
      missing = key;
      continue;
    }
    if (!(std::abs(*value) <= kMost)) {
      return invalid(std::string(key) + " is " + std::to_string(*value) + ", expected -100 to 100");
    }
    *weight = *value;
    ++found;
  }
  if (found == 0) return std::optional<PlanWeights>();
  if (!missing.empty()) return invalid(std::string(missing) + " is missing beside others");
  return std::optional(out);
}

Result<std::shared_ptr<const SlotWeights>> slot_weights(const Gguf& gguf) {
  constexpr std::size_t kMost = std::size_t{1} << 22U;
  constexpr double kScaleMost = 100.0;
  const bool has_table = gguf.find("facet.slots.table") != nullptr;
  FACET_TRY(const auto scale, gguf.number("facet.slots.scale"));
  FACET_TRY(const auto share, gguf.number("facet.slots.share"));
  if (!has_table && !scale && !share) return std::shared_ptr<const SlotWeights>();
  FACET_TRY(const auto* table, need_array<std::int64_t>(gguf, "facet.slots.table"));
  FACET_TRY(const double by, gguf.need_number("facet.slots.scale"));
  FACET_TRY(const double counts, gguf.need_number("facet.slots.share"));
  if (!std::has_single_bit(table->size()) || table->size() > kMost) {
    return invalid("facet.slots.table has " + std::to_string(table->size()) +
                   " numbers, expected a power of two to " + std::to_string(kMost));
  }
  for (const auto& [name, value] : {std::pair("scale", by), std::pair("share", counts)}) {
    if (!(value > 0.0 && value <= kScaleMost)) {
      return invalid(std::string("facet.slots.") + name + " is " + std::to_string(value) +
                     ", expected above 0, to 100");
    }
  }
  auto out = std::make_shared<SlotWeights>(SlotWeights{.scale = by, .share = counts});
  out->table.reserve(table->size());
  for (const std::int64_t one : *table) {
    const auto weight = checked_cast<std::int8_t>(one);
    if (!weight) return invalid("facet.slots.table holds " + std::to_string(one));
    out->table.push_back(*weight);
  }
  return std::shared_ptr<const SlotWeights>(std::move(out));
}

Result<std::shared_ptr<const Thesaurus>> thesaurus(const Gguf& gguf) {
  constexpr std::string_view kKey = "facet.thesaurus.pairs";
  constexpr std::size_t kMost = std::size_t{1} << 22U;
  if (gguf.find(kKey) == nullptr) return std::shared_ptr<const Thesaurus>();
  FACET_TRY(const auto* pairs, need_array<std::int64_t>(gguf, kKey));
  if (pairs->size() > kMost) {
    return invalid(std::string(kKey) + " has " + std::to_string(pairs->size()) +
                   " numbers, expected " + std::to_string(kMost) + " at most");
  }
  auto out = std::make_shared<Thesaurus>();
  out->pairs.reserve(pairs->size());
  for (const std::int64_t one : *pairs) {
    if (one < 0 || (!out->pairs.empty() && static_cast<std::uint64_t>(one) <= out->pairs.back())) {
      return invalid(std::string(kKey) + " does not rise at " + std::to_string(one));
    }
    out->pairs.push_back(static_cast<std::uint64_t>(one));
  }
  return std::shared_ptr<const Thesaurus>(std::move(out));
}

}  // namespace

Result<ModelConfig> read_gguf_config(const Gguf& gguf, bool with_tokenizer) {
  FACET_TRY(const std::string_view architecture, gguf.need_string("general.architecture"));
  ModelConfig config;
  config.architecture = std::string(architecture);
  config.is_embedder = architecture == "gemma-embedding";
  if (architecture != "gemma3" && !config.is_embedder) {
    return unsupported("architecture " + in_quotes(architecture) +
                       "; gemma3 and gemma-embedding are read");
  }
  const Keys keys(gguf, architecture);
  FACET_TRY(const auto name, gguf.string("general.name"));
  config.name = std::string(name.value_or(""));
  FACET_TRY(const auto plans_first, gguf.boolean("facet.plan_first"));
  config.plans_first = plans_first.value_or(false);
  FACET_TRY(const auto quotes_answers, gguf.boolean("facet.quotes_answers"));
  config.quotes_answers = quotes_answers.value_or(false);
  FACET_TRY(const auto copies_arguments, gguf.boolean("facet.copies_arguments"));
  config.copies_arguments = copies_arguments.value_or(false);
  FACET_TRY(config.tools_declared_max, tools_declared_max(gguf));
  FACET_TRY(config.trained_tokens_max, trained_tokens_max(gguf));
  FACET_TRY(config.plan_weights, plan_weights(gguf));
  FACET_TRY(config.slot_weights, slot_weights(gguf));
  FACET_TRY(config.thesaurus, thesaurus(gguf));
  FACET_TRY(config.refusal_min, refusal_min(gguf));
  FACET_TRY(config.hidden, keys.need_int("embedding_length"));
  FACET_TRY(config.context_tokens_max, gguf.need_integer(keys.name("context_length")));
  FACET_TRY(const double eps, keys.number_or("attention.layer_norm_rms_epsilon", 1e-6));
  config.norm_eps = static_cast<float>(eps);
  config.embedding_scale = std::sqrt(static_cast<float>(config.hidden));
  FACET_TRY_STATUS(refuse_softcaps(keys));
  FACET_TRY_STATUS(read_layers(keys, config));
  if (with_tokenizer) {
    FACET_TRY(const auto* tokens, need_array<std::string_view>(gguf, "tokenizer.ggml.tokens"));
    config.vocabulary = checked_cast<int>(tokens->size()).value_or(-1);
  } else if (const StoredTensor* rows = gguf.tensors().find("token_embd.weight")) {
    config.vocabulary = checked_cast<int>(rows->shape.front()).value_or(-1);
  }
  FACET_TRY_STATUS(read_stop_ids(gguf, config));
  if (config.is_embedder) FACET_TRY_STATUS(read_embedder(keys, config));
  FACET_TRY_STATUS(check_config(config));
  return config;
}

Result<Vocabulary> read_gguf_vocabulary(const Gguf& gguf) {
  FACET_TRY(const std::string_view model, gguf.need_string("tokenizer.ggml.model"));
  if (model != "llama") {
    return unsupported("tokenizer " + in_quotes(model) + "; llama (SentencePiece) is read");
  }
  // The family never adds a space in front, so a file that does not say is taken to mean that.
  FACET_TRY(const auto space_prefix, gguf.boolean("tokenizer.ggml.add_space_prefix"));
  if (space_prefix.value_or(false)) return unsupported("tokenizer.ggml.add_space_prefix is true");
  Vocabulary out;
  FACET_TRY(out.pieces, read_pieces(gguf));
  FACET_TRY(out.bos, token_id(gguf, "tokenizer.ggml.bos_token_id", out.bos));
  FACET_TRY(out.eos, token_id(gguf, "tokenizer.ggml.eos_token_id", out.eos));
  FACET_TRY(out.pad, token_id(gguf, "tokenizer.ggml.padding_token_id", out.pad));
  FACET_TRY(const auto add_bos, gguf.boolean("tokenizer.ggml.add_bos_token"));
  FACET_TRY(const auto add_eos, gguf.boolean("tokenizer.ggml.add_eos_token"));
  FACET_TRY(const auto architecture, gguf.string("general.architecture"));
  out.add_bos = add_bos.value_or(true);
  out.add_eos = add_eos.value_or(architecture.value_or("") == "gemma-embedding");
  return out;
}

}  // namespace facet::engine
