"""report.py FOLDER OUT: what scripts/gpu_check.sh found, as one JSON file and a short table."""

import json
import pathlib
import subprocess
import sys


def lines(path):
    """The objects in a file of one a line; a program that was stopped may have left half of one."""
    found = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in found if isinstance(row, dict)]


def command(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else ""


def last_words(path):
    return path.read_text(errors="replace").splitlines()[-5:] if path.exists() else []


def print_bench(row, copy):
    share = ""
    if row["test"] == "decode" and copy:
        share = f"  {100 * row['weight_gb_per_s'] / copy:.0f}% of the copy's speed in weights"
    if row.get("recorded") is False:
        share = "  launch by launch"
    products = row.get("products", "library")
    share += "" if products == "library" else f"  products by {products}"
    rate = f"{row['tokens_per_s']:.1f} tok/s" if "tokens_per_s" in row else ""
    ms = f"{row['ms']:.2f} ms" if "ms" in row else ""
    print(f"  {row['shape']:>5} {row['weights']:<5} {row['test']:<14} {row['context']:>7} "
          f"{ms:>12} {rate:>16}{share}")


def main():
    folder, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    checks = lines(folder / "checks.jsonl")
    bench = lines(folder / "bench.jsonl")
    ceilings = (lines(folder / "ceilings.jsonl") or [{}])[0]
    peer = lines(folder / "peer.jsonl")
    failed = [check for check in checks if check.get("failure")]
    skipped = [check for check in checks if check.get("skipped")]
    report = {
        "device": command("nvidia-smi", "-L"),
        "nvcc": command("sh", "-c", "nvcc --version | grep release"),
        "commit": command("git", "rev-parse", "HEAD"),
        "checks_passed": len(checks) - len(failed) - len(skipped),
        "checks_failed": failed,
        "checks": checks,
        "ceilings": ceilings,
        "bench": bench,
        "peer": peer,
        "last_words": {name: last_words(folder / f"{name}.err")
                       for name in ("checks", "bench", "ceilings", "peer")},
    }
    pathlib.Path(out).write_text(json.dumps(report, indent=1) + "\n")
    print(f"{report['device']}: {report['checks_passed']} checks passed, {len(failed)} failed, "
          f"{len(skipped)} proved nothing")
    for check in failed:
        print(f"  FAILED {check['check']}: {check['failure']}")
    for check in skipped:
        print(f"  skipped {check['check']}: {check['skipped']}")
    if any(row.get("cublaslt") is False for row in bench):
        print("  built without cuBLASLt: prompts are multiplied by mma.sync")
    copy = ceilings.get("copy_gb_per_s", 0)
    for row in bench:
        print_bench(row, copy)
    for row in peer:
        if "decode_tokens_per_s" in row:
            print(f"  {row['shape']:>5} BF16  transformers, compiled: "
                  f"{row['decode_tokens_per_s']:.1f} tok/s at {row['context']}")
    products = ceilings.get("bf16_tflops", 0)
    print(f"ceilings: copy {copy:.0f} GB/s, bf16 products {products:.0f} TFLOP/s")


if __name__ == "__main__":
    main()
