"""Writes weights as GGUF (Q8_0 matrices, F32 norms with the offset of 1 applied), and as a Hugging Face folder.

python export.py --checkpoint WEIGHTS --gguf OUT.gguf [--hf FOLDER] [--check]
WEIGHTS is a checkpoint of train.py, `CHECKPOINT@ema` (its running average), a GGUF file, or an average of such,
`0.7:RUN/checkpoint.pt@ema+0.3:../generator.gguf`; the tokens that the file says it has seen are the most of any part.
--check compares the logits of the Hugging Face model with ours and prints the largest difference.
"""

import argparse
import json
import os
import pathlib
import shutil

import gguf
import numpy as np
import torch
from sentencepiece import SentencePieceProcessor
from safetensors.torch import save_file

import thesaurus
from model import Config, Model

HERE = pathlib.Path(__file__).resolve().parent
# Of answers.jsonl's kinds from three other seeds: wrong answers against answers that are refused.
REFUSAL_MIN = 0.2
TRAINED_TOKENS = 1024  # The longest rows of all runs so far.

# Ours -> (GGUF, Hugging Face) inside one block.
BLOCK = {
    "q": ("attn_q.weight", "self_attn.q_proj.weight"),
    "k": ("attn_k.weight", "self_attn.k_proj.weight"),
    "v": ("attn_v.weight", "self_attn.v_proj.weight"),
    "o": ("attn_output.weight", "self_attn.o_proj.weight"),
    "gate": ("ffn_gate.weight", "mlp.gate_proj.weight"),
    "up": ("ffn_up.weight", "mlp.up_proj.weight"),
    "down": ("ffn_down.weight", "mlp.down_proj.weight"),
    "attn_norm": ("attn_norm.weight", "input_layernorm.weight"),
    "post_attn_norm": ("post_attention_norm.weight", "post_attention_layernorm.weight"),
    "ffn_norm": ("ffn_norm.weight", "pre_feedforward_layernorm.weight"),
    "post_ffn_norm": ("post_ffw_norm.weight", "post_feedforward_layernorm.weight"),
    "q_norm": ("attn_q_norm.weight", "self_attn.q_norm.weight"),
    "k_norm": ("attn_k_norm.weight", "self_attn.k_norm.weight"),
}


def names(key):
    """(GGUF name, Hugging Face name) of one of our parameters."""
    if key == "embed":
        return "token_embd.weight", "model.embed_tokens.weight"
    if key == "norm":
        return "output_norm.weight", "model.norm.weight"
    _, n, part = key.split(".")
    g, h = BLOCK[part]
    return f"blk.{n}.{g}", f"model.layers.{n}.{h}"


def add_tokenizer(writer, path, eos=1):
    sp = SentencePieceProcessor(model_file=str(path))
    pieces, scores, types = [], [], []
    for i in range(sp.get_piece_size()):
        kind = gguf.TokenType.NORMAL
        if sp.is_unknown(i):
            kind = gguf.TokenType.UNKNOWN
        elif sp.is_control(i):
            kind = gguf.TokenType.CONTROL
        elif sp.is_byte(i):
            kind = gguf.TokenType.BYTE
        elif sp.id_to_piece(i) == "\n":
            kind = gguf.TokenType.USER_DEFINED
        pieces.append(sp.id_to_piece(i).encode())
        scores.append(sp.get_score(i))
        types.append(kind)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(eos)
    writer.add_eot_token_id(sp.piece_to_id("<end_of_turn>"))
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(3)
    writer.add_mask_token_id(4)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def add_slots(writer):
    with np.load(HERE / "slot_weights.npz") as slots:
        writer.add_key_value("facet.slots.table", slots["table"].tolist(), gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.INT8)
        writer.add_float32("facet.slots.scale", float(slots["scale"]))
        writer.add_float32("facet.slots.share", float(slots["share"]))


def add_thesaurus(writer):
    writer.add_key_value("facet.thesaurus.pairs", thesaurus.numbers().tolist(), gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.INT64)


