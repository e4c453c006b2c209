"""Trains the pocket models' tokenizer: SentencePiece BPE, 8,192 pieces, Gemma's control-token ids.

Text: package descriptions and manual pages that a Debian machine carries, an English word list, and the
vocabulary file beside this script. Usage: python tokenizer.py --out tokenizer.model
"""

import argparse
import glob
import gzip
import pathlib
import random
import re
import subprocess
import tempfile

import sentencepiece as spm

HERE = pathlib.Path(__file__).resolve().parent
VOCAB_SIZE = 8192

# Ids 0..4 are fixed by the trainer's arguments. Gemma keeps unused slots up to 105; this vocabulary does
# the same, so that the ids of the control tokens are Gemma's own where Gemma's are small.
CONTROL_AT = {
    46: "<start_function_declaration>",
    47: "<end_function_declaration>",
    48: "<start_function_call>",
    49: "<end_function_call>",
    50: "<start_function_response>",
    51: "<end_function_response>",
    52: "<escape>",
    105: "<start_of_turn>",
    106: "<end_of_turn>",
    107: "<start_of_image>",
    108: "<end_of_image>",
}
CONTROL_LAST = 108


# Openings of questions, so that they are whole pieces at the start of a text, where no space precedes them.
QUESTIONS = [
    ("Who What When Where Which How Is Are Do Does Can Could Please Tell Show Find Get Send Book Set The A It",
     ["is the", "much is it?", "many days?", "long does it take?", "approves the", "me the"]),
]


def control_symbols():
    """Pieces for ids 5..108 in order; the trainer numbers control symbols after pad, eos, bos, unk."""
    out = ["<mask>"]
    unused = 0
    for i in range(5, CONTROL_LAST + 1):
        if i in CONTROL_AT:
            out.append(CONTROL_AT[i])
        else:
            out.append(f"<unused{unused}>")
            unused += 1
    return out


def package_descriptions():
    text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, errors="ignore").stdout
    lines = text.splitlines()
    random.Random(3).shuffle(lines)
    for line in lines:
        if line.startswith("Description"):
            _, _, value = line.partition(": ")
            if len(value) > 10 and " " in value:
                yield value
        elif line.startswith(" ") and " " in line.strip() and re.match(r" [A-Za-z]", line):
            yield line.strip()


def manual_pages(limit):
    """Running text of manual pages, with the groff requests removed."""
    pages = sorted(glob.glob("/usr/share/man/man*/*.gz"))
    random.Random(7).shuffle(pages)
    for page in pages[:limit]:
        try:
            with gzip.open(page, "rt", errors="ignore") as f:
                text = f.read(60000)
        except OSError:
            continue
        paragraph = []
        for line in text.splitlines():
            if line.startswith((".", "'")):
                if len(paragraph) > 1:
                    yield " ".join(paragraph)
                paragraph = []
                continue
            line = re.sub(r"\\f\[?[A-Z]+\]?|\\[&|^%]|\\\*\(..|\\s[-+]?\d", "", line)
            line = line.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
            if "\\" not in line and line.strip():
                paragraph.append(line.strip())


def corpus_lines(max_bytes):
    rng = random.Random(1)
    lines = []
    manual, size = [], 0
    for line in manual_pages(6000):
        if 40 < len(line) < 2000 and line.isascii():
            manual.append(line)
            size += len(line)
            if size > max_bytes * 0.55:
                break
    packages, size = [], 0
    for line in package_descriptions():
        packages.append(line)
        size += len(line)
        if size > max_bytes * 0.45:
            break
    lines += manual + packages
    words = [w for w in pathlib.Path("/usr/share/dict/words").read_text().split() if w.isascii()]
    lines += [" ".join(rng.sample(words, 12)) for _ in range(4000)]
    vocabulary = (HERE / "vocabulary.txt").read_text().splitlines()
    terms = [w for line in vocabulary for w in line.split()]
    lines += vocabulary * 60
    lines += [f"{w} {rest}" for line in QUESTIONS for w in line[0].split() for rest in line[1]] * 40
    for _ in range(6000):  # The task's own words, in all neighbourhoods that a dialect can put them into.
        pick = rng.sample(terms, 10)
        lines.append(rng.choice([" ", ", ", "_", ",", ":", ".\n", " "]).join(pick))
        lines.append(" ".join(w.capitalize() if rng.random() < 0.3 else w for w in pick))
    rng.shuffle(lines)
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=str(HERE / "tokenizer.model"))
    parser.add_argument("--max-bytes", type=int, default=9_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "corpus.txt"
        lines = corpus_lines(args.max_bytes)
        text.write_text("\n".join(lines).replace("\t", " "))
        print("corpus", len(lines), "lines", text.stat().st_size, "bytes")
        spm.SentencePieceTrainer.train(
            input=str(text),
            model_prefix=f"{folder}/tokenizer",
            model_type="bpe",
            vocab_size=VOCAB_SIZE,
            byte_fallback=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            normalization_rule_name="identity",
            character_coverage=1.0,
            required_chars="".join(chr(c) for c in range(33, 127)),
            pad_id=0,
            eos_id=1,
            bos_id=2,
            unk_id=3,
            pad_piece="<pad>",
            eos_piece="<eos>",
            bos_piece="<bos>",
            unk_piece="<unk>",
            control_symbols=control_symbols(),
            user_defined_symbols=["\n"],
            max_sentence_length=20000,
            num_threads=1,
        )
        pathlib.Path(args.out).write_bytes(pathlib.Path(f"{folder}/tokenizer.model").read_bytes())
    sp = spm.SentencePieceProcessor(model_file=args.out)
    for i, piece in CONTROL_AT.items():
        assert sp.id_to_piece(i) == piece and sp.is_control(i), (i, piece, sp.id_to_piece(i))
    assert sp.id_to_piece(4) == "<mask>"
    for text in ["a  b\n\n  c", " lead", "Üñ 漢\t!", "<start_of_turn>", "\n\n\n", "2,000 EUR\n- x"]:
        assert sp.decode(sp.encode(text)) == text, (text, sp.encode(text, out_type=str))
    print("pieces", sp.get_piece_size(), sp.encode("Who approves travel over 2,000 EUR?\n", out_type=str))


if __name__ == "__main__":
    main()
