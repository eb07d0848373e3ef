import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sparsetol.statistics import Decision, EvidenceError, Plan, Sequential, decide
from pytest_sparsetol.statistics.betting import PRIOR, STAKES, Bets
from pytest_sparsetol.statistics.limits import lower_limit
from pytest_sparsetol.statistics.sample import collect


def fed(values: list[float], clusters: list[str] | None, sizes: list[int], plan: Plan) -> Decision:
    """The decision when items come in batches of the given sizes, again and again."""
    test = Sequential(0.1, plan)
    begin = 0
    for size in itertools.cycle(sizes):
        end = min(len(values), begin + size)
        if test.update(values[begin:end], clusters[begin:end] if clusters else None) is not None or end == len(values):
            break
        begin = end
    return test.conclude()


@given(
    st.lists(st.sampled_from([-1.0, -0.2, 0.0, 0.0, 0.0, 0.4, 1.0]), min_size=1, max_size=60),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.data(),
)
@settings(deadline=None, max_examples=120)
def test_batches_do_not_matter(values: list[float], sizes: list[int], data: st.DataObject) -> None:
    planned = data.draw(st.integers(len(values), len(values) + 10))
    look = data.draw(st.integers(1, planned))
    plan = Plan(planned, (look, planned) if look < planned else (planned,))
    clusters = None
    if data.draw(st.booleans()):
        clusters = sorted(str(data.draw(st.integers(0, len(values)))).zfill(3) for _ in values)
    assert fed(values, clusters, sizes, plan) == decide(values, 0.1, clusters=clusters, plan=plan)


def test_a_collapse_fails_within_a_few_items() -> None:
    decision = decide([1.0, 0.0] * 100, 0.05)
    assert decision.verdict == "FAIL"
    assert decision.items < 30
    assert decision.lower >= 0.05
    assert decision.reason.startswith(f"at least {100 * decision.lower:.1f} points are lost, allowed are 5.0")
    assert decision.reason.endswith(f"certain after {decision.items} of 200 items")
    assert decide([1.0, 0.0] * 100, 0.05, plan=Plan(200, early_fail=False)).items == 200


def test_stops_at_the_item_that_makes_it_certain_and_not_before() -> None:
    values = [1.0, 0.0, 0.0] * 60
    decision = decide(values, 0.1)
    assert decision.verdict == "FAIL"
    plan = Plan(len(values))
    assert decide(values[: decision.items], 0.1, plan=plan) == decision
    assert decide(values[: decision.items - 1], 0.1, plan=plan).verdict == "INCONCLUSIVE"


def test_early_fail_needs_ten_times_the_wealth_against_no_loss() -> None:
    def wealth(items: int, mean: float) -> float:
        bets = Bets()
        bets.add(np.ones(items), np.ones(items))
        return float(np.exp(bets.log_wealth(np.array([mean]))[0]))

    used = decide([1.0] * 30, 0.02).items
    assert wealth(used, 0.02) >= 20
    assert wealth(used, 0.0) >= 200
    # One item earlier the threshold was exceeded for certain, but not yet the tenth of alpha spent that is early's.
    assert wealth(used - 1, 0.02) >= 20
    assert wealth(used - 1, 0.0) < 200


def test_the_wealth_is_the_average_over_stakes() -> None:
    values = [1.0, 0.0, -1.0, 0.3]
    bets = Bets()
    bets.add(np.array(values[:2]), np.ones(2))
    bets.add(np.array(values[2:]), np.ones(2))
    expected = 0.0
    for stake, share in zip(STAKES, PRIOR, strict=True):
        product = share
        for value in values:
            product *= 1 + stake * (value - 0.1) / 1.1
        expected += product
    assert np.exp(bets.log_wealth(np.array([0.1]))[0]) == pytest.approx(expected)
    assert PRIOR.sum() == pytest.approx(1)
    assert ((STAKES > 0) & (STAKES < 1)).all()


def test_the_game_is_fair_at_the_threshold() -> None:
    # One step multiplies the wealth by 1 on average when the mean is the threshold: +1, 0 and -1 of mean 0.1.
    outcomes = {1.0: 0.25, 0.0: 0.6, -1.0: 0.15}
    mean = 0.0
    for value, chance in outcomes.items():
        bets = Bets()
        bets.add(np.array([value]), np.ones(1))
        mean += chance * float(np.exp(bets.log_wealth(np.array([0.1]))[0]))
    assert mean == pytest.approx(1)


def test_seldom_fails_early_at_the_threshold() -> None:
    random, failed = np.random.default_rng(6), 0
    for _ in range(150):
        values = random.choice([1.0, 0.0, -1.0], 200, p=[0.15, 0.8, 0.05]).tolist()
        decision = decide(values, 0.1)
        failed += decision.verdict == "FAIL" and decision.items < 200
    assert failed <= 12


