"""A tokenizer in which every word that the small suite can say is one token, with bytes for everything else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from random import Random

from sparsetol_suites.invented import short
from sparsetol_suites.stories import short_style
from sparsetol_suites.suite import load_suite
from sparsetol_suites.task import Draw
from sparsetol_suites.words import ADJECTIVES, NAMES, NOUNS, PLACES
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SUITE = "frontier-small"
BEGIN, USER, ASSISTANT, END, PAD = "<|begin|>", "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
SPECIAL = (PAD, BEGIN, USER, ASSISTANT, END)

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    f"{{{{ '{USER}' if message['role'] == 'user' else '{ASSISTANT}' if message['role'] == 'assistant' else '' }}}}"
    f"{{{{ message['content'] }}}}{{{{ '{END}' if message['role'] == 'assistant' else '' }}}}"
    f"{{% endfor %}}{{% if add_generation_prompt %}}{ASSISTANT}{{% endif %}}"
)

NUMBERS = 200
"""Numbers under this are one token each; of others, every digit is one."""

_SPACE = "\u2581"
_PUNCTUATION = ".,:;?!()[]<>=-'\"/&*+_#%$@`~^|{}\\"
_PIECES = re.compile(r"[A-Za-z]+|\d+|___|\n+|[^\w\s]")
_SAMPLES = 200


class Counter:
    """Counts tokens as this tokenizer would, several times faster."""

    def prompt(self, message: str) -> int:
        """Tokens of the prompt that one user message becomes."""
        return self.text(message) + 3

    def text(self, message: str) -> int:
        """Tokens of a text."""
        return len(_PIECES.findall(message))


def suite_words() -> list[str]:
    """Every word that the suite's tasks can say: the lists that they draw from, and the words of their sentences."""
    found: set[str] = {*ADJECTIVES, *NOUNS, *NAMES, *PLACES}
    found.update(short_style.ADJECTIVES, short_style.THINGS, short_style.SCENERY, short_style.LOOKS)
    for words in short.PEOPLE.words.values():
        found.update(words)
    found.update(["one", "two", "three", "four", "five", "six", "seven", "eight"])
    counter = Counter()
    for entry in load_suite(SUITE, Path()).tasks:
        for index in range(_SAMPLES):
            draft = entry.task.draft(entry.shortest, counter, Draw(Random(index), 0, index))
            for text in (draft.message, *draft.answers):
                found.update(re.findall(r"[A-Za-z]+", text))
    found.update(
        [
            "True",
            "False",
            "Answer",
            "Chapter",
            "Chapters",
            "chapter",
            "number",
            "variable",
            "variables",
            "word",
            "words",
        ]
    )
    return sorted(found)


def build_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """The tokenizer over `words`, lossless for any text.

    Words carry the space before them. One is put before words that begin a text, a line or a bracket too, and taken
    away in decoding, so that a word is the same token wherever it stands.
    """
    tokens: list[str] = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += [chr(code) for code in range(33, 127)] + ["\n", "\n\n", _SPACE]
    tokens += [f"{_SPACE}{mark}" for mark in _PUNCTUATION]
    tokens += ["___", f"{_SPACE}___"]
    tokens += [f"{_SPACE}{number}" for number in range(NUMBERS)]
    tokens += [f"{_SPACE}{word}" for word in words]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, ignore_merges=True))
    backend.normalizer = normalizers.Sequence(
        [
            # A space that stands there already is kept as a second one.
            normalizers.Replace(Regex(r"(?<=[\n(]) "), _SPACE * 2),
            normalizers.Replace(Regex(r"\n(?=[A-Za-z0-9])"), f"\n{_SPACE}"),
            normalizers.Replace(Regex(r"\((?=[A-Za-z0-9])"), f"({_SPACE}"),
            normalizers.Replace(" ", _SPACE),
            normalizers.Prepend(_SPACE),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.Split(
        Regex(rf"{_SPACE}?[A-Za-z]+|{_SPACE}?[0-9]+|{_SPACE}?___|\n+|{_SPACE}?[^A-Za-z0-9\n{_SPACE}]|{_SPACE}"),
        behavior="isolated",
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace(_SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Replace("\n ", "\n"),
            decoders.Replace("( ", "("),
            decoders.Strip(" ", 1, 0),
        ]
    )
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=backend,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        chat_template=TEMPLATE,
    )
