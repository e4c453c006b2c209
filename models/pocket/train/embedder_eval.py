"""Retrieval quality of the embedder: BM25 alone, dense alone, and both fused by reciprocal rank.

Cranfield: nDCG@10 (gain 5 - grade, grade 1 best) and recall@10. XQuAD English: recall@5 and MRR@10 of
the paragraph a question was written for, among all 240. Neither was seen in training. The vectors come
from the exported GGUF, dequantised, in float32.

  python3 embedder_eval.py --model ../embedder.gguf --data CONFORMANCE [--json out.json]
"""

import argparse
import json
import math
import os
import re

import numpy as np
import torch

from embedder_export import load_gguf

WORD = re.compile(r"[a-z0-9]+")


class Bm25:
    def __init__(self, texts, k1, b):
        docs = [WORD.findall(t.lower()) for t in texts]
        lengths = np.array([len(d) for d in docs], dtype=np.float64)
        norm = k1 * (1 - b + b * lengths / lengths.mean())
        counts = {}
        for i, doc in enumerate(docs):
            for term in doc:
                counts.setdefault(term, {}).setdefault(i, 0)
                counts[term][i] += 1
        self.size = len(docs)
        self.postings = {}
        for term, where in counts.items():
            ids = np.array(list(where))
            tf = np.array(list(where.values()), dtype=np.float64)
            idf = math.log(1 + (len(docs) - len(ids) + 0.5) / (len(ids) + 0.5))
            self.postings[term] = (ids, idf * tf * (k1 + 1) / (tf + norm[ids]))

    def scores(self, query):
        scores = np.zeros(self.size)
        for term in WORD.findall(query.lower()):
            if term in self.postings:
                ids, weight = self.postings[term]
                scores[ids] += weight
        return scores


def ranking(scores, depth=100):
    return list(np.argsort(-scores, kind="stable")[:depth])


def fuse(rankings, k=60):
    """Reciprocal rank fusion (Cormack et al. 2009)."""
    total = {}
    for one in rankings:
        for rank, doc in enumerate(one):
            total[doc] = total.get(doc, 0.0) + 1.0 / (k + rank + 1)
    return sorted(total, key=lambda d: (-total[d], d))


def read_cranfield(folder):
    def records(name):
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as handle:
            for chunk in re.split(r"(?m)^\.I\s*", handle.read())[1:]:
                fields = re.split(r"(?m)^\.([TABW])\s*$", chunk)
                yield dict(zip(fields[1::2], (" ".join(f.split()) for f in fields[2::2])))

    documents = []
    for record in records("cran.all.1400"):
        title, body = record.get("T", ""), record.get("W", "")
        documents.append((title, body[len(title) :].strip() if body.startswith(title) else body))
    queries = [record.get("W", "") for record in records("cran.qry")]
    gains = [dict() for _ in queries]
    with open(os.path.join(folder, "cranqrel"), encoding="utf-8") as handle:
        for line in handle:
            query, document, grade = (int(x) for x in line.split()[:3])
            if 1 <= grade <= 4:
                gains[query - 1][document - 1] = 5 - grade
    return documents, queries, gains


def read_xquad(path):
    with open(path, encoding="utf-8") as handle:
        data = json.load(handle)["data"]
    documents, queries, gains = [], [], []
    for article in data:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                queries.append(question["question"])
                gains.append({len(documents): 1})
            documents.append(("", paragraph["context"]))
    return documents, queries, gains


def measures(rankings, gains):
    ndcg, recall5, recall10, mrr = [], [], [], []
    for order, gain in zip(rankings, gains):
        if not gain:
            continue
        found = sum(gain.get(d, 0) / math.log2(r + 2) for r, d in enumerate(order[:10]))
        best = sum(g / math.log2(r + 2) for r, g in enumerate(sorted(gain.values())[::-1][:10]))
        ndcg.append(found / best)
        recall5.append(sum(d in gain for d in order[:5]) / len(gain))
        recall10.append(sum(d in gain for d in order[:10]) / len(gain))
        mrr.append(next((1 / (r + 1) for r, d in enumerate(order[:10]) if d in gain), 0.0))
    names = ("ndcg@10", "recall@5", "recall@10", "mrr@10")
    return {n: round(float(np.mean(v)), 4) for n, v in zip(names, (ndcg, recall5, recall10, mrr))}


def embed(model, tokenizer, texts, tokens_max):
    vectors = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    encoded = [[2, *ids[: tokens_max - 2], 1] for ids in tokenizer.encode(texts)]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    with torch.no_grad():
        for begin in range(0, len(order), 32):
            group = order[begin : begin + 32]
            width = max(len(encoded[i]) for i in group)
            ids = torch.tensor([encoded[i] + [0] * (width - len(encoded[i])) for i in group])
            lengths = torch.tensor([len(encoded[i]) for i in group])
            vectors[group] = model(ids, lengths).numpy()
    return vectors


def evaluate(model, tokenizer, documents, queries, gains, tokens_max, width):
    plain = [f"{title} {body}".strip() for title, body in documents]
    prompted = [f"title: {title or 'none'} | text: {body}" for title, body in documents]
    asked = [f"task: search result | query: {q}" for q in queries]
    d = embed(model, tokenizer, prompted, tokens_max)[:, :width]
    q = embed(model, tokenizer, asked, tokens_max)[:, :width]
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    dense = [ranking(row) for row in q @ d.T]
    bm25 = Bm25(plain, 1.2, 0.75)
    lexical = [ranking(bm25.scores(text)) for text in queries]
    hybrid = [fuse(pair) for pair in zip(lexical, dense)]
    return {"bm25": measures(lexical, gains), "dense": measures(dense, gains),
            "hybrid": measures(hybrid, gains)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="models/pocket/embedder.gguf")
    parser.add_argument("--data", required=True, help="folder with cranfield/ and xquad/")
    parser.add_argument("--tokens-max", type=int, default=512)
    parser.add_argument("--width", type=int, default=256, help="leading components kept")
    parser.add_argument("--json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = load_gguf(args.model)
    report = {}
    sets = {
        "cranfield": read_cranfield(os.path.join(args.data, "cranfield")),
        "xquad-en": read_xquad(os.path.join(args.data, "xquad", "xquad.en.json")),
    }
    for name, (documents, queries, gains) in sets.items():
        report[name] = evaluate(
            model, tokenizer, documents, queries, gains, args.tokens_max, args.width
        )
        for system, figures in report[name].items():
            print(f"{name:10} {system:7} " + "  ".join(f"{k} {v:.4f}" for k, v in figures.items()))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(report, out, indent=1)


if __name__ == "__main__":
    main()
