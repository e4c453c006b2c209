"""What report.py makes of made-up measurements. scripts/gpu_check.sh runs it; needs no device."""

import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import bar
import report

LINE = {"shape": "12b", "weights": "BF16", "head": "BF16", "kv": "bf16", "products": "library"}


def decode(**fields):
    return LINE | {"test": "decode", "context": 1024, "ms": 6.0} | fields


def prefill(**fields):
    return LINE | {"test": "prefill", "context": 2048, "ms": 80.0, "tokens_per_s": 25600.0,
                   "product_gflop": 44000.0, "attention_gflop": 1240.0} | fields


def compare(bench, peer=(), ceilings=None):
    bar.add_shares(bench, ceilings or {"copy_gb_per_s": 4000.0, "bf16_tflops": 754.0})
    return {(row["row"], row["unit"]): row for row in bar.compare(bench, list(peer))}


class BarTest(unittest.TestCase):
    def test_without_measurements_no_number_is_met(self):
        rows = compare([])
        self.assertEqual(len(rows), 18)
        self.assertEqual({row["met"] for row in rows.values()}, {"not measured"})

    def test_a_share_counts_all_that_is_read(self):
        rows = compare([decode(tokens_per_s=149.0, gb_per_s=3400.0)])
        share = rows["bf16 decode, 1K", "% of copy"]
        self.assertAlmostEqual(share["measured"], 85.0)
        self.assertEqual(share["met"], "yes")
        self.assertEqual(rows["bf16 decode, 1K", "tok/s"]["met"], "no")

    def test_without_a_ceiling_a_share_is_not_measured(self):
        bench = [decode(tokens_per_s=200.0, gb_per_s=3400.0)]
        rows = compare(bench, ceilings={"device": "none"})
        self.assertEqual(rows["bf16 decode, 1K", "% of copy"]["met"], "not measured")
        self.assertEqual(rows["bf16 decode, 1K", "tok/s"]["met"], "yes")

    def test_a_row_is_of_its_types_only(self):
        four = decode(weights="Q4_0", head="Q8_0", tokens_per_s=400.0)
        name = ("4-bit decode, 1K, 8-bit KV", "tok/s")
        self.assertEqual(compare([four])[name]["met"], "not measured")
        self.assertEqual(compare([four | {"kv": "int8"}])[name]["met"], "yes")
        self.assertEqual(compare([four | {"kv": "int8", "shape": "4b"}])[name]["met"],
                         "not measured")
        self.assertEqual(compare([four | {"kv": "int8", "products": "mma"}])[name]["met"],
                         "not measured")

    def test_times_are_at_most_and_rates_at_least(self):
        rows = compare([prefill(), prefill(context=8192, ms=329), prefill(context=32768, ms=1501)])
        self.assertEqual(rows["bf16 prefill, 2K", "tok/s"]["met"], "no")
        self.assertEqual(rows["bf16 prefill, 8K", "ms"]["met"], "yes")
        self.assertEqual(rows["bf16 prefill, 32K", "ms"]["met"], "no")

    def test_share_of_the_product(self):
        line = prefill()
        compare([line])
        self.assertAlmostEqual(line["share_of_products"], 75.0)

    def test_streams_are_a_hundred_or_not_measured(self):
        line = LINE | {"test": "streams_whole", "streams": 100, "context": 512, "out": 512,
                       "tokens_per_s": 5000.0}
        name = ("100 streams, 512 in and 512 out", "tok/s")
        self.assertEqual(compare([line])[name]["met"], "yes")
        self.assertEqual(compare([line | {"streams": 90}])[name]["met"], "not measured")

    def test_the_peer_is_the_compiled_one_at_the_same_context(self):
        peer = {"shape": "12b", "test": "prefill", "context": 2048, "compiled": True,
                "tokens_per_s": 20000.0}
        name = ("prefill against the peer, 2K", "x")
        row = compare([prefill()], [peer])[name]
        self.assertAlmostEqual(row["measured"], 1.28)
        self.assertEqual(row["met"], "yes")
        for other in ({"compiled": False}, {"context": 8192}):
            self.assertEqual(compare([prefill()], [peer | other])[name]["met"], "not measured")
        del peer["tokens_per_s"]  # Out of memory.
        self.assertEqual(compare([prefill()], [peer])[name]["met"], "not measured")


class ReportTest(unittest.TestCase):
    def test_what_was_not_done_is_in_the_report_and_in_the_table(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "checks.jsonl").write_text(
                '{"check": "a", "failure": ""}\n{"check": "memcheck: a", "skipped": "no time"}\n'
                '{"check": "b", "failure": "off by one"}\n')
            (folder / "stages.jsonl").write_text(
                '{"stage": "peer", "outcome": "skipped", "why": "no time"}\n'
                '{"stage": "bench", "outcome": "failed", "why": "ended with 1"}\n'
                '{"stage": "ceilings", "outcome": "ok", "why": ""}\n')
            (folder / "bench.jsonl").write_text(
                json.dumps(decode(tokens_per_s=150.0)) + "\n{\"shape\": \"12b\", \"wei")
            made = report.make(folder)
            table = io.StringIO()
            with contextlib.redirect_stdout(table):
                report.print_table(made)
        self.assertEqual((made["checks_passed"], len(made["bench"])), (1, 1))
        self.assertEqual(len(made["stages"]), 3)
        for text in ("FAILED b: off by one", "skipped: memcheck: a: no time",
                     "skipped: peer: no time", "FAILED bench: ended with 1", "not measured"):
            self.assertIn(text, table.getvalue())
        self.assertNotIn("skipped: ceilings", table.getvalue())


if __name__ == "__main__":
    unittest.main()
