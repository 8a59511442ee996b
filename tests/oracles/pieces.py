"""Two small SentencePiece models, as a GGUF file would have them, and the ids that SentencePiece itself gives hard texts:
the reference for the tokenizer that an import makes of pieces with scores.

One is Llama's kind: a space is put before a text. The other is Gemma's: none is, and runs of spaces and line ends, and a
tag, are pieces that the user defined. The second is written as llama.cpp's converter writes it: spaces in what the user
defined are plain, and its score is -1000. SentencePiece takes no control token from a text, so that no text has one; nor has
one a `▁` beside spaces, which SentencePiece joins and Gemma's own tokenizer.json does not.

Written with Python 3.11 and sentencepiece 0.2.3, of the repository's LICENSE-APACHE:

    python3 -m venv venv && venv/bin/pip install sentencepiece==0.2.3
    venv/bin/python tests/oracles/pieces.py > tests/data/pieces.json
"""

import io
import json
import random
from pathlib import Path

import sentencepiece

TEXT = Path(__file__).parents[2] / "LICENSE-APACHE"
DEFINED = ["\n", "\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "<b>"]
HARD = [
    "a", " ", "  ", "     ", " a", "a ", "a  b", "the License", "The Licensor's", "LICENSE", "theatre of the contributions", "0 12 345",
    "\n", "\n\n\n", "a\nb", "a \n b", "x\n\n\n\ny", "\t", "naïve café", "Привет", "你好", "😀", "a😀b", "\u200d", "\u0301", "e\u0301",
    "<b>bold<b>", "< b>", "<b", "aaaaaaaaaa", "ababababab", "------", "(a) (b)", "http://www.apache.org/licenses/", "\u0000", "▁", "▁▁",
    "<0x41>", "Work or Derivative Works thereof", "indemnity,indemnity", "\r\n", "½ ² Ⅻ",
]


def texts():
    draw = random.Random(5)
    alphabet = list("abcdeilnorst  \n.,()") + ["é", "你", "😀", "   ", "the ", "tion", "<b>", "\u00a0"]
    return HARD + ["".join(draw.choice(alphabet) for _ in range(draw.randint(2, 24))) for _ in range(160)]


def model(prefix, defined):
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.read_text().splitlines()), model_writer=made, model_type="bpe", vocab_size=620, byte_fallback=True,
        add_dummy_prefix=prefix, remove_extra_whitespaces=False, normalization_rule_name="identity", split_digits=True,
        user_defined_symbols=defined, control_symbols=["<turn>"], character_coverage=1.0, num_threads=1, minloglevel=2)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    entries = []
    for n in range(pieces.get_piece_size()):
        piece, score, kind = pieces.id_to_piece(n), pieces.get_score(n), 1
        if pieces.is_unknown(n):
            kind = 2
        elif pieces.is_control(n):
            kind = 3
        elif piece in defined:
            piece, score, kind = piece.replace("▁", " "), -1000.0, 4
        elif pieces.is_byte(n):
            kind = 6
        entries.append([piece, score, kind])
    answers = []
    for text in texts():
        ids = pieces.encode(text)
        answers.append([text, ids, pieces.decode(ids)])
    return {
        "prefix": prefix, "bos": pieces.bos_id(), "eos": pieces.eos_id(), "unknown": pieces.unk_id(), "pieces": entries, "texts": answers,
    }


models = [model(True, []), model(False, DEFINED)]
print("[\n" + ",\n".join(json.dumps(one) for one in models) + "\n]")
