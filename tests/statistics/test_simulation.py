"""The simulation in benchmarks judges as the public functions do."""

import numpy as np
import pytest

from benchmarks.verdict_simulation import KINDS, MIX, MIX_LATTICE, Batch, Kind, MixJudge, judge_many
from pytest_sparsetol.result import Evidence
from pytest_sparsetol.statistics import Plan, decide, decide_mix
from pytest_sparsetol.statistics.melding import LATTICE

VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_batched_verdicts_equal_the_public_ones_on_1000_vectors(kind: Kind) -> None:
    random = np.random.default_rng(11)
    seen = set()
    for draw in range(5):
        threshold = (0.02, 0.3, 0.1, 0.1, 0.2)[draw]
        items = (20, 60, 100, 40, 32)[draw]
        plan = (
            Plan(items),
            Plan(items, (items // 2, items)),
            Plan(items // 2, reserve=0.2).extended(items),
            Plan(items, early_fail=False),
            Plan(items),
        )[draw]
        loss = min(threshold * (0, 0.2, 1, 3, 1)[draw], 0.9 * kind.typical)
        discordance = max(loss / kind.typical, (0.3, 0.03, 0.2, 0.5, 0.6)[draw])
        totals = kind.draw(random, 50, items, discordance, loss)
        outcomes = judge_many(Batch(totals, kind.cluster, threshold), plan)
        for row, verdict, used in zip(totals, outcomes.verdicts, outcomes.items, strict=True):
            # A cluster's total as items: as even as its size allows.
            values = np.repeat(row / kind.cluster, kind.cluster).tolist()
            names = [str(place // kind.cluster) for place in range(len(values))]
            decision = decide(values, threshold, clusters=names, plan=plan)
            assert (decision.verdict, decision.items) == (VERDICTS[verdict], used)
            seen.add(decision.verdict)
    assert seen == set(VERDICTS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_draws_have_the_loss_and_discordance_that_they_should(kind: Kind) -> None:
    totals = kind.draw(np.random.default_rng(12), 4000, 100, 0.3, 0.03)
    assert totals.mean() / kind.cluster == pytest.approx(0.03, abs=0.006)
    if kind.cluster == 1:
        assert (totals != 0).mean() == pytest.approx(0.3, abs=0.01)
    assert kind.discordance(0.03, 0.1) is None
    assert kind.discordance(0.0, 0.05) == pytest.approx(0.05 / kind.typical)


@pytest.mark.parametrize("plan", [None, Plan(60)], ids=["fixed", "early"])
def test_limits_of_mixes_equal_the_public_ones(plan: Plan | None) -> None:
    random = np.random.default_rng(13)
    fine, coarse = MixJudge(plan, LATTICE), MixJudge(plan, MIX_LATTICE)
    for _ in range(12):
        lengths = random.integers(5, 61, 4) if plan else np.full(4, 60)
        drawn = [random.choice([1.0, 0.0, -1.0], length, p=[0.1, 0.85, 0.05]) for length in lengths]
        evidence = {
            group: Evidence(values.tolist(), [""] * len(values), [str(place) for place in range(len(values))])
            for group, values in zip(MIX, drawn, strict=True)
        }
        plans = dict.fromkeys(MIX, plan) if plan else None
        decision = decide_mix(evidence, MIX, 0.05, 0.95, plans=plans)
        assert fine.upper(drawn) == pytest.approx(decision.upper, abs=1e-9)
        assert coarse.upper(drawn) == pytest.approx(decision.upper, abs=3e-4)
