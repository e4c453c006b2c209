"""Builds the pocket embedder's training pairs from text that Debian packages carry.

Three sources, all English: package descriptions (the Translation-en index of apt), the documentation
of Debian -doc packages unpacked into a folder (HTML, reStructuredText, Mallard pages, manual pages),
and generated short policies whose words are drawn at random, so that reading and not remembering is
learned. Every pair is {source, title, query, text, negatives, held_out}; one JSON object a line.
Held out pairs (2%, chosen by a hash of the document) are never trained on.

  python3 embedder_data.py --apt-lists /var/lib/apt/lists --docs DOCS --out WORK
  python3 embedder_data.py tokenize --tokenizer tokenizer.model --out WORK

DOCS holds one folder per package, as `dpkg-deb -x` leaves it; `embedder_data.py packages` prints the
names of those used. Descriptions need apt's English index: apt-get update -o Acquire::Languages=en.
"""

import argparse
import glob
import gzip
import hashlib
import html
import json
import os
import random
import re
import subprocess

import numpy as np

import embedder_policies

PACKAGES = """anarchism apache2-doc aptitude-doc-en autoconf-doc bash-doc bind9-doc calculix-ccx-doc
debian-faq debian-handbook debian-policy debian-reference-en developers-reference doc-debian
exim4-doc-html gimp-help-en git-doc gmsh-doc gnome-user-docs gnuplot-doc grass-doc imagemagick-6-doc
installation-guide-amd64 jargon-text kicad-doc-en ledger libreoffice-help-en-us liggghts-doc
linux-doc-6.1 manpages manpages-dev maxima-doc netcdf-doc octave-doc openmpi-doc postgresql-doc-15
python-astropy-doc python-django-doc python-scipy-doc python-sklearn-doc
python3.11-doc r-doc-html sqlite3-doc valgrind vim-doc wireshark-doc zsh-doc""".split()

# A package may give at most this many files; prose first (see `prose_weight`).
FILES_PER_PACKAGE_MAX = 700
FILE_BYTES_MAX = 400_000
PARAGRAPH_CHARS_MIN = 80
PARAGRAPH_CHARS_MAX = 900
HELD_OUT_PERCENT = 2

BLOCK = re.compile(
    r"<(h[1-6]|p|li|dd|dt|title|td)(?:\s[^>]*)?>(.*?)(?=</\1\s*>|<(?:h[1-6]|p|li|dd|dt|pre|div)[\s>])",
    re.I | re.S,
)
DROP = re.compile(r"<(script|style|pre|head|nav)\b.*?</\1\s*>|<!--.*?-->", re.I | re.S)
TAG = re.compile(r"<[^>]+>")
SPACE = re.compile(r"\s+")
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*|\d[\d.,:]*")
STOP = set(
    """a an and are as at be been but by can could did do does for from had has have he her his how i
    if in into is it its may more most no not of on or other our out over she should so some such than
    that the their them then there these they this those to up was we were what when where which who
    whose why will with would you your also any only same all each very""".split()
)


def squeeze(text):
    text = html.unescape(TAG.sub(" ", text)).replace("¶", " ").replace("\u2581", " ")
    return SPACE.sub(" ", text).strip()


