"""What the device can do at best, measured with PyTorch: copying memory, and bf16 matrix products.
Ends with 77 where torch is not installed, and says so on stderr."""

import json
import sys

try:
    import torch
except ModuleNotFoundError as missing:
    print(f"{missing.name} is not installed", file=sys.stderr)
    sys.exit(77)


def seconds(work, rounds):
    work()
    torch.cuda.synchronize()
    begin = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(rounds):
        work()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1e3 / rounds


def main():
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copied = 2 * source.numel() / seconds(lambda: target.copy_(source), 20)
    a = torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda")
    b = torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda")
    flops = 2 * 8192**3 / seconds(lambda: torch.matmul(a, b), 20)
    print(json.dumps({
        "device": torch.cuda.get_device_name(0),
        "torch": torch.__version__,
        "copy_gb_per_s": copied / 1e9,
        "bf16_tflops": flops / 1e12,
    }))


if __name__ == "__main__":
    main()
