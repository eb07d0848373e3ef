import dataclasses
import json
import re
from typing import Any

import pytest

from pytest_sparsetol.statistics import EvidenceError, Plan, decide


def test_by_default_one_look_has_all_of_alpha() -> None:
    plan = Plan(100)
    assert (plan.looks, plan.shares, plan.ends, plan.left, plan.early_fail) == ((100,), (1.0,), (100,), 0.0, True)


def test_looks_spend_little_at_first_and_no_more_than_alpha() -> None:
    plan = Plan(200, (50, 100, 200))
    assert plan.shares == pytest.approx((1 / 64, 7 / 64, 56 / 64))
    assert sum(Plan(200, (50, 100, 200), reserve=0.2).shares) == pytest.approx(0.8)


def test_extensions_spend_what_is_left() -> None:
    plan = Plan(100, reserve=0.2)
    once = plan.extended(150)
    twice = once.extended(200)
    assert once.shares == pytest.approx((0.8, 0.1))
    assert twice.shares == pytest.approx((0.8, 0.1, 0.05))
    assert (twice.items, twice.looks, twice.ends) == (200, (100, 150, 200), (100, 150, 200))
    with pytest.raises(EvidenceError, match="spend all of alpha"):
        Plan(100).extended(150)
    with pytest.raises(EvidenceError, match="adds none"):
        plan.extended(100)


def test_an_extension_cannot_pass_where_the_plain_limit_would() -> None:
    # 62 zeros and a loss fail to pass at 63 items; 93 items would pass with all of alpha, not with what is left.
    values = [0.0] * 31 + [1.0] + [0.0] * 61
    plan = Plan(63, reserve=0.2)
    assert decide(values[:63], 0.05, plan=plan).verdict == "INCONCLUSIVE"
    assert decide(values, 0.05).verdict == "PASS"
    assert decide(values, 0.05, plan=plan.extended(93)).verdict == "INCONCLUSIVE"
    longer = values + [0.0] * 60
    assert decide(longer, 0.05, plan=plan.extended(len(longer))).verdict == "PASS"


def test_an_extension_does_not_undo_a_fail() -> None:
    values = ([0.0] * 7 + [1.0]) * 8
    plan = Plan(len(values), early_fail=False, reserve=0.2)
    failed = decide(values, 0.05, plan=plan)
    assert failed.verdict == "FAIL"
    assert decide(values + [0.0] * 600, 0.05, plan=plan.extended(len(values) + 600)) == failed


def test_an_early_look_passes_with_its_share() -> None:
    plan = Plan(200, (100, 200))
    # An eighth of alpha at half the items: 99 without a loss.
    assert decide([0.0] * 200, 0.05, plan=plan).items == 100
    later = decide([1.0] + [0.0] * 199, 0.05, plan=plan)
    assert (later.verdict, later.items) == ("PASS", 200)
    assert later.upper == pytest.approx(decide([1.0] + [0.0] * 199, 0.05, 1 - 0.05 * 7 / 8).upper)


def test_between_looks_only_a_fail_ends_a_cell() -> None:
    # The mean exceeds the threshold at the first look, by chance perhaps: the cell goes on.
    values = [0.0] * 15 + [1.0] * 3 + [0.0] * 382
    plan = Plan(400, (20, 400))
    assert decide(values, 0.05, plan=plan).verdict == "PASS"


def test_is_kept_as_json() -> None:
    plan = Plan(150, (50, 150), reserve=0.1).extended(200)
    assert Plan(**json.loads(json.dumps(dataclasses.asdict(plan)))) == plan


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"items": 0}, "nothing to judge"),
        ({"items": 10, "looks": (5, 5, 10)}, "not ascending"),
        ({"items": 10, "looks": (0, 10)}, "not ascending"),
        ({"items": 10, "looks": (5,)}, "last look is after 5"),
        ({"items": 10, "looks": (5, 10), "shares": (1.0,)}, "2 looks but 1 shares"),
        ({"items": 10, "looks": (5, 10), "shares": (0.6, 0.6)}, "sum to at most 1"),
        ({"items": 10, "shares": (0.0,)}, "above 0"),
        ({"items": 10, "reserve": 1.0}, "reserve 1.0"),
        ({"items": 10, "ends": (5, 10)}, "must be looks"),
    ],
)
def test_refuses_what_is_no_plan(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(EvidenceError, match=re.escape(says)):
        Plan(**arguments)