def test_limits_of_a_run_that_was_cut_off_are_wider() -> None:
    values = [0.0] * 9 + [1.0] + [0.0] * 40
    cut = decide(values, 0.05, plan=Plan(100))
    assert (cut.verdict, cut.items) == ("INCONCLUSIVE", 50)
    assert "50 of 100 planned items ran" in cut.reason
    whole = decide(values, 0.05)
    assert cut.lower < whole.lower < whole.upper < cut.upper


def test_the_last_look_leaves_early_fail_its_part_of_the_lower_limit() -> None:
    values = ([0.0] * 12 + [1.0]) * 8
    both, late = decide(values, 0.05), decide(values, 0.05, plan=Plan(len(values), early_fail=False))
    assert both.lower == pytest.approx(lower_limit(collect(values), 0.9 * (1 - 0.95)))
    assert late.lower == pytest.approx(lower_limit(collect(values), 1 - 0.95))
    assert both.upper == late.upper


def test_limits_at_a_stop_mirror_each_other() -> None:
    bets = Bets()
    bets.add(np.array([1.0, 0.0, -0.4, 0.0]), np.ones(4))
    assert bets.upper_limit(0.05) == pytest.approx(-bets.mirrored().lower_limit(0.05))
    assert bets.lower_limit(0.05) < 0.15 < bets.upper_limit(0.05)
    assert bets.lower_limit(0.2) > bets.lower_limit(0.05)
    gained = Bets()
    gained.add(np.full(3, -1.0), np.ones(3))
    assert gained.lower_limit(0.05) == -1
    assert gained.upper_limit(0.05) < 1


def test_clusters_are_one_bet_each() -> None:
    values, names = [1.0] * 4 + [0.0] * 4, ["a"] * 4 + ["b"] * 4
    bundled = decide((values * 20), 0.05, clusters=[f"{turn}{name}" for turn in range(20) for name in names])
    single = decide([1.0, 0.0] * 20, 0.05)
    assert (bundled.verdict, bundled.items) == ("FAIL", 4 * single.items)
    assert bundled.lower == pytest.approx(single.lower)


def test_a_cluster_counts_when_it_is_complete() -> None:
    names = [str(place // 2) for place in range(28)]
    certain = decide([1.0] * 28, 0.05, clusters=names, plan=Plan(40))
    assert certain.verdict == "FAIL"
    test = Sequential(0.05, Plan(40))
    assert test.update([1.0] * certain.items, names[: certain.items]) is None
    assert test.update([1.0], ["next"]) == certain
    waiting = Sequential(0.05, Plan(40))
    assert waiting.update([1.0] * 30, ["a"] * 30) is None
    assert waiting.update([0.0], ["b"]) is None
    with pytest.raises(EvidenceError, match="'a' comes back"):
        waiting.update([0.0], ["a"])


def test_scattered_clusters_are_brought_together() -> None:
    values = [0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.25, 0.0]
    together = [0.0, 0.5, 1.0, 0.0, 0.0, 0.25, 0.0, 0.0]
    assert decide(values, 0.05, clusters=list("abacbdce")) == decide(together, 0.05, clusters=list("aabbccde"))

    many = [float(value) for value in np.random.default_rng(8).choice([0.0, 0.5, 1.0], 60, p=[0.8, 0.1, 0.1])]
    names = [str(place % 20) for place in range(60)]
    order = sorted(range(60), key=lambda place: (place % 20, place))
    assert decide(many, 0.05, clusters=names, plan=Plan(90)) == decide(
        [many[place] for place in order], 0.05, clusters=[names[place] for place in order], plan=Plan(90)
    )


def test_a_look_waits_for_the_end_of_a_cluster() -> None:
    names = [str(place // 3) for place in range(300)]
    plan = Plan(300, (200, 300))
    decision = decide([0.0] * 300, 0.1, clusters=names, plan=plan)
    assert (decision.verdict, decision.items) == ("PASS", 201)


def test_after_the_verdict_nothing_changes_it() -> None:
    test = Sequential(0.05, Plan(100))
    decided = test.update([1.0] * 40)
    assert decided is not None
    assert test.update([0.0] * 60) == decided
    assert test.conclude() == decided


def test_refuses_more_items_than_planned_and_none_at_all() -> None:
    test = Sequential(0.05, Plan(10))
    assert test.update([]) is None
    with pytest.raises(EvidenceError, match="no differences"):
        test.conclude()
    with pytest.raises(EvidenceError, match="11 items, but the plan ends after 10"):
        test.update([0.0] * 11)
    with pytest.raises(EvidenceError, match="plan ends after 10"):
        decide([0.0] * 11, 0.05, plan=Plan(10))
