"""Replies that SmolLM2-135M-Instruct (Q4_1, dense, greedy, on a CPU) wrote, with scores judged by hand.

`score` is null where the reply holds no answer. Some replies are to earlier wordings of a question.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sparsetol_suites.item import Item
from sparsetol_suites.registry import task_class

from tests.suites.drawn import check_score

REPLIES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "smollm2_replies.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("reply", REPLIES, ids=[f"{at}-{reply['task']}" for at, reply in enumerate(REPLIES)])
def test_real_replies(reply: dict[str, Any]) -> None:
    task = task_class(reply["task"])(**reply["parameters"])
    item = Item("x", "", tuple(reply["answers"]), (), "x")
    check_score(task.score(item, reply["reply"]), reply["score"])


def test_every_task_is_there() -> None:
    ruler = {"ruler_niah", "ruler_vt", "ruler_cwe"}
    stories = {"story_retrieval", "story_multihop", "story_filtering"}
    assert {reply["task"] for reply in REPLIES} >= {"qa", "qa_choice"} | ruler | stories
