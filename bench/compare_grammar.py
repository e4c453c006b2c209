#!/usr/bin/env python3
"""Facet's grammar beside llama.cpp's: python3 bench/compare_grammar.py TOKENIZER.model

Both hold output to the same JSON Schemas (one call of 10, and of 200 tools) over the same 262,144
pieces. Measured are the time from the schema's grammar to something that can be asked, and the time
to say which of all tokens may come next, at each step of the same texts: Facet writes them, choosing
at random; llama.cpp is led along their tokens. For Facet the time to compile begins at the schema's
text; for llama.cpp it is llama_sampler_init_grammar alone, from GBNF text; a mask is one
llama_sampler_apply on all tokens. All is processor time of one thread; runs are interleaved. Needs
a build with make_model and bench_constraints (ninja bench_constraints); llama-cpp-python is
installed as compare_llama.py does it.
"""
import argparse
import ctypes
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from compare_llama import ROOT, ensure_llama, processor


def call_schema(tools: int, seed: int) -> dict:
    """The same kinds of parameters as bench/constraints.cc has."""
    calls = []
    for i in range(tools):
        parameters = {
            "type": "object",
            "properties": {
                f"query_{i}": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 50 + i},
                "unit": {"enum": ["celsius", "fahrenheit", "kelvin"]},
                "when": {"type": "string", "format": "date-time"},
                "title": {"type": "string", "maxLength": 80},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
                "where": {
                    "type": "object",
                    "properties": {
                        "street": {"type": "string"},
                        "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
                    },
                    "required": ["street"],
                    "additionalProperties": False,
                },
            },
            "required": [f"query_{i}", "unit"],
            "additionalProperties": False,
        }
        calls.append({
            "type": "object",
            "properties": {"name": {"const": f"tool_{seed}_{i}"}, "parameters": parameters},
            "required": ["name", "parameters"],
            "additionalProperties": False,
        })
    return {"anyOf": calls}


def percentile(values, share: float) -> float:
    values = sorted(values)
    return values[int(share * (len(values) - 1))]


class LlamaGrammar:
    def __init__(self, model: Path):
        import llama_cpp

        self.lib = llama_cpp
        llama_cpp.llama_backend_init()
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, None)
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(str(model).encode(), params)
        assert self.model, f"llama.cpp cannot read {model}"
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.blank = (llama_cpp.llama_token_data * self.size)()
        for i in range(self.size):
            self.blank[i].id = i
        self.data = (llama_cpp.llama_token_data * self.size)()
        self.array = llama_cpp.llama_token_data_array(
            data=self.data, size=self.size, selected=-1, sorted=False)

    def compile(self, gbnf: bytes):
        begin = time.thread_time()
        sampler = self.lib.llama_sampler_init_grammar(self.vocab, gbnf, b"root")
        assert sampler, "llama.cpp refuses the grammar"
        return sampler, (time.thread_time() - begin) * 1e3

    def walk(self, sampler, ids, masks) -> bool:
        """Leads a copy along `ids`, a mask at each; False where llama.cpp does not let them pass."""
        own = self.lib.llama_sampler_clone(sampler)
        try:
            for token in ids:
                ctypes.memmove(self.data, self.blank, ctypes.sizeof(self.blank))
                self.array.size = self.size
                begin = time.thread_time()
                self.lib.llama_sampler_apply(own, ctypes.byref(self.array))
                masks.append((time.thread_time() - begin) * 1e6)
                if self.data[token].logit < 0:
                    return False
                self.lib.llama_sampler_accept(own, token)
            return True
        finally:
            self.lib.llama_sampler_free(own)


def measure(llama: LlamaGrammar, args, tools: int, folder: Path) -> None:
    ours = {"compile": [], "p50": [], "p99": [], "masks": 0}
    theirs = {"compile": [], "masks": []}
    conversion, passed, walks = [], 0, 0
    for round_ in range(args.rounds):
        schema = json.dumps(call_schema(tools, round_))
        (folder / "schema.json").write_text(schema)
        command = [ROOT / "build" / "bench" / "bench_constraints", args.tokenizer, "--schema",
                   folder / "schema.json", folder / "walks", "5"]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ours["compile"].append(result["compile_ms"]["p50"])
        ours["p50"].append(result["mask_us"]["p50"])
        ours["p99"].append(result["mask_us"]["p99"])
        ours["masks"] += result["masks"]
        begin = time.thread_time()
        gbnf = llama.lib.llama_grammar.json_schema_to_gbnf(schema)
        conversion.append((time.thread_time() - begin) * 1e3)
        sampler, spent = llama.compile(gbnf.encode())
        theirs["compile"].append(spent)
        for line in (folder / "walks").read_text().splitlines()[: args.walks]:
            walks += 1
            passed += llama.walk(sampler, [int(id_) for id_ in line.split()][: args.tokens],
                                 theirs["masks"])
        llama.lib.llama_sampler_free(sampler)
    print(
        f"{tools} tools\n"
        f"  facet      compile p50 {statistics.median(ours['compile']):.2f} ms, mask p50 "
        f"{statistics.median(ours['p50']):.1f} us, p99 {statistics.median(ours['p99']):.1f} us "
        f"({ours['masks']} masks; medians of {args.rounds} rounds)\n"
        f"  llama.cpp  compile p50 {statistics.median(theirs['compile']):.2f} ms (and "
        f"{statistics.median(conversion):.1f} ms in Python from the schema to GBNF), mask p50 "
        f"{percentile(theirs['masks'], 0.5):.0f} us, p99 {percentile(theirs['masks'], 0.99):.0f} us "
        f"({len(theirs['masks'])} masks; {passed} of {walks} texts pass)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", type=Path, help="a SentencePiece .model file: Gemma's")
    parser.add_argument("--model", type=Path, help="a GGUF file with those pieces instead of making one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--walks", type=int, default=2, help="texts of each round for llama.cpp")
    parser.add_argument("--tokens", type=int, default=40, help="of each, from its beginning")
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "llama-venv")
    parser.add_argument("--cmake-args", default="-DGGML_NATIVE=ON", help="for compiling llama.cpp")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench-models")
    args = parser.parse_args()
    ensure_llama(args.venv, args.cmake_args)
    path = args.model
    if path is None:
        args.folder.mkdir(parents=True, exist_ok=True)
        path = args.folder / "270m-gemma-pieces.gguf"
        if not path.exists():
            make = ROOT / "build" / "bench" / "make_model"
            subprocess.run([make, "270m", "Q4_0", path, args.tokenizer], check=True)
    llama = LlamaGrammar(path)
    print(f"{processor()}, {llama.size} pieces, llama-cpp-python {llama.lib.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for tools in (10, 200):
            measure(llama, args, tools, Path(folder))


if __name__ == "__main__":
    main()