def is_held_out(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def read_text(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as handle:
        return handle.read(FILE_BYTES_MAX).decode("utf-8", "ignore")


def html_sections(text):
    """(document title, [(heading, [paragraph])]) of an HTML or Mallard page."""
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    title = re.split(r" [—|] | - ", squeeze(found.group(1)))[0] if found else ""
    sections = [(title, [])]
    text = re.sub(r'<div class="para">', "<p>", DROP.sub(" ", text))
    for tag, body in BLOCK.findall(text):
        line = squeeze(body)
        if tag.lower().startswith("h") or tag.lower() == "title":
            heading = re.sub(r"^(chapter|section|appendix)?\s*[\dA-Z]*[.\d]+\s+", "", line, flags=re.I)
            if heading != sections[-1][0]:
                sections.append((heading, []))
        elif line:
            sections[-1][1].append(line)
    return title, sections


def rst_sections(text):
    """The same for reStructuredText and other underlined plain text."""
    sections = [("", [])]
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        while lines and re.fullmatch(r"\s*([=\-~^*\"'#.`+])\1{2,}\s*", lines[0]):
            lines.pop(0)
        if len(lines) >= 2 and re.fullmatch(r"([=\-~^*\"'#.`+])\1{2,}\s*", lines[1]):
            sections.append((lines[0].strip(), []))
            lines = lines[2:]
        if not lines or lines[0].startswith((" ", "\t", "..", ":", "|")):
            continue
        line = squeeze(re.sub(r":\w+:`|``|\*\*|`_?", "", " ".join(lines)))
        if line:
            sections[-1][1].append(line)
    title = next((h for h, _ in sections if h), "")
    return title, sections


def man_sections(text):
    """The same for a roff manual page."""
    title = ""
    sections = [("", [""])]
    for line in text.split("\n"):
        line = re.sub(r"\\f[A-Z]|\\f\(..|\\&|\\\||\\/", "", line).replace("\\-", "-")
        line = re.sub(r"\\\((?:lq|rq|dq)|\\\(em|\\\(bu", " ", line)
        macro = re.match(r"[.'](\w+|\\\")\s*(.*)", line)
        if macro is None:
            sections[-1][1][-1] += " " + line
        elif macro.group(1) in ("SH", "SS"):
            sections.append((macro.group(2).strip('"').capitalize(), [""]))
        elif macro.group(1) in ("PP", "P", "LP", "TP", "IP", "sp"):
            sections[-1][1].append("")
        elif macro.group(1) in ("B", "I", "BR", "IR", "RB", "RI", "BI"):
            sections[-1][1][-1] += " " + macro.group(2).replace('"', "")
    for heading, paragraphs in sections:
        if heading.lower() == "name":
            title = squeeze(" ".join(paragraphs))
    return title, [(h, [squeeze(p) for p in ps if p.strip()]) for h, ps in sections]


def english_files(root, package):
    """Readable files of one package, English only, prose before reference listings."""
    files = []
    for path in glob.glob(os.path.join(root, package, "**", "*"), recursive=True):
        if not os.path.isfile(path) or not re.search(
            r"\.(html?|page|rst|rst\.txt|txt)(\.gz)?$|/man[1-9]/", path
        ):
            continue
        if package == "gnome-user-docs" and "/C/" not in path:
            continue
        if package == "debian-handbook" and "/en-US/" not in path:
            continue
        if package == "installation-guide-amd64" and "/en/" not in path:
            continue
        if re.search(r"/(translations|genindex|_sources/.*api|changelog|news|/_modules/)", path, re.I):
            continue
        files.append(path)
    rng = random.Random(package)
    files.sort(key=lambda p: (bool(re.search(r"generated|/api|reference|_modules", p)), rng.random()))
    return files[:FILES_PER_PACKAGE_MAX]


def is_prose(paragraph):
    """English sentences rather than code, tables and listings."""
    words = WORD.findall(paragraph)
    if len(words) < 12:
        return False
    letters = sum(c.isalpha() or c == " " for c in paragraph) / len(paragraph)
    stop = sum(w.lower() in STOP for w in words) / len(words)
    return letters > 0.88 and stop > 0.22


def join_paragraphs(paragraphs):
    """Passages of PARAGRAPH_CHARS_MIN..MAX characters from consecutive prose paragraphs."""
    passages, held = [], ""
    for paragraph in (p for p in paragraphs if is_prose(p)):
        if held and len(held) + len(paragraph) > 500:
            passages.append(held)
            held = ""
        held = (held + " " + paragraph).strip()[:PARAGRAPH_CHARS_MAX]
    if len(held) >= PARAGRAPH_CHARS_MIN:
        passages.append(held)
    return passages


def pseudo_question(sentence, rng):
    """A question-like query from a sentence: an interrogative and some of its content words."""
    words = WORD.findall(sentence)
    content = [w for w in words if w.lower() not in STOP]
    if len(content) < 4:
        return None
    shape = rng.random()
    if shape < 0.35:
        keep = rng.randint(3, min(7, len(content)))
        chosen = sorted(rng.sample(range(len(content)), keep))
        text = " ".join(content[i] for i in chosen)
        return text.lower() if rng.random() < 0.5 else text
    start = rng.randrange(0, max(1, len(words) - 6))
    span = words[start : start + rng.randint(6, 14)]
    if shape < 0.5:
        return " ".join(span)
    cut = rng.randrange(len(span))
    span = [w for i, w in enumerate(span) if i != cut]
    opening = rng.choice(
        ["What", "What is", "Which", "How", "How many", "How much", "When", "Where", "Who", "Why",
         "What kind of", "In what", "How long", "What does", "How do I", "Can I", "How can", "Is"]
    )
    lowered = span[0].lower() if span[0].lower() in STOP else span[0]
    return f"{opening} {lowered} {' '.join(span[1:])}?"


def package_pairs(lists):
    """Short description <-> long description, from apt's English translation index."""
    pairs, seen = [], set()
    for path in sorted(glob.glob(os.path.join(lists, "*Translation-en*"))):
        raw = subprocess.run(
            ["/usr/lib/apt/apt-helper", "cat-file", path], check=True, capture_output=True
        ).stdout.decode("utf-8", "ignore")
        for entry in raw.split("\n\n"):
            name = re.search(r"^Package: (.*)$", entry, re.M)
            body = re.search(r"^Description-en: (.*)\n((?: .*\n?)*)", entry, re.M)
            if not name or not body:
                continue
            short = body.group(1)
            text = re.sub(r"^ \.$", "\n", body.group(2), flags=re.M)
            paragraphs = [squeeze(p) for p in re.split(r"\n\s*\n", text)]
            prose = [p for p in paragraphs if is_prose(p)]
            if not prose or re.search(r"-dbg|-dev$|transitional|dummy", name.group(1) + short):
                continue
            key = prose[0][:80]
            if key in seen:
                continue
            seen.add(key)
            long_text = " ".join(prose)[:PARAGRAPH_CHARS_MAX]
            pairs.append(("package", name.group(1), short, long_text))
    return pairs


def document_pairs(root, rng):
    pairs = []
    for package in PACKAGES:
        count = len(pairs)
        for path in english_files(root, package):
            text = read_text(path)
            if path.endswith((".rst", ".rst.gz", ".txt", ".txt.gz")):
                title, sections = rst_sections(text)
            elif "/man" in path and "<html" not in text.lower():
                title, sections = man_sections(text)
            else:
                title, sections = html_sections(text)
            pairs.extend(pairs_of_document(title, sections, rng))
        print(f"{package}: {len(pairs) - count} pairs", flush=True)
    return pairs


def pairs_of_document(title, sections, rng):
    pairs = []
    for heading, paragraphs in sections:
        passages = join_paragraphs(paragraphs)
        for index, passage in enumerate(passages[:6]):
            named = title if title and rng.random() < 0.4 else ""
            query = heading if heading and heading != title else title
            if index == 0 and 4 <= len(query) <= 120:
                named = "" if query == named else named
                if heading != title and title and rng.random() < 0.3:
                    query = f"{title}: {heading}" if rng.random() < 0.5 else f"{heading} {title}"
                    named = ""
                pairs.append(("heading", named, query, passage))
            pairs.extend(sentence_pairs(named, passage, rng, "sentence"))
    return pairs


def sentence_pairs(named, passage, rng, source):
    """One sentence (or a question made from it) <-> the passage, often without that sentence."""
    sentences = [s for s in SENTENCE.split(passage) if 30 <= len(s) <= 300]
    if len(sentences) < 2:
        return []
    pairs = []
    for sentence in rng.sample(sentences, 2):
        rest = passage
        if rng.random() < 0.35:
            rest = squeeze(passage.replace(sentence, " "))
        query = sentence if rng.random() < 0.15 else pseudo_question(sentence, rng)
        if query and len(rest) >= PARAGRAPH_CHARS_MIN:
            pairs.append((source, named, query, rest))
    return pairs


def terms_of(text):
    return [w.lower().strip("'-.,:") for w in WORD.findall(text) if w.lower() not in STOP]


def mine_negatives(rows, queries_max, rng):
    """BM25 (k1 1.2, b 0.75): for each of `queries_max` rows, hard negatives among the other texts."""
    texts = sorted({r["text"] for r in rows})
    index_of = {t: i for i, t in enumerate(texts)}
    docs = [terms_of(t) for t in texts]
    lengths = np.array([len(d) for d in docs], dtype=np.float32)
    postings = {}
    for i, doc in enumerate(docs):
        for term in doc:
            postings.setdefault(term, []).append(i)
    norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
    lists = {}
    for term, where in postings.items():
        ids, counts = np.unique(np.array(where, dtype=np.int32), return_counts=True)
        if len(ids) < 2 or len(ids) > 0.03 * len(texts):
            continue
        idf = np.log(1 + (len(texts) - len(ids) + 0.5) / (len(ids) + 0.5))
        lists[term] = (ids, (idf * counts * 2.2 / (counts + norm[ids])).astype(np.float32))
    scores = np.zeros(len(texts), dtype=np.float32)
    chosen = rng.sample(rows, min(queries_max, len(rows)))
    for row in chosen:
        touched = [lists[t] for t in set(terms_of(row["query"])) if t in lists]
        if not touched:
            continue
        for ids, weight in touched:
            scores[ids] += weight
        ids = np.concatenate([t[0] for t in touched])
        own = index_of[row["text"]]
        limit = 0.9 * scores[own] if scores[own] > 0 else np.inf
        ids = np.unique(ids)
        ids = ids[np.argsort(-scores[ids])][:12]
        start = row["text"][:60]
        row["negatives"] = [
            texts[i] for i in ids if i != own and scores[i] <= limit and texts[i][:60] != start
        ][:3]
        for ids_zero, _ in touched:
            scores[ids_zero] = 0.0
    return len(chosen)


def build(args):
    rng = random.Random(args.seed)
    packages = package_pairs(args.apt_lists)
    print(f"package descriptions: {len(packages)}", flush=True)
    pairs = list(packages)
    for _, name, _, text in packages:
        pairs.extend(sentence_pairs(name if rng.random() < 0.3 else "", text, rng, "package_sentence"))
    pairs.extend(document_pairs(args.docs, rng))
    rows = []
    for source, title, query, text in pairs:
        if source == "package" and rng.random() < 0.6:
            title = ""
        held_out = is_held_out(text[:60])
        if rng.random() < 0.08:
            title, query, text = title.lower(), query.lower(), text.lower()
        rows.append(
            {"source": source, "title": title[:80], "query": query[:300], "text": text,
             "negatives": [], "held_out": held_out}
        )
    vocabulary = sorted({w for r in rows for w in re.findall(r"[a-z]{4,10}", r["text"])})
    rows_mined = mine_negatives(rows, args.mined, rng)
    policies = embedder_policies.generate(args.policies, vocabulary, rng)
    rows.extend(policies)
    rng.shuffle(rows)
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "pairs.jsonl"), "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{len(rows)} pairs, {rows_mined} mined, {len(policies)} generated")


