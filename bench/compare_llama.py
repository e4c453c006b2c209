#!/usr/bin/env python3
"""Facet beside llama.cpp on the same file: python3 bench/compare_llama.py --type Q4_0

Installs llama-cpp-python from the package registry into --venv, compiled for this processor, makes
a model of the shape with random weights (bench/make_model), and runs both in turn, so that whatever
else the machine does hits both. Prints one line per test: tokens per second (median, best) of each
and the ratio of the medians and of the best. Needs a build with make_model and facet.
"""
import argparse
import dataclasses
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

    def __init__(self, path: Path, context: int, threads: int, sequences: int):
        import llama_cpp

        self.lib = llama_cpp
        llama_cpp.llama_backend_init()
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, None)
        model = llama_cpp.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context * sequences
        params.n_seq_max = sequences
        params.kv_unified = sequences == 1
        params.n_batch = 2048
        params.n_ubatch = 512
        params.n_threads = threads
        params.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(vocab)
        self.state = 1
        self.batch = llama_cpp.llama_batch_init(sequences, 0, 1)

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

    def write(self, count: int, depth: int, sequences: int) -> None:
        """The next token of each sequence in one batch, as llama-batched-bench does."""
        batch = self.batch
        batch.n_tokens = sequences
        for position in range(depth, depth + count):
            for i, id in enumerate(self.ids(sequences)):
                batch.token[i] = id
                batch.pos[i] = position
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = i
                batch.logits[i] = 1
            assert self.lib.llama_decode(self.context, batch) == 0
            self.lib.llama_synchronize(self.context)

    def close(self) -> None:
        self.lib.llama_batch_free(self.batch)
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)

    def rate(self, test, clock) -> float:
        memory = self.lib.llama_get_memory(self.context)
        self.lib.llama_memory_clear(memory, True)
        if test.depth:
            self.read(test.depth)
            for i in range(1, test.sequences):
                self.lib.llama_memory_seq_cp(memory, 0, i, -1, -1)
        begin = clock()
        if test.kind == "pp":
            self.read(test.count)
        else:
            self.write(test.count, test.depth, test.sequences)
        return test.count * test.sequences / (clock() - begin)


def facet_rate(path: Path, test, threads: int, field: str, kv_type: str) -> float:
    command = [ROOT / "build" / "facet", "bench", "--model", path, "-d", str(test.depth), "-r", "1"]
    command += ["-t", str(threads), "-s", str(test.sequences), "--kv-type", kv_type, "--json"]
    count = str(test.count)
    command += ["-p", count, "-n", "0"] if test.kind == "pp" else ["-p", "0", "-n", count]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)[0][field]["median"]


@dataclasses.dataclass
class Test:
    """pp512, tg64, tg64@8192 (depth), tg64x4 (sequences at once)"""

    text: str
    kind: str
    count: int
    sequences: int
    depth: int

    @staticmethod
    def parse(text: str) -> "Test":
        name, _, depth = text.partition("@")
        count, _, sequences = name[2:].partition("x")
        return Test(text, name[:2], int(count), int(sequences or 1), int(depth or 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="1b")
    parser.add_argument("--type", default="Q4_0")
    parser.add_argument("--model", type=Path, help="use this GGUF instead of making one")
    parser.add_argument("--tests", default="pp512,pp2048,tg64,tg64x4", help="ppN, tgN, tgNxS, with @depth")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kv-type", default="f32", help="Facet's keys and values; llama.cpp keeps f16")
    parser.add_argument("--cpu-time", action="store_true", help="by processor time, on a machine with neighbours")
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
    clock = time.process_time if args.cpu_time else time.perf_counter
    field = "tok_per_cpu_s" if args.cpu_time else "tok_per_s"
    version = None
    for test in [Test.parse(text) for text in args.tests.split(",")]:
        llama = Llama(path, test.count + test.depth + 64, args.threads, test.sequences)
        if version is None:
            version = llama.lib.__version__
            print(f"{processor()}, {args.threads} threads, {path.name}, llama-cpp-python {version}, "
                  f"FACET_CPU={os.environ.get('FACET_CPU', '')}, tokens per second of "
                  f"{'processor time' if args.cpu_time else 'the clock'}")
        llama.rate(Test.parse("pp64"), clock)
        ours, theirs = [], []
        for _ in range(args.rounds):
            theirs.append(llama.rate(test, clock))
            ours.append(facet_rate(path, test, args.threads, field, args.kv_type))
        llama.close()
        median = statistics.median(ours) / statistics.median(theirs)
        print(
            f"{test.text}: facet {statistics.median(ours):.1f} (best {max(ours):.1f}), "
            f"llama.cpp {statistics.median(theirs):.1f} (best {max(theirs):.1f}), "
            f"ratio {median:.2f} (best {max(ours) / max(theirs):.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
