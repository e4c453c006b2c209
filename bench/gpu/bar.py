"""The bar of the CUDA engine: what Gemma 3 12B must reach on one H200, beside what was measured."""

# weights, KV and context of a row of decode; share of the copy: must and aim; tokens/s.
DECODES = (
    ("bf16 decode, 1K", "BF16", "BF16", "bf16", 1024, 84, 92, 150),
    ("4-bit decode, 1K, 8-bit KV", "Q4_0", "Q8_0", "int8", 1024, 66, 80, 380),
    ("4-bit decode, 32K, 8-bit KV", "Q4_0", "Q8_0", "int8", 32768, 66, 80, 330),
    ("8-bit decode, 1K", "Q8_0", "Q8_0", "bf16", 1024, 78, 88, 270),
)
# Context; field of the line and its unit, must and aim.
PREFILLS = (
    ("bf16 prefill, 2K", 2048, "tokens_per_s", "tok/s", 26000, 29000),
    ("bf16 prefill, 8K", 8192, "ms", "ms", 330, 290),
    ("bf16 prefill, 32K", 32768, "ms", "ms", 1500, 1300),
    ("bf16 prefill, 128K", 131072, "ms", "ms", 8000, 7000),
)
PEER_PREFILLS = (2048, 8192, 32768)
BF16 = {"weights": "BF16", "head": "BF16", "kv": "bf16"}


def find(lines, **wanted):
    """The last line with these fields and values."""
    for line in reversed(lines):
        if all(line.get(name) == value for name, value in wanted.items()):
            return line
    return {}


def add_shares(bench, ceilings):
    """Adds to each line its share of the ceiling in percent: of the copy's bandwidth for weights,
    keys and values that a token reads, of the bf16 product's rate for a prompt."""
    copy, products = ceilings.get("copy_gb_per_s"), ceilings.get("bf16_tflops")
    for line in bench:
        if copy and "gb_per_s" in line:
            line["share_of_copy"] = 100 * line["gb_per_s"] / copy
        if products and "product_gflop" in line:
            flops = line["product_gflop"] + line["attention_gflop"]  # GFLOP a ms are TFLOP/s.
            line["share_of_products"] = 100 * flops / line["ms"] / products


def ratio(ours, theirs):
    rates = ours.get("tokens_per_s"), theirs.get("tokens_per_s")
    return rates[0] / rates[1] if all(rates) else None


def compare(bench, peer):
    """All numbers of the bar, as objects: row, unit, sense (at least or at most), must, aim,
    measured (None: it was not) and met. `bench` with its shares."""
    bar = []

    def add(row, unit, sense, must, aim, measured):
        met = "not measured"
        if measured is not None:
            met = "yes" if (measured >= must if sense == ">=" else measured <= must) else "no"
        bar.append({"row": row, "unit": unit, "sense": sense, "must": must, "aim": aim,
                    "measured": measured, "met": met})

    def ours(test, **wanted):
        return find(bench, shape="12b", products="library", test=test, **wanted)

    def theirs(test, context):
        return find(peer, shape="12b", test=test, context=context, compiled=True)

    for row, weights, head, kv, context, must, aim, rate in DECODES:
        line = ours("decode", weights=weights, head=head, kv=kv, context=context)
        add(row, "% of copy", ">=", must, aim, line.get("share_of_copy"))
        add(row, "tok/s", ">=", rate, None, line.get("tokens_per_s"))
    for row, context, field, unit, must, aim in PREFILLS:
        line = ours("prefill", context=context, **BF16)
        add(row, unit, ">=" if unit == "tok/s" else "<=", must, aim, line.get(field))
    line = ours("next_turn", context=16384, tokens=200, **BF16)
    add("next turn, 16K and 200 new tokens", "ms", "<=", 15, 8, line.get("ms"))
    line = ours("streams_whole", streams=100, context=512, out=512, **BF16)
    add("100 streams, 512 in and 512 out", "tok/s", ">=", 4800, 5500, line.get("tokens_per_s"))
    add("decode against the peer, 1K", "x", ">=", 2, None,
        ratio(ours("decode", context=1024, **BF16), theirs("decode", 1024)))
    for context in PEER_PREFILLS:
        add(f"prefill against the peer, {context // 1024}K", "x", ">=", 1, None,
            ratio(ours("prefill", context=context, **BF16), theirs("prefill", context)))
    return bar