def write_gguf(model, path, tokenizer, trained_tokens):
    c = model.c
    temporary = str(path) + ".tmp"
    writer = gguf.GGUFWriter(temporary, "gemma3")
    writer.add_name("facet-pocket-generator")
    writer.add_description("Small tool-calling model in the FunctionGemma dialect, trained on generated conversations")
    writer.add_license("apache-2.0")
    writer.add_bool("facet.plan_first", True)
    writer.add_bool("facet.quotes_answers", True)
    writer.add_bool("facet.copies_arguments", True)
    writer.add_uint32("facet.tools_declared_max", 6)
    writer.add_uint32("facet.trained_tokens_max", TRAINED_TOKENS)
    writer.add_float32("facet.refusal_min", REFUSAL_MIN)
    for key, weight in json.loads((HERE / "plan_weights.json").read_text()).items():
        writer.add_float32("facet.plan." + key, weight)
    add_slots(writer)
    add_thesaurus(writer)
    writer.add_uint64("facet.training.tokens", int(trained_tokens))
    writer.add_context_length(c.context_length)
    writer.add_embedding_length(c.hidden)
    writer.add_block_count(c.layers)
    writer.add_feed_forward_length(c.ffn)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_layer_norm_rms_eps(c.eps)
    writer.add_key_length(c.head_dim)
    writer.add_value_length(c.head_dim)
    writer.add_sliding_window(c.sliding_window)
    writer.add_uint32("gemma3.attention.sliding_window_pattern", c.sliding_pattern)
    writer.add_rope_freq_base(c.theta_global)
    writer.add_float32("gemma3.rope.local.freq_base", c.theta_local)
    writer.add_vocab_size(c.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    add_tokenizer(writer, tokenizer)
    for key, tensor in model.state_dict().items():
        data, (name, _) = tensor.float().numpy(), names(key)
        if data.ndim == 1:
            writer.add_tensor(name, data + 1.0)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(temporary, path)


def read_gguf(path):
    """A file that write_gguf wrote, as (Model, tokens it was trained on): where a later run goes on from."""
    reader = gguf.GGUFReader(path)
    model = Model(Config(layers=int(reader.fields["gemma3.block_count"].contents())))
    keys = {names(k)[0]: k for k in model.state_dict()}
    dim = {t.name: [int(n) for n in t.shape] for t in reader.tensors}
    heads, kv_heads = (int(reader.fields[f"gemma3.attention.{f}"].contents()) for f in ("head_count", "head_count_kv"))
    assert Config().heads == heads and Config().kv_heads == kv_heads and dim["token_embd.weight"] == [Config().hidden, Config().vocab_size], dim
    state = {}
    for t in reader.tensors:
        value = torch.from_numpy(np.array(gguf.quants.dequantize(t.data, t.tensor_type), dtype=np.float32))
        state[keys[t.name]] = value - 1.0 if value.dim() == 1 else value
    model.load_state_dict(state)
    return model, int(reader.fields["facet.training.tokens"].contents())


def read(name):
    """A checkpoint, `CHECKPOINT@ema` or a GGUF file, as (Model, tokens it was trained on)."""
    if name.endswith(".gguf"):
        return read_gguf(name)
    state = torch.load(name.removesuffix("@ema"), map_location="cpu", weights_only=False)
    model = Model(Config(**state["config"]))
    model.load_state_dict(state["ema" if name.endswith("@ema") else "model"])
    return model, state["tokens"] + state.get("tokens_before", 0)


def average(weights):
    """`0.5:a.gguf+0.5:b.pt`, or one name alone, as (Model, the most tokens that any part was trained on)."""
    parts = [part.split(":", 1) if ":" in part else ("1", part) for part in weights.split("+")]
    models = [(float(share), *read(name)) for share, name in parts]
    assert abs(sum(share for share, _, _ in models) - 1) < 1e-6, f"{weights}: the shares are not one in all"
    assert all(vars(model.c) == vars(models[0][1].c) for _, model, _ in models), f"{weights}: not of one shape"
    states = [(share, model.state_dict()) for share, model, _ in models]
    model = models[0][1]
    model.load_state_dict({k: sum(share * s[k].float() for share, s in states) for k in states[0][1]})
    return model, max(tokens for _, _, tokens in models)


def write_hf(model, folder, tokenizer):
    c = model.c
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": [1, 106],
        "pad_token_id": 0,
        "head_dim": c.head_dim,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": c.hidden,
        "initializer_range": 0.02,
        "intermediate_size": c.ffn,
        "layer_types": ["full_attention" if c.is_global(i) else "sliding_attention" for i in range(c.layers)],
        "max_position_embeddings": c.context_length,
        "num_attention_heads": c.heads,
        "num_hidden_layers": c.layers,
        "num_key_value_heads": c.kv_heads,
        "query_pre_attn_scalar": c.head_dim,
        "rms_norm_eps": c.eps,
        "rope_local_base_freq": c.theta_local,
        "rope_theta": c.theta_global,
        "sliding_window": c.sliding_window,
        "sliding_window_pattern": c.sliding_pattern,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "vocab_size": c.vocab_size,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    tensors = {names(k)[1]: v.float().contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    shutil.copy(tokenizer, folder / "tokenizer.model")


@torch.no_grad()
def check(model, folder):
    from transformers import Gemma3ForCausalLM

    theirs = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.from_numpy(np.random.default_rng(1).integers(109, 8192, (2, 300)))
    a, b = model(ids).float(), theirs(ids).logits.float()
    cache, step = [{} for _ in model.blocks], []
    for i in range(40):
        step.append(model.decode(ids[:, i : i + 1], cache, i))
    c = torch.stack(step, 1).float()
    return (a - b).abs().max().item(), (a[:, :40] - c).abs().max().item(), a.abs().max().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True, metavar="WEIGHTS", help="a checkpoint, CHECKPOINT@ema, a GGUF file, or SHARE:ONE+SHARE:OTHER")
    parser.add_argument("--gguf")
    parser.add_argument("--hf")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tokenizer", default=str(HERE / "tokenizer.model"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, tokens = average(args.checkpoint)
    model.set_compute_dtype(torch.float32)
    if args.gguf:
        write_gguf(model, pathlib.Path(args.gguf), args.tokenizer, tokens)
        print(args.gguf, os.path.getsize(args.gguf), "bytes after", tokens, "tokens")
    if args.hf:
        write_hf(model, pathlib.Path(args.hf), args.tokenizer)
        if args.check:
            print("largest logit difference to transformers, to our step-by-step decoding; largest logit:", check(model, args.hf))


if __name__ == "__main__":
    main()