def tokenize(args):
    """pairs.jsonl -> tokens.npz: flat uint16 ids with offsets, queries and documents, BOS..EOS."""
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=args.tokenizer)
    with open(os.path.join(args.out, "pairs.jsonl"), encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts, owners = [], []
    for row in rows:
        title = row["title"] or "none"
        texts.append(f"task: search result | query: {row['query']}")
        texts.append(f"title: {title} | text: {row['text']}")
        negatives = [f"title: {title if row['title'] else 'none'} | text: {n}" for n in row["negatives"]]
        texts.extend(negatives)
        owners.append(len(negatives))
    flat, offsets = [], [0]
    for begin in range(0, len(texts), 20_000):
        for ids in model.encode(texts[begin : begin + 20_000]):
            ids = [model.bos_id()] + ids[: args.tokens_max - 2] + [model.eos_id()]
            flat.append(np.array(ids, dtype=np.uint16))
            offsets.append(offsets[-1] + len(ids))
    first = np.cumsum([0] + [2 + n for n in owners])[:-1]
    sources = sorted({r["source"] for r in rows})
    np.savez(
        os.path.join(args.out, "tokens.npz"),
        ids=np.concatenate(flat),
        offsets=np.array(offsets, dtype=np.int64),
        first=first.astype(np.int64),
        negatives=np.array(owners, dtype=np.int32),
        held_out=np.array([r["held_out"] for r in rows]),
        source=np.array([sources.index(r["source"]) for r in rows], dtype=np.int32),
        sources=np.array(sources),
    )
    lengths = np.diff(np.array(offsets))
    print(f"{len(rows)} pairs, {len(texts)} texts, {lengths.sum()} tokens, mean {lengths.mean():.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", nargs="?", choices=["build", "tokenize", "packages"], default="build")
    parser.add_argument("--apt-lists", default="/var/lib/apt/lists")
    parser.add_argument("--docs", default="build/pocket/docs")
    parser.add_argument("--out", default="build/pocket/embedder")
    parser.add_argument("--tokenizer", default="models/pocket/train/tokenizer.model")
    parser.add_argument("--tokens-max", type=int, default=256)
    parser.add_argument("--policies", type=int, default=80_000)
    parser.add_argument("--mined", type=int, default=110_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    steps = {"build": build, "tokenize": tokenize, "packages": lambda _: print(*PACKAGES)}
    steps[args.step](args)


if __name__ == "__main__":
    main()
