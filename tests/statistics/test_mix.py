import re
import time

import numpy as np
import pytest

from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics import Decision, EvidenceError, Plan, decide, decide_mix
from pytest_sparsetol.statistics.betting import Bets
from pytest_sparsetol.statistics.limits import upper_limit
from pytest_sparsetol.statistics.melding import belief, belief_of_bets, meld
from pytest_sparsetol.statistics.sample import collect


def evidence(values: list[float], clusters: list[str] | None = None) -> Evidence:
    return Evidence(values, ["task"] * len(values), clusters or [str(place) for place in range(len(values))])


def drawn(seed: int, items: int) -> list[float]:
    return [
        float(value) for value in np.random.default_rng(seed).choice([-1, 0, 0.25, 1], items, p=[0.02, 0.9, 0.05, 0.03])
    ]


def test_one_group_is_that_cell() -> None:
    values = drawn(1, 80)
    plan = Plan(80, early_fail=False)
    mixed, alone = decide_mix({"a": evidence(values)}, {"a": 1.0}, 0.1, 0.95), decide(values, 0.1, plan=plan)
    assert (mixed.verdict, mixed.mean, mixed.lower, mixed.upper) == (
        alone.verdict,
        alone.mean,
        alone.lower,
        alone.upper,
    )


@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.001])
@pytest.mark.parametrize("values", [[0.0] * 100, [0.3], [0.3, -0.2], [0.0, 0.0, 1.0], drawn(2, 60), [1.0] * 5])
def test_melding_of_one_is_its_limit(values: list[float], alpha: float) -> None:
    sample = collect(values)
    # One item is the hardest to tabulate: its distribution is uniform.
    close = 1e-4 if len(values) > 1 else 3e-4
    assert meld([(belief(sample), 1.0)], alpha) == pytest.approx(upper_limit(sample, alpha), abs=close)


def test_limits_are_quantiles_of_simulated_sums() -> None:
    weights = {"a": 0.7, "b": 0.2, "c": 0.06, "d": 0.04}
    groups = {name: drawn(seed, items) for seed, (name, items) in enumerate(zip("abcd", (200, 60, 9, 1), strict=True))}
    decision = decide_mix({name: evidence(values) for name, values in groups.items()}, weights, 0.05, 0.95)
    random, draws = np.random.default_rng(5), 40_000
    upper, lower = np.zeros(draws), np.zeros(draws)
    for name, values in groups.items():
        spacings = random.exponential(size=(draws, len(values) + 1))
        upper += weights[name] * (spacings @ np.append(values, 1.0)) / spacings.sum(axis=1)
        spacings = random.exponential(size=(draws, len(values) + 1))
        lower += weights[name] * (spacings @ np.append(values, -1.0)) / spacings.sum(axis=1)
    assert (upper <= decision.upper).mean() == pytest.approx(0.95, abs=0.006)
    assert (lower >= decision.lower).mean() == pytest.approx(0.95, abs=0.006)


def test_weighs_by_traffic() -> None:
    good, bad = evidence([0.0] * 200), evidence([1.0] * 20 + [0.0] * 180)
    mostly_good = decide_mix({"good": good, "bad": bad}, {"good": 0.9, "bad": 0.1}, 0.05, 0.95)
    mostly_bad = decide_mix({"good": good, "bad": bad}, {"good": 0.1, "bad": 0.9}, 0.05, 0.95)
    assert mostly_good.verdict == "PASS"
    assert mostly_good.mean == pytest.approx(0.01)
    assert mostly_bad.verdict == "FAIL"
    assert mostly_bad.mean == pytest.approx(0.09)
    assert mostly_bad.items == 400


def test_splitting_the_evidence_of_one_group_costs_little() -> None:
    # Adding up two limits would give 0.0589; the exact limit of all 100 is 0.0295.
    mixed = decide_mix({"a": evidence([0.0] * 50), "b": evidence([0.0] * 50)}, {"a": 0.5, "b": 0.5}, 0.05, 0.95)
    assert 0.0295 < mixed.upper < 0.047
    assert mixed.verdict == "PASS"


