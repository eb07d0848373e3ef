import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sparsetol.errors import SparsetolError
from pytest_sparsetol.statistics import Plan, decide
from pytest_sparsetol.statistics.limits import lower_limit
from pytest_sparsetol.statistics.outlook import items_to_decide
from pytest_sparsetol.statistics.sample import collect

NAN = float("nan")


def test_no_loss_in_59_items_passes_at_five_points() -> None:
    decision = decide([0.0] * 59, 0.05)
    assert (decision.verdict, decision.mean, decision.items) == ("PASS", 0.0, 59)
    assert decision.upper == pytest.approx(0.0495076, abs=1e-6)
    assert decide([0.0] * 58, 0.05).verdict == "INCONCLUSIVE"


def one_look(values: list[float]) -> Plan:
    return Plan(len(values), early_fail=False)


def test_a_clear_loss_fails() -> None:
    values = [1.0] * 8 + [0.0] * 52
    decision = decide(values, 0.05, plan=one_look(values))
    assert decision.verdict == "FAIL"
    assert decision.lower > 0
    assert decision.reason == "13.3 points are lost, allowed are 5.0"


def test_a_loss_that_chance_explains_is_not_a_fail() -> None:
    decision = decide(([0.0] * 12 + [1.0]) * 3, 0.05)
    assert decision.mean > 0.05
    assert decision.verdict == "INCONCLUSIVE"


def test_a_certain_loss_below_the_threshold_is_not_a_fail() -> None:
    decision = decide(([0.0] * 24 + [1.0]) * 16, 0.05)
    assert 0 < decision.lower < decision.mean < 0.05 < decision.upper
    assert decision.verdict == "INCONCLUSIVE"


def test_a_mean_at_the_threshold_is_no_fail_whatever_its_last_digit() -> None:
    values = ([0.0] * 10 + [0.1, 0.2, 0.3]) * 40
    threshold = sum(sorted(values)) / len(values)
    for nudge in (0.0, -1e-16, 1e-16):
        assert decide(values, threshold + nudge, plan=one_look(values)).verdict == "INCONCLUSIVE"


def test_gains_do_not_hide_behind_losses() -> None:
    assert decide([1.0, *[0.0] * 4, -1.0, *[0.0] * 4] * 10, 0.05).verdict == "INCONCLUSIVE"
    assert decide([-0.2] * 40, 0.05).verdict == "PASS"


@given(
    st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.02, 0.3, 1.0]), min_size=1, max_size=60),
    st.sampled_from([0.02, 0.05, 0.1, 0.5]),
)
@settings(deadline=None, max_examples=80)
def test_verdict_follows_from_the_numbers_shown(values: list[float], threshold: float) -> None:
    decision = decide(values, threshold, plan=one_look(values))
    passes = decision.upper <= threshold
    fails = decision.mean > threshold and decision.lower > 0
    assert decision.verdict == ("PASS" if passes else "FAIL" if fails else "INCONCLUSIVE")
    assert decision.mean == pytest.approx(float(np.mean(values)))
    assert decision.items == len(values)


@pytest.mark.parametrize("values", [[0.0] * 50, [1.0] + [0.0] * 70, [1.0] * 3 + [0.0] * 37, [0.2, 0.0, 0.0] * 9])
def test_as_many_items_as_it_says_decide(values: list[float]) -> None:
    decision = decide(values, 0.05, plan=one_look(values))
    found = re.search(r"about (\d+) more items", decision.reason)
    assert found is not None
    times = 1 + int(found[1]) / len(values)
    share = {value: values.count(value) / len(values) for value in set(values)}
    # Rounding whole counts of each value up moves the mean a little; twice the extra items must do.
    for factor, decides in ((1 + 2 * (times - 1), True), (1 + 0.5 * (times - 1), False)):
        repeated = [value for value, part in share.items() for _ in range(round(part * len(values) * factor))]
        assert (decide(repeated, 0.05, plan=one_look(repeated)).verdict != "INCONCLUSIVE") == decides


def test_items_to_a_fail_are_those_at_the_alpha_of_a_fail() -> None:
    sample = collect([1.0] * 26 + [-1.0] * 15 + [0.0] * 159)
    more = items_to_decide(sample, 0.05, 0.05, 0.045)

    assert more is not None
    assert lower_limit(sample.times(1 + more / 200), 0.045) > 0 > lower_limit(sample.times(1 + 0.9 * more / 200), 0.045)


def test_a_mean_at_the_threshold_has_no_number_of_items() -> None:
    assert "too close" in decide([0.05] * 10, 0.05).reason
    # Their mean exceeds 0.03 by its last digits.
    assert "too close" in decide([0.02, 0.04] * 10, 0.03).reason


@pytest.mark.parametrize("losses", [0, 2, 5, 20])
def test_many_items_are_judged_by_the_beta_limit(losses: int) -> None:
    values = np.zeros(50_000)
    values[np.linspace(0, 49_999, losses).astype(int)] = 1.0

    decision = decide(list(values), 0.05)

    assert decision.verdict == "PASS"
    assert decision.mean <= decision.upper
    assert decision.lower <= decision.mean


@pytest.mark.parametrize("values", [[0.0] * 59, [0.0] * 400, [0.1] * 30, [0.0, 1.0] * 30])
def test_the_more_confidence_the_fewer_verdicts(values: list[float]) -> None:
    open_at = [decide(values, 0.05, confidence).verdict == "INCONCLUSIVE" for confidence in (0.5, 0.9, 0.99, 1 - 1e-9)]
    assert open_at == sorted(open_at)


def test_clusters_are_the_units() -> None:
    values, names = [0.0] * 60, [str(place // 2) for place in range(60)]
    assert decide(values, 0.05, clusters=names).verdict == "INCONCLUSIVE"
    assert decide(values, 0.05, clusters=[str(place) for place in range(60)]) == decide(values, 0.05)
    many = [str(place // 2) for place in range(118)]
    assert decide([0.0] * 118, 0.05, clusters=many).verdict == "PASS"


@pytest.mark.parametrize(
    ("values", "threshold", "clusters", "says"),
    [
        ([], 0.05, None, "no differences"),
        ([0.0, 1.5], 0.05, None, "1.5 of item 1 is outside [-1, 1]"),
        ([0.0, NAN], 0.05, None, "nan of item 1"),
        ([0.0, 0.0], 0.05, ["a"], "2 differences but 1 clusters"),
        ([0.0], 0.0, None, "threshold 0.0"),
        ([0.0], NAN, None, "threshold nan"),
        ([0.0], 1.2, None, "threshold 1.2"),
    ],
)
def test_refuses_what_it_cannot_judge(
    values: list[float], threshold: float, clusters: list[str] | None, says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        decide(values, threshold, clusters=clusters)
    assert isinstance(caught.value, SparsetolError)
    with pytest.raises(ValueError, match="confidence"):
        decide([0.0], 0.05, 1.0)
