"""Writes image_text_golden.json: what transformers' Gemma3ForConditionalGeneration computes for a
small model with a vision tower: the soft tokens of two images, and the logits of a text with both.

Weights come from the formula of transformers_logits.py, which tests/support/formula_weights.h
repeats. Tensor numbers: the text model as there; 500 patch embedding, 501 its bias, 502 positions,
503 and 504 post norm, 505 soft token norm (as w - 1), 506 projection; layers from 510, 16 each, in
the order of LAYER, weight before bias. Weights of layer norms get 1 added. The pixels of image i are
4 times stream 2000 + i.

  python image_text.py > image_text_golden.json     (transformers 5.23, torch, f32, CPU)
"""

import json

import torch
import transformers

from transformers_logits import SHAPE, fill, fill_model, stream, token_ids

LAYER = ["layer_norm1", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
         "self_attn.out_proj", "layer_norm2", "mlp.fc1", "mlp.fc2"]
TOWER = dict(hidden_size=48, intermediate_size=100, num_hidden_layers=3, num_attention_heads=4,
             image_size=84, patch_size=14, vision_use_head=False)
IMAGE, BEGIN, END = 95, 93, 94
TOKENS = 9


def fill_norm(number, module):
    fill(number, module.weight)
    with torch.no_grad():
        module.weight += 1
    fill(number + 1, module.bias)


def fill_tower(tower, projector):
    fill(500, tower.embeddings.patch_embedding.weight)
    fill(501, tower.embeddings.patch_embedding.bias)
    fill(502, tower.embeddings.position_embedding.weight)
    fill_norm(503, tower.post_layernorm)
    fill(505, projector.mm_soft_emb_norm.weight)
    fill(506, projector.mm_input_projection_weight)
    for index, layer in enumerate(tower.encoder.layers):
        for place, name in enumerate(LAYER):
            number = 510 + 16 * index + 2 * place
            module = layer.get_submodule(name)
            if "norm" in name:
                fill_norm(number, module)
            else:
                fill(number, module.weight)
                fill(number + 1, module.bias)


def build():
    rope = {"sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}}
    config = transformers.Gemma3Config(
        text_config=dict(**SHAPE, num_hidden_layers=7, rope_parameters=rope), vision_config=TOWER,
        mm_tokens_per_image=TOKENS, image_token_index=IMAGE, attn_implementation="eager")
    model = transformers.Gemma3ForConditionalGeneration(config).float().eval()
    fill_model(model.model.language_model)
    fill_tower(model.model.vision_tower, model.model.multi_modal_projector)
    model.tie_weights()
    return model


torch.set_num_threads(1)
model = build()
pixels = torch.stack([torch.from_numpy(stream(2000 + i, 3 * 84 * 84)).reshape(3, 84, 84) * 4
                      for i in range(2)])
words = [i % 90 for i in token_ids(1002, 21)]
image = [BEGIN] + [IMAGE] * TOKENS + [END]
ids = words[:6] + image + words[6:14] + image + words[14:]
with torch.no_grad():
    features = model.get_image_features(pixels).pooler_output
    row = torch.tensor([ids])
    logits = model(row, pixel_values=pixels, token_type_ids=(row == IMAGE).long()).logits[0]
# Behind the beginning, inside and behind each image, and at the end.
at = [6, 9, 15, 16, 20, 25, 30, 34, 35, 38, len(ids) - 1]
print(json.dumps({
    "transformers": transformers.__version__,
    "soft_tokens": [f.tolist() for f in features.reshape(2, TOKENS, -1)],
    "ids": ids, "positions": at, "logits": [logits[i].tolist() for i in at]}))