def test_clusters_count_in_the_mix() -> None:
    values = [0.0] * 60
    alone = {"a": evidence(values), "b": evidence(values)}
    shared = {"a": evidence(values, [str(place // 4) for place in range(60)]), "b": evidence(values)}
    weights = {"a": 0.5, "b": 0.5}
    assert decide_mix(shared, weights, 0.05, 0.95).upper > decide_mix(alone, weights, 0.05, 0.95).upper + 0.02


def test_a_group_that_is_all_lost_still_counts() -> None:
    mixed = decide_mix({"a": evidence([0.0] * 100), "b": evidence([1.0] * 3)}, {"a": 0.5, "b": 0.5}, 0.05, 0.95)
    assert mixed.upper == pytest.approx(0.5 + decide([0.0] * 100, 0.05).upper / 2, abs=1e-4)


def test_melding_of_one_early_stop_is_its_limit() -> None:
    bets = Bets()
    bets.add(np.array([1.0, 0.0, 1.0, -0.5, 1.0]), np.ones(5))
    assert meld([(belief_of_bets(bets, 0.1), 1.0)], 0.05) == pytest.approx(bets.upper_limit(0.005), abs=1e-3)
    lost = Bets()
    lost.add(np.ones(3), np.ones(3))
    assert meld([(belief_of_bets(lost, 0.1), 1.0)], 0.05) == pytest.approx(1, abs=1e-5)


def test_a_group_that_stopped_early_enters_with_limits_that_allow_for_it() -> None:
    safe, stopped = evidence([0.0] * 200), evidence([1.0, 0.0] * 8)
    groups, weights = {"safe": safe, "stopped": stopped}, {"safe": 0.96, "stopped": 0.04}
    fixed = decide_mix(groups, weights, 0.06, 0.95)
    sequential = decide_mix(groups, weights, 0.06, 0.95, plans={"safe": Plan(200), "stopped": Plan(200)})
    assert sequential.mean == fixed.mean == pytest.approx(0.02)
    assert fixed.upper < sequential.upper < 0.96 * decide([0.0] * 200, 0.05).upper + 0.04 + 0.002
    assert sequential.lower < fixed.lower
    assert sequential.verdict == "PASS"


def test_one_group_that_stopped_early_has_a_tenth_of_alpha() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    bets = Bets()
    bets.add(np.array(values), np.ones(8))
    for plan, share in ((Plan(200), 0.1), (Plan(200, early_fail=False), 1.0)):
        mixed = decide_mix({"a": evidence(values)}, {"a": 1.0}, 0.05, 0.95, plans={"a": plan})
        assert mixed.upper == pytest.approx(bets.upper_limit(0.05 * share), abs=1e-3)
        assert mixed.lower == pytest.approx(bets.lower_limit(0.05 * share), abs=1e-3)


def test_groups_that_ran_to_the_end_of_their_plan_pay_a_tenth_of_alpha() -> None:
    groups, weights = {"a": evidence(drawn(1, 80)), "b": evidence(drawn(2, 60))}, {"a": 0.5, "b": 0.5}
    plain = decide_mix(groups, weights, 0.1, 0.95)
    late = decide_mix(groups, weights, 0.1, 0.95, plans={"a": Plan(80), "b": Plan(60)})
    without = decide_mix(
        groups, weights, 0.1, 0.95, plans={"a": Plan(80, early_fail=False), "b": Plan(60, early_fail=False)}
    )
    assert without.upper == pytest.approx(plain.upper)
    assert plain.upper < late.upper < plain.upper + 0.01


def test_a_group_that_passed_at_an_early_look_pays_with_its_share() -> None:
    groups, weights = {"a": evidence([0.0] * 100), "b": evidence([0.0] * 100)}, {"a": 0.5, "b": 0.5}
    once = Plan(100, early_fail=False)
    looks = Plan(200, (100, 200), early_fail=False)
    at_end = decide_mix(groups, weights, 0.1, 0.95, plans={"a": once, "b": once})
    at_look = decide_mix(groups, weights, 0.1, 0.95, plans={"a": looks, "b": looks})
    assert at_look.upper > at_end.upper + 0.01
    with pytest.raises(EvidenceError, match="no plan for b"):
        decide_mix(groups, weights, 0.1, 0.95, plans={"a": once})


def test_says_what_would_decide() -> None:
    groups = {"a": evidence([0.0] * 30), "b": evidence([0.0] * 30)}
    assert "more items would decide" in decide_mix(groups, {"a": 0.5, "b": 0.5}, 0.02, 0.95).reason


NONE, A_TWENTIETH, GRADED = [0.0], [1.0] + [0.0] * 19, [0.5, 0.25, -0.25] + [0.0] * 17
BOTH_WAYS = [1.0, 0.5, -0.75, -0.5] + [0.0] * 6


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize(
    ("tiles", "shares", "allowed"),
    [
        ({"a": (NONE, 30), "b": (NONE, 30)}, (0.5, 0.5), 0.02),
        ({"a": (NONE, 60), "b": (NONE, 60), "c": (NONE, 60), "d": (NONE, 60)}, (0.7, 0.2, 0.06, 0.04), 0.03),
        ({"a": (NONE, 200), "b": (NONE, 20)}, (0.5, 0.5), 0.05),
        ({"a": (A_TWENTIETH, 10), "b": (A_TWENTIETH, 10)}, (0.5, 0.5), 0.065),
        ({"a": (NONE, 200), "b": (A_TWENTIETH, 10), "c": (GRADED, 10)}, (0.5, 0.3, 0.2), 0.03),
        ({"a": (BOTH_WAYS, 40), "b": (BOTH_WAYS, 20)}, (0.6, 0.4), 0.02),
    ],
)
def test_as_many_more_items_as_it_says_decide(
    tiles: dict[str, tuple[list[float], int]], shares: tuple[float, ...], allowed: float, sequential: bool
) -> None:
    items = sum(len(tile) * times for tile, times in tiles.values())

    def after(more: float) -> Decision:
        """With so many more items at the same rates, spread over the groups as before."""
        grown = {name: evidence(tile * round(times * (1 + more / items))) for name, (tile, times) in tiles.items()}
        plans = {name: Plan(len(one.differences)) for name, one in grown.items()} if sequential else None
        return decide_mix(grown, dict(zip(tiles, shares, strict=True)), allowed, plans=plans)

    first = after(0)
    found = re.search(r"about (\d+) more items would decide, spread over the groups as before", first.reason)

    assert first.verdict == "INCONCLUSIVE"
    assert found is not None
    assert after(int(found[1]) * 1.05).verdict == ("FAIL" if first.mean > allowed else "PASS")
    assert after(int(found[1]) * 0.85).verdict == "INCONCLUSIVE"


def test_groups_that_stopped_early_get_no_more_items() -> None:
    groups = {"a": evidence([0.0] * 60), "b": evidence([0.0] * 60), "stopped": evidence([1.0, 0.0] * 8)}
    weights = {"a": 0.66, "b": 0.3, "stopped": 0.04}

    def after(more: float) -> Decision:
        grown = {name: evidence([0.0] * round(60 + more / 2)) for name in ("a", "b")} | {"stopped": groups["stopped"]}
        return decide_mix(grown, weights, 0.05, plans={name: Plan(round(60 + more / 2)) for name in grown})

    found = re.search(r"about (\d+) more items would decide, spread over a, b as before", after(0).reason)

    assert found is not None
    assert after(int(found[1]) * 1.03).verdict == "PASS"
    assert after(int(found[1]) * 0.85).verdict == "INCONCLUSIVE"


def test_a_group_that_stopped_early_may_leave_nothing_that_could_decide() -> None:
    groups = {"a": evidence([0.0] * 200), "stopped": evidence([1.0, 0.0, 1.0])}
    plans = {name: Plan(200) for name in groups}

    mixed = decide_mix(groups, {"a": 0.9, "stopped": 0.1}, 0.08, plans=plans)
    alone = decide_mix({"stopped": groups["stopped"]}, {"stopped": 1.0}, 0.7, plans=plans)

    assert mixed.verdict == alone.verdict == "INCONCLUSIVE"
    assert mixed.reason == "more items would not decide: stopped ended early"
    assert alone.reason == "more items would not decide: stopped ended early"


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({}, "at least one group"),
        ({"a": 0.5, "b": 0.4}, "sum to 0.9"),
        ({"a": 0.5, "x": 0.5}, "no evidence for x, which is 50 % of traffic"),
        ({"a": 1.0, "b": 0.0}, "share of traffic 0.0 of b"),
        ({"a": 0.5, "empty": 0.5}, "no differences"),
    ],
)
def test_refuses_what_it_cannot_weigh(weights: dict[str, float], says: str) -> None:
    groups = {"a": evidence([0.0]), "b": evidence([0.0]), "empty": evidence([])}
    with pytest.raises(EvidenceError, match=says):
        decide_mix(groups, weights, 0.05, 0.95)


def test_four_graded_groups_take_under_half_a_second_and_an_outlook_under_two() -> None:
    random = np.random.default_rng(7)
    groups = {name: evidence([float(value) for value in random.uniform(-1, 1, 200)]) for name in "abcd"}
    weights = dict.fromkeys("abcd", 0.25)
    decide_mix(groups, weights, 0.05, 0.95)
    begun = time.process_time()
    decide_mix(groups, weights, 0.05, 0.95)
    assert time.process_time() - begun < 0.5
    begun = time.process_time()
    assert "more items would decide" in decide_mix(groups, weights, 0.025, 0.95).reason
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("items", "losses", "shares", "allowed"),
    [(420, (5, 3), (0.7, 0.3), 0.01), (600, (13, 6), (0.7, 0.3), 0.01), (1000, (31, 12), (0.5, 0.5), 0.015)],
)
def test_a_mix_of_many_items_lies_between_its_limits(
    items: int, losses: tuple[int, int], shares: tuple[float, float], allowed: float
) -> None:
    groups = {name: evidence([1.0] * lost + [0.0] * (items - lost)) for name, lost in zip("ab", losses, strict=True)}

    decision = decide_mix(groups, dict(zip("ab", shares, strict=True)), allowed)

    assert decision.lower < decision.mean < decision.upper
    assert decision.verdict != "PASS"
