#include "engine/model/naming.h"

namespace facet::engine {

TensorNaming gguf_naming() {
  return {.embedding = "token_embd.weight",
          .output_norm = "output_norm.weight",
          .layer_prefix = "blk.",
          .attn_norm = "attn_norm.weight",
          .q = "attn_q.weight",
          .k = "attn_k.weight",
          .v = "attn_v.weight",
          .o = "attn_output.weight",
          .q_norm = "attn_q_norm.weight",
          .k_norm = "attn_k_norm.weight",
          .post_attn_norm = "post_attention_norm.weight",
          .ffn_norm = "ffn_norm.weight",
          .gate = "ffn_gate.weight",
          .up = "ffn_up.weight",
          .down = "ffn_down.weight",
          .post_ffn_norm = "post_ffw_norm.weight",
          .dense2 = "dense_2.weight",
          .dense3 = "dense_3.weight",
          .norm_offset = 0.0F};
}

TensorNaming hf_naming(std::string_view prefix) {
  const std::string front(prefix);
  return {.embedding = front + "embed_tokens.weight",
          .output_norm = front + "norm.weight",
          .layer_prefix = front + "layers.",
          .attn_norm = "input_layernorm.weight",
          .q = "self_attn.q_proj.weight",
          .k = "self_attn.k_proj.weight",
          .v = "self_attn.v_proj.weight",
          .o = "self_attn.o_proj.weight",
          .q_norm = "self_attn.q_norm.weight",
          .k_norm = "self_attn.k_norm.weight",
          .post_attn_norm = "post_attention_layernorm.weight",
          .ffn_norm = "pre_feedforward_layernorm.weight",
          .gate = "mlp.gate_proj.weight",
          .up = "mlp.up_proj.weight",
          .down = "mlp.down_proj.weight",
          .post_ffn_norm = "post_feedforward_layernorm.weight",
          .dense2 = "2_Dense/linear.weight",
          .dense3 = "3_Dense/linear.weight",
          .norm_offset = 1.0F};
}

}  // namespace facet::engine
