#!/usr/bin/env python3
"""Which characters can the fonts inside Typst's wheel set? The compiler itself is asked: a PDF/UA-1 document may have no character without
a glyph, and its complaint names the place.

Writes src/paper/typst/glyphs.txt, ranges of code points in hexadecimal, for the letters of text, of bold, italic and of code alike.

    PYTHONPATH=FOLDER python3 tests/oracles/typst_fonts.py src/paper/typst/glyphs.txt

FOLDER has the package of src/typesetter/wheels.txt in it (the program keeps it as .cache/wheels/typst-VERSION).
"""

import random
import re
import sys
import unicodedata

import typst

HEAD = '#set document(title: "t", date: none)\n#set text(lang: "en")\n#title()\n'
STYLES = ["#%s;", "#strong[#%s;];", "#emph[#%s;];", "#strong[#emph[#%s;]];", "#raw(%s);"]
# Planes 0 to 3 and the pictures of plane 1 are in them; the rest is private, or tags that nobody sees.
LAST = 0x3FFFF
CHUNK = 2000
# What controls, hides, separates lines or has no meaning to others is no character of a text, whatever a font has for it.
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Marks that stand on whatever letter is before them; of all others some letters and marks of one writing lie in two fonts.
MARKS = [*range(0x300, 0x370), *range(0x900, 0x980)]
# Lao: a vowel of it is taken apart into one that stands above, which the font has only together with some letters.
APART = range(0xE80, 0xF00)


def written(text):
    return '"' + "".join("\\u{%x}" % ord(c) for c in text) + '"'


def missing(texts, style):
    """Of these texts, those that a font lacks."""
    source = HEAD + "".join(style % written(text) + "\n\n" for text in texts)
    try:
        typst.compile(source.encode(), ignore_system_fonts=True, format="pdf", pdf_standards=["ua-1"])
        return set()
    except typst.TypstError as error:
        said = error.diagnostic
        others = [line for line in said.split("\n") if line.startswith("error") and "could not be displayed" not in line]
        assert not others, others[:3]
        first = HEAD.count("\n") + 1
        return {texts[(int(line) - first) // 2] for line in re.findall(r"\.typ:(\d+):", said)}


def main(out):
    marks, letters = [], []
    for code in range(0x21, LAST + 1):
        kind = unicodedata.category(chr(code))
        if kind in UNSEEN or code in APART or (kind.startswith("M") and code not in MARKS):
            continue
        (marks if kind.startswith("M") else letters).append(chr(code))
    lacking = set()
    for characters, before in ((letters, ""), (marks, "a")):
        for at in range(0, len(characters), CHUNK):
            texts = [before + c for c in characters[at : at + CHUNK]]
            for style in STYLES:
                lacking |= {text[-1] for text in missing(texts, style)}
    known = [0x20] + sorted(ord(c) for c in letters + marks if c not in lacking)
    ranges = []
    for code in known:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    with open(out, "w", encoding="ascii") as file:
        file.write("# The characters that Typst's own fonts have, by tests/oracles/typst_fonts.py: FIRST-LAST, or the one alone.\n")
        for first, last in ranges:
            file.write(f"{first:04X}\n" if first == last else f"{first:04X}-{last:04X}\n")
    print(len(known), "characters in", len(ranges), "ranges;", prove(known), "texts of them set")


def prove(known):
    """Random texts of them, by the rule of src/paper/typst/glyphs.rs for marks, are set in every style."""
    random.seed(7)
    texts = []
    for _ in range(20_000):
        at = random.randrange(len(known))
        near = known[max(0, at - 30) : at + 30] + random.sample(known, 3) + MARKS[random.randrange(len(MARKS)) :][:4]
        text, letter = "", None
        for c in map(chr, random.choices([code for code in near if code in set(known)], k=random.randint(1, 14))):
            if not unicodedata.category(c).startswith("M"):
                letter = c
            elif letter is None or not letter.isalpha() or ord(letter) >= 0x2000:
                continue
            elif not (0x300 <= ord(c) < 0x370 or ord(c) >> 7 == ord(letter) >> 7):
                continue
            text += c
        texts.append(text or "a")
    for style in STYLES:
        assert not missing(texts, style), style
    return len(texts)


main(sys.argv[1])
