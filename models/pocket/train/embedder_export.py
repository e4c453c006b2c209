"""Writes the trained embedder as GGUF (Q8_0) and as a Hugging Face folder, and reads the GGUF back.

  python3 embedder_export.py --checkpoint full.pt --tokenizer tokenizer.model --gguf embedder.gguf \
      --golden tests/golden/embedder_golden.json
  python3 embedder_export.py --checkpoint full.pt --tokenizer tokenizer.model --hf FOLDER --check
  python3 embedder_export.py --restate embedder.gguf --search-weight 0.1

The golden file holds token ids and the first components of five texts, computed in float32 from the
dequantised weights of the GGUF. `--check` compares this model with transformers' Gemma3TextModel on
the exported folder and prints the largest difference. `--restate` changes only what an existing GGUF
states about the weight of its ranking beside BM25's 1 in a fused search.
"""

import argparse
import json
import os
import shutil
import struct

import gguf
import numpy as np
import sentencepiece
import torch

from embedder_model import Embedder, EmbedderConfig

ARCH = "gemma-embedding"
SEARCH_WEIGHT_KEY = "facet.search_weight"
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_feedforward_layernorm": "post_ffw_norm",
}
GOLDEN_TEXTS = [
    "task: search result | query: Who approves travel over 2,000 EUR?",
    "title: none | text: Mars, known for its reddish appearance, is often called the Red Planet.",
    "title: Opening hours | text: The library opens at 9:30 on weekdays.\n\n\tCafé: 10–16 Uhr, 图书馆 🙂.",
    "",
    "title: Log | text: " + " ".join(
        f"Entry {i}: sensor {i * 37 % 101} read {i * i % 89} degrees in hall {chr(65 + i * 5 % 26)}."
        for i in range(45)
    ),
]


def gguf_name(name):
    """GGUF tensor name of a parameter of Embedder."""
    fixed = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
    if name in fixed or name.startswith("dense_"):
        return fixed.get(name, name)
    _, index, rest = name.split(".", 2)
    return f"blk.{index}.{LAYER_NAMES[rest.removesuffix('.weight')]}.weight"


def write_gguf(path, model, tokenizer_path, search_weight):
    config = model.config
    writer = gguf.GGUFWriter(path + ".tmp", ARCH)
    writer.add_name("Facet pocket embedder")
    writer.add_description("Small text embedder in the EmbeddingGemma architecture")
    writer.add_license("Apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_float32(f"{ARCH}.rope.local.freq_base", config.rope_local_base_freq)
    writer.add_sliding_window(config.sliding_window)
    writer.add_uint32(f"{ARCH}.attention.sliding_window_pattern", config.sliding_window_pattern)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_dense_features_dims("dense_2", config.hidden_size, config.dense_size)
    writer.add_dense_features_dims("dense_3", config.dense_size, config.hidden_size)
    writer.add_float32(SEARCH_WEIGHT_KEY, search_weight)
    add_tokenizer(writer, tokenizer_path)
    for name, parameter in model.named_parameters():
        values = parameter.detach().float().numpy()
        if values.ndim == 1:
            writer.add_tensor(gguf_name(name), (values + 1.0).astype(np.float32))
        else:
            blocks = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(gguf_name(name), blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(path + ".tmp", path)


def restate(path, search_weight):
    """Writes `path` anew with another search weight; all else, tensors included, stays bit for bit."""
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(path + ".tmp", ARCH)
    for field in reader.fields.values():
        # The architecture is written by the constructor, the header's counts by the writer.
        if field.name in ("general.architecture", SEARCH_WEIGHT_KEY) or field.name.startswith("GGUF."):
            continue
        element = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=element)
    writer.add_float32(SEARCH_WEIGHT_KEY, search_weight)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(path + ".tmp", path)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of each field of a protobuf message; the few wire types of tokenizer.model."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        elif key & 7 == 5:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            raise ValueError(f"tokenizer.model: wire type {key & 7} at byte {at}")
        yield key >> 3, value


def add_tokenizer(writer, tokenizer_path):
    """SentencePiece pieces (field 1: text, score, type; type 1, normal, is left out of the file)."""
    with open(tokenizer_path, "rb") as handle:
        pieces = [dict(fields(value)) for number, value in fields(handle.read()) if number == 1]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([p[1] for p in pieces])
    writer.add_token_scores([p.get(2, 0.0) for p in pieces])
    writer.add_token_types([p.get(3, 1) for p in pieces])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(3)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    writer.add_add_space_prefix(False)


def load_gguf(path, tokenizer_path=None):
    """(Embedder with dequantised float32 weights, SentencePieceProcessor) of a GGUF written here."""
    reader = gguf.GGUFReader(path)

    def field(name):
        return reader.get_field(f"{ARCH}.{name}").contents()

    config = EmbedderConfig(
        vocab_size=len(reader.get_field("tokenizer.ggml.tokens").data),
        hidden_size=field("embedding_length"),
        num_hidden_layers=field("block_count"),
        num_attention_heads=field("attention.head_count"),
        num_key_value_heads=field("attention.head_count_kv"),
        head_dim=field("attention.key_length"),
        intermediate_size=field("feed_forward_length"),
        sliding_window=field("attention.sliding_window"),
        sliding_window_pattern=field("attention.sliding_window_pattern"),
        rope_theta=field("rope.freq_base"),
        rope_local_base_freq=field("rope.local.freq_base"),
        max_position_embeddings=field("context_length"),
        dense_size=field("dense_2_feat_out"),
    )
    tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    model = Embedder(config)
    state = {}
    for name, parameter in model.named_parameters():
        values = torch.from_numpy(np.array(tensors[gguf_name(name)], dtype=np.float32))
        state[name] = values - 1.0 if parameter.ndim == 1 else values
    model.load_state_dict(state)
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer.model")
    return model.eval(), sentencepiece.SentencePieceProcessor(model_file=tokenizer_path or here)


def write_golden(path, gguf_path, tokenizer_path):
    model, tokenizer = load_gguf(gguf_path, tokenizer_path)
    cases = []
    for text in GOLDEN_TEXTS:
        ids = [2, *tokenizer.encode(text), 1]
        with torch.no_grad():
            vector = model(torch.tensor([ids]), torch.tensor([len(ids)]))[0]
        cases.append({"text": text, "ids": ids, "first": [round(v, 6) for v in vector[:8].tolist()]})
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"model": "models/pocket/embedder.gguf", "dimensions": model.config.hidden_size,
                   "cases": cases}, out, ensure_ascii=False, indent=1)
        out.write("\n")


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        json.dump(value, out, indent=2)
        out.write("\n")


