from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparsetol_suites.item import MISSING, Score
from sparsetol_suites.scoring import (
    SCORERS,
    choice,
    contains,
    exact,
    f1,
    find_answer,
    iou,
    letters,
    numbered,
    share,
    words,
)

from tests.suites.drawn import check_score


@pytest.mark.parametrize(
    ("reply", "tagged", "answer"),
    [
        ("blue", False, "blue"),
        ("  **blue**\n", False, "blue"),
        ("I think.\nAnswer: blue", False, "blue"),
        ("**Answer:** blue", False, "blue"),
        ("**Answer**: blue", False, "blue"),
        ("Final answer: blue", False, "blue"),
        ("The answer is: blue", False, "blue"),
        ("Answer: red. No. Answer: blue", False, "blue"),
        ("<answer>red</answer> no, <answer> blue </answer>", False, "blue"),
        ("<ANSWER>\nblue\n</ANSWER>", True, "blue"),
        ("<answer>two\nlines</answer>", True, "two\nlines"),
        ("Answer: red <answer>blue</answer>", False, "blue"),
        ("Answer: blue", True, None),
        ("<answer>blue", True, None),
        ("<answer></answer>", True, None),
        ("<answer></answer>", False, None),
        ("Answer:", False, None),
        ("", False, None),
        (" \n\t", False, None),
        ("***", False, None),
    ],
)
def test_find_answer(reply: str, tagged: bool, answer: str | None) -> None:
    assert find_answer(reply, tagged=tagged) == answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Well-Known, an  'engine'.", ["well", "known", "engine"]),
        ("\u201cÉtude\u201d \u2013 nº 3", ["étude", "nº", "3"]),
        ("a the an", []),
        ("$5 + 3%", ["5", "3"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("answers", "text", "value"),
    [
        (["the blue river"], "Blue river.", 1),
        (["blue river"], "It is the blue river", 2 / 3),
        (["blue river", "Danube"], "danube", 1),
        (["blue"], "blue blue", 2 / 3),
        (["blue blue"], "blue", 2 / 3),
        (["blue"], "red", 0),
        (["the"], "red", 0),
        (["blue"], "the", None),
        (["blue"], "?!", None),
    ],
)
def test_f1(answers: list[str], text: str, value: float | None) -> None:
    check_score(f1(answers, text), value)


@pytest.mark.parametrize(
    ("answers", "text", "value"),
    [
        (["blue river"], "It was the Blue River, I think.", 1),
        (["blue river"], "a blue, wide river", 0),
        (["car"], "cargo", 0),
        (["red", "blue"], "blue", 1),
        (["the"], "the car", 0),
        (["blue"], "...", None),
    ],
)
def test_contains(answers: list[str], text: str, value: float | None) -> None:
    check_score(contains(answers, text), value)


@pytest.mark.parametrize(
    ("answers", "text", "value"),
    [
        (["Blue river"], "the **blue** river.", 1),
        (["Blue river"], "It is the blue river", 0),
        (["Blue river"], "river blue", 0),
        (["red", "blue"], "blue", 1),
        (["blue"], "", None),
    ],
)
def test_exact(answers: list[str], text: str, value: float | None) -> None:
    check_score(exact(answers, text), value)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("C", "C"),
        ("c", "C"),
        ("(c)", "C"),
        ("Answer: C", "C"),
        ("answer: (c)", "C"),
        ("**Answer:** **C**", "C"),
        ("**C**", "C"),
        ("C.", "C"),
        ("C) The river", "C"),
        ("[C] the river", "C"),
        ("B. Vitamin A", "B"),
        ("B: because C is wrong", "B"),
        ("The correct answer is **C. Paris**", "C"),
        ("The answer is A because it rains.", "A"),
        ("A dog ran. The answer is B.", "B"),
        ("Not given. The correct option is (D)", "D"),
        ("The answer is B. The answer is C.", "C"),
        ("\u201cC\u201d", "C"),
        ("A and C", "AC"),
        ("A, C", "AC"),
        ("A, B and C", "ABC"),
        ("AC", "AC"),
        ("**A** and **C**", "AC"),
        ("Answers: A/C", "AC"),
        ("A.\nC.", "AC"),
        ("C. the river\n\nA is wrong.", "C"),
        ("I pick both B and D.", "BD"),
        ("A, B, C, D", "ABCD"),
        ("A river", ""),
        ("It was a D-shaped hole", ""),
        ("Bach, Ahab and DNA", ""),
        ("E", ""),
        ("none of them", ""),
        ("", ""),
    ],
)
def test_letters(text: str, chosen: str) -> None:
    assert letters(text) == frozenset(chosen)


