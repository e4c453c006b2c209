"""report.py FOLDER OUT: what scripts/gpu_check.sh found, as one JSON file and a short table."""

import json
import pathlib
import subprocess
import sys


def lines(path):
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else ""


def main():
    folder, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    checks = lines(folder / "checks.jsonl")
    bench = lines(folder / "bench.jsonl")
    ceilings = (lines(folder / "ceilings.jsonl") or [{}])[0]
    peer = lines(folder / "peer.jsonl")
    failed = [check for check in checks if check["failure"]]
    report = {
        "device": command("nvidia-smi", "-L"),
        "nvcc": command("sh", "-c", "nvcc --version | grep release"),
        "commit": command("git", "rev-parse", "HEAD"),
        "checks_passed": len(checks) - len(failed),
        "checks_failed": failed,
        "checks": checks,
        "ceilings": ceilings,
        "bench": bench,
        "peer": peer,
    }
    pathlib.Path(out).write_text(json.dumps(report, indent=1) + "\n")
    print(f"{report['device']}: {report['checks_passed']} checks passed, {len(failed)} failed")
    for check in failed:
        print(f"  FAILED {check['check']}: {check['failure']}")
    copy = ceilings.get("copy_gb_per_s", 0)
    for row in bench:
        share = ""
        if row["test"] == "decode" and copy:
            share = f"  {100 * row['weight_gb_per_s'] / copy:.0f}% of the copy's speed in weights"
        rate = f"{row['tokens_per_s']:.1f} tok/s" if "tokens_per_s" in row else ""
        ms = f"{row['ms']:.2f} ms" if "ms" in row else ""
        print(f"  {row['shape']:>5} {row['weights']:<5} {row['test']:<14} {row['context']:>7} "
              f"{ms:>12} {rate:>16}{share}")
    for row in peer:
        if "decode_tokens_per_s" in row:
            print(f"  {row['shape']:>5} BF16  transformers, compiled: "
                  f"{row['decode_tokens_per_s']:.1f} tok/s at {row['context']}")
    print(f"ceilings: copy {copy:.0f} GB/s, bf16 products {ceilings.get('bf16_tflops', 0):.0f} TFLOP/s")


if __name__ == "__main__":
    main()