def hf_config(config):
    kinds = ["sliding_attention", "full_attention"]
    return {
        "architectures": ["Gemma3TextModel"],
        "model_type": "gemma3_text",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate_size,
        "sliding_window": config.sliding_window,
        "layer_types": [kinds[config.is_global(i)] for i in range(config.num_hidden_layers)],
        "query_pre_attn_scalar": config.head_dim,
        "rope_theta": config.rope_theta,
        "rope_local_base_freq": config.rope_local_base_freq,
        "rms_norm_eps": config.rms_norm_eps,
        "max_position_embeddings": config.max_position_embeddings,
        "hidden_activation": "gelu_pytorch_tanh",
        "attention_bias": False,
        "use_bidirectional_attention": True,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "dtype": "float32",
    }


def write_hf(folder, model, tokenizer_path):
    from safetensors.torch import save_file

    config = model.config
    os.makedirs(folder, exist_ok=True)
    state = {k: v.detach().float().contiguous() for k, v in model.state_dict().items()}
    backbone = {k: v for k, v in state.items() if not k.startswith("dense_")}
    save_file(backbone, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    write_json(os.path.join(folder, "config.json"), hf_config(config))
    shutil.copyfile(tokenizer_path, os.path.join(folder, "tokenizer.model"))
    sizes = {"2_Dense": (config.hidden_size, config.dense_size),
             "3_Dense": (config.dense_size, config.hidden_size)}
    for name, (width_in, width_out) in sizes.items():
        write_json(os.path.join(folder, name, "config.json"), {
            "in_features": width_in, "out_features": width_out, "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity"})
        weight = {"linear.weight": state[f"dense_{name[0]}.weight"]}
        save_file(weight, os.path.join(folder, name, "model.safetensors"), metadata={"format": "pt"})
    write_json(os.path.join(folder, "1_Pooling", "config.json"), {
        "word_embedding_dimension": config.hidden_size, "pooling_mode_mean_tokens": True,
        "include_prompt": True})
    parts = ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]
    write_json(os.path.join(folder, "modules.json"), [
        {"idx": i, "name": str(i), "path": "" if i == 0 else f"{i}_{part}",
         "type": f"sentence_transformers.models.{part}"} for i, part in enumerate(parts)])
    write_json(os.path.join(folder, "config_sentence_transformers.json"), {
        "prompts": {"query": "task: search result | query: ", "document": "title: none | text: "},
        "similarity_fn_name": "cosine"})


def check_hf(folder, model):
    """Largest difference of the final hidden states against transformers, short and long input."""
    from transformers import Gemma3TextModel

    reference = Gemma3TextModel.from_pretrained(folder, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(7)
    worst = 0.0
    for tokens in (5, 64, 300, 700):
        ids = torch.randint(3, model.config.vocab_size, (2, tokens), generator=generator)
        with torch.no_grad():
            ours = model.hidden(ids, torch.tensor([tokens, tokens]))[0]
            theirs = reference(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        difference = (ours - theirs).abs().max().item()
        print(f"{tokens} tokens: largest difference {difference:.2e} of {theirs.abs().max():.2f}")
        worst = max(worst, difference)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint")
    parser.add_argument("--restate", metavar="GGUF")
    parser.add_argument("--search-weight", type=float, default=0.1)
    parser.add_argument("--tokenizer", default="models/pocket/train/tokenizer.model")
    parser.add_argument("--gguf")
    parser.add_argument("--golden")
    parser.add_argument("--hf")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.restate:
        restate(args.restate, args.search_weight)
        return
    if not args.checkpoint:
        parser.error("--checkpoint or --restate is needed")
    model = Embedder(EmbedderConfig()).eval()
    model.load_state_dict(torch.load(args.checkpoint, weights_only=False)["model"])
    if args.gguf:
        write_gguf(args.gguf, model, args.tokenizer, args.search_weight)
        print(f"{args.gguf}: {os.path.getsize(args.gguf):,} bytes")
    if args.golden:
        write_golden(args.golden, args.gguf, args.tokenizer)
    if args.hf:
        write_hf(args.hf, model, args.tokenizer)
        if args.check:
            print(f"largest difference {check_hf(args.hf, model):.2e}")


if __name__ == "__main__":
    main()