@pytest.mark.parametrize(
    ("answers", "text", "value"),
    [
        (["C"], "Answer: C", 1),
        (["c"], "C", 1),
        (["A", "C"], "C and A", 1),
        (["A", "C"], "A", 0),
        (["A"], "A, B, C, D", 0),
        (["C"], "I cannot answer.", None),
        (["C"], "", None),
    ],
)
def test_choice(answers: list[str], text: str, value: float | None) -> None:
    check_score(choice(answers, text), value)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("1. red\n2. blue", {1: "red", 2: "blue"}),
        ("1) red,\n2) blue;", {1: "red", 2: "blue"}),
        ("(1) red\n(2) blue", {1: "red", 2: "blue"}),
        ("**1.** red\n- **2**: **blue**", {1: "red", 2: "blue"}),
        ("Sure:\n\n1: red\n\n2: blue\n\nThat is all.", {1: "red", 2: "blue"}),
        ("1. red 2. blue", {1: "red", 2: "blue"}),
        ("1. red, 2. blue", {1: "red", 2: "blue"}),
        ("2. blue\n1. red", {1: "red", 2: "blue"}),
        ("1. red\n1. blue", {1: "red"}),
        ("1.\n2. blue", {1: "", 2: "blue"}),
        ("1. room 12. Then out", {1: "room 12. Then out"}),
        ("red, blue", {}),
        ("12-a3-b4: red", {}),
        ("3.5 metres", {}),
        ("", {}),
    ],
)
def test_numbered(text: str, entries: dict[int, str]) -> None:
    assert numbered(text) == entries


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1. red ball\n2. blue\n3. green", 1),
        ("1. Red ball.\n2. blue\n3. purple", 2 / 3),
        ("1. blue\n2. red ball\n3. green", 1 / 3),
        ("3. green", 1 / 3),
        ("Red ball\nblue\ngreen", 1),
        ("- red ball\n- blue\n- green", 1),
        ("red ball, blue, green", 1),
        ("red ball; blue; green.", 1),
        ("green, blue, red ball", 1 / 3),
        ("1. red ball or blue\n2. blue\n3. green", 2 / 3),
        ("1. red ball\n2. blue\n3. green\n4. black", 1),
        ("none", 0),
        ("1.\n2.\n3.", None),
        ("", None),
        ("...", None),
    ],
)
def test_share(text: str, value: float | None) -> None:
    check_score(share(["red ball", "blue", "green"], text), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Paris, Romeo and Juliet, 7", 1),
        ("7, Paris, and Romeo and Juliet", 1),
        ("- Paris\n- Romeo and Juliet\n- 7", 1),
        ("1. Paris\n2. **Romeo and Juliet**\n3. 7.", 1),
        ("Here they are:\nParis\n7\nRomeo and Juliet", 1),
        ("They are: Paris, 7, Romeo and Juliet.", 1),
        ("The names are Paris; 7; Romeo and Juliet,", 1),
        ("Paris & 7", 2 / 3),
        ("Paris, Paris, Paris", 1 / 3),
        ("Paris, 7, Romeo and Juliet, Rome", 3 / 4),
        ("Paris, London", 1 / 4),
        ("London", 0),
        ("Not Paris", 0),
        ("", None),
        ("They are:", None),
        (", ; .", None),
    ],
)
def test_iou(text: str, value: float | None) -> None:
    check_score(iou(["Paris", "Romeo and Juliet", "7"], text), value)


@pytest.mark.parametrize("name", sorted(SCORERS))
@given(answers=st.lists(st.text(min_size=1), min_size=1, max_size=5), text=st.text())
def test_any_text_has_a_score(name: str, answers: list[str], text: str) -> None:
    score = SCORERS[name](answers, text)
    assert 0 <= score.value <= 1
    assert score.value == 0 or not score.missing
    assert SCORERS[name](answers, "") == MISSING


@pytest.mark.parametrize("name", sorted(set(SCORERS) - {"choice"}))
@given(
    answers=st.lists(
        st.from_regex(r"[b-z]{2,8}( [b-z]{2,8})?", fullmatch=True), min_size=1, max_size=5, unique=True
    ).filter(lambda answers: all(words(answer) == answer.split() for answer in answers))
)
def test_the_reference_scores_one(name: str, answers: list[str]) -> None:
    lists = name in {"iou", "share"}
    assert SCORERS[name](answers, "\n".join(answers) if lists else answers[-1]) == Score(1.0)
