#!/usr/bin/env python3
"""Facet beside llama.cpp on the same file: python3 bench/compare_llama.py --type Q4_0

Installs llama-cpp-python from the package registry into --venv, compiled for this processor, makes
a model of the shape with random weights (bench/make_model), and runs both in turn, so that whatever
else the machine does hits both. Prints one line per test: tokens per second (median, best) of each
and the ratio of the medians and of the best. Needs a build with make_model and facet.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = "llama-cpp-python"


def ensure_llama(venv: Path, flags: str) -> None:
    """Runs this script again inside the virtual environment that has llama.cpp."""
    python = venv / "bin" / "python"
    if Path(sys.prefix).resolve() == venv.resolve():
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    if subprocess.run([python, "-c", "import llama_cpp"], capture_output=True).returncode != 0:
        print("compiling llama.cpp for this processor; this takes minutes", file=sys.stderr)
        env = dict(os.environ, CMAKE_ARGS=flags)
        install = [python, "-m", "pip", "install", "--no-binary", VERSION, VERSION]
        subprocess.run(install, check=True, env=env, stdout=subprocess.DEVNULL)
    os.execv(python, [str(python), *sys.argv])


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


class Llama:
    """One context; what llama-bench does."""

    def __init__(self, path: Path, context: int, threads: int):
        import llama_cpp

        self.lib = llama_cpp
        llama_cpp.llama_backend_init()
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, None)
        model = llama_cpp.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = 2048
        params.n_ubatch = 512
        params.n_threads = threads
        params.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(vocab)
        self.state = 1

    def ids(self, count: int):
        out = []
        for _ in range(count):
            self.state = (self.state * 1664525 + 1013904223) % 2**32
            out.append(self.state % self.vocabulary)
        return (self.lib.llama_token * count)(*out)

    def read(self, count: int) -> None:
        ids = self.ids(count)
        for first in range(0, count, 2048):
            part = (self.lib.llama_token * min(2048, count - first))(*ids[first : first + 2048])
            batch = self.lib.llama_batch_get_one(part, len(part))
            assert self.lib.llama_decode(self.context, batch) == 0
        self.lib.llama_synchronize(self.context)

    def write(self, count: int) -> None:
        for _ in range(count):
            assert self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(self.ids(1), 1)) == 0
            self.lib.llama_synchronize(self.context)

    def rate(self, test: str, count: int, depth: int) -> float:
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        if depth:
            self.read(depth)
        begin = time.perf_counter()
        (self.read if test == "pp" else self.write)(count)
        return count / (time.perf_counter() - begin)


def facet_rate(path: Path, test: str, count: int, depth: int, threads: int) -> float:
    command = [ROOT / "build" / "facet", "bench", "--model", path, "-d", str(depth), "-r", "1"]
    command += ["-t", str(threads), "--json"]
    command += ["-p", str(count), "-n", "0"] if test == "pp" else ["-p", "0", "-n", str(count)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)[0]["tok_per_s"]["median"]


def parse_test(text: str):
    """pp512, tg64, tg64@8192"""
    name, _, depth = text.partition("@")
    return name[:2], int(name[2:]), int(depth or 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="1b")
    parser.add_argument("--type", default="Q4_0")
    parser.add_argument("--model", type=Path, help="use this GGUF instead of making one")
    parser.add_argument("--tests", default="pp512,pp2048,tg64", help="ppN, tgN, with @depth")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "llama-venv")
    parser.add_argument("--cmake-args", default="-DGGML_NATIVE=ON", help="for compiling llama.cpp")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench-models")
    args = parser.parse_args()
    ensure_llama(args.venv, args.cmake_args)
    path = args.model
    if path is None:
        args.folder.mkdir(parents=True, exist_ok=True)
        path = args.folder / f"{args.shape}-{args.type.lower()}.gguf"
        if not path.exists():
            make = ROOT / "build" / "bench" / "make_model"
            subprocess.run([make, args.shape, args.type, path], check=True)
    tests = [parse_test(text) for text in args.tests.split(",")]
    context = max(count + depth for _, count, depth in tests) + 64
    llama = Llama(path, context, args.threads)
    print(f"{processor()}, {args.threads} threads, {path.name}, llama-cpp-python "
          f"{llama.lib.__version__}, FACET_CPU={os.environ.get('FACET_CPU', '')}")
    llama.rate("pp", 64, 0)
    for test, count, depth in tests:
        ours, theirs = [], []
        for _ in range(args.rounds):
            theirs.append(llama.rate(test, count, depth))
            ours.append(facet_rate(path, test, count, depth, args.threads))
        median = statistics.median(ours) / statistics.median(theirs)
        print(
            f"{test}{count} depth {depth}: facet {statistics.median(ours):.1f} (best {max(ours):.1f}), "
            f"llama.cpp {statistics.median(theirs):.1f} (best {max(theirs):.1f}), "
            f"ratio {median:.2f} (best {max(ours) / max(theirs):.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
