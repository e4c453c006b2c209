"""report.py FOLDER OUT: what scripts/gpu_check.sh found, as one JSON file and a short table."""

import json
import pathlib
import subprocess
import sys

import bar


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


def number(value):
    return "-" if value is None else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def print_bar(rows, device):
    note = "" if "H200" in device else f"; this is {device or 'another device'}"
    print(f"the bar (Gemma 3 12B, one H200{note}):")
    print(f"  {'':<34} {'must':>9} {'aim':>9} {'measured':>9} {'':<9} met")
    for row in rows:
        print(f"  {row['row']:<34} {row['sense'] + ' ' + number(row['must']):>9} "
              f"{number(row['aim']):>9} {number(row['measured']):>9} {row['unit']:<9} {row['met']}")


def print_bench(row):
    notes = []
    if "share_of_copy" in row:
        notes.append(f"{row['share_of_copy']:.0f}% of the copy's speed")
    if "share_of_products" in row:
        notes.append(f"{row['share_of_products']:.0f}% of the bf16 product's speed")
    if row.get("recorded") is False:
        notes.append("launch by launch")
    if row["head"] != row["weights"]:
        notes.append(f"output matrix {row['head']}")
    if row["kv"] != "bf16":
        notes.append(f"KV {row['kv']}")
    if row["products"] != "library":
        notes.append(f"products by {row['products']}")
    test = row["test"] + (f" x{row['streams']}" if "streams" in row else "")
    rate = f"{row['tokens_per_s']:.1f} tok/s" if "tokens_per_s" in row else ""
    ms = f"{row['ms']:.2f} ms" if "ms" in row else ""
    print(f"  {row['shape']:>5} {row['weights']:<5} {test:<18} {row['context']:>7} "
          f"{ms:>12} {rate:>16}  {', '.join(notes)}".rstrip())


def print_peer(row):
    rate = f"{row['tokens_per_s']:.1f} tok/s" if "tokens_per_s" in row else row.get("failure", "")
    how = "transformers, compiled" if row["compiled"] else "transformers, not compiled"
    print(f"  {row['shape']:>5} BF16  {row['test']:<18} {row['context']:>7} {rate:>29}  {how}")


def make(folder):
    checks = lines(folder / "checks.jsonl")
    bench = [row for row in lines(folder / "bench.jsonl") if "test" in row]
    ceilings = (lines(folder / "ceilings.jsonl") or [{}])[0]
    peer = [row for row in lines(folder / "peer.jsonl") if "test" in row]
    bar.add_shares(bench, ceilings)
    failed = [check for check in checks if check.get("failure")]
    skipped = [check for check in checks if check.get("skipped")]
    return {
        "device": command("nvidia-smi", "-L"),
        "nvcc": command("sh", "-c", "nvcc --version | grep release"),
        "commit": command("git", "rev-parse", "HEAD"),
        "checks_passed": len(checks) - len(failed) - len(skipped),
        "checks_failed": failed,
        "checks_skipped": skipped,
        "stages": lines(folder / "stages.jsonl"),
        "bar": bar.compare(bench, peer),
        "ceilings": ceilings,
        "bench": bench,
        "peer": peer,
        "checks": checks,
        "last_words": {name: last_words(folder / f"{name}.err")
                       for name in ("checks", "bench", "ceilings", "peer")},
    }


def print_table(report):
    print(f"{report['device']}: {report['checks_passed']} checks passed, "
          f"{len(report['checks_failed'])} failed, {len(report['checks_skipped'])} proved nothing")
    for check in report["checks_failed"]:
        print(f"  FAILED {check['check']}: {check['failure']}")
    for check in report["checks_skipped"]:
        print(f"  skipped: {check['check']}: {check['skipped']}")
    for stage in report["stages"]:
        if stage["outcome"] != "ok":
            mark = "FAILED" if stage["outcome"] == "failed" else "skipped:"
            print(f"  {mark} {stage['stage']}: {stage['why']}")
    if any(row.get("cublaslt") is False for row in report["bench"]):
        print("  built without cuBLASLt: prompts are multiplied by mma.sync")
    print_bar(report["bar"], report["device"])
    print("all that was measured:")
    for row in report["bench"]:
        print_bench(row)
    for row in report["peer"]:
        print_peer(row)
    ceilings = report["ceilings"]
    print(f"ceilings: copy {number(ceilings.get('copy_gb_per_s'))} GB/s, "
          f"bf16 products {number(ceilings.get('bf16_tflops'))} TFLOP/s")


def main():
    report = make(pathlib.Path(sys.argv[1]))
    pathlib.Path(sys.argv[2]).write_text(json.dumps(report, indent=1) + "\n")
    print_table(report)


if __name__ == "__main__":
    main()
