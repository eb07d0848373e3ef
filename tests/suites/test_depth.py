from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparsetol_suites.depth import depths, places

from tests.suites.drawn import COUNTER, shipped_task


def unevenness(found: list[float]) -> float:
    """Largest distance between the found distribution over [0, 1) and the even one."""
    ordered = sorted(found)
    return max(
        max(abs(depth - place / len(found)), abs(depth - (place + 1) / len(found)))
        for place, depth in enumerate(ordered)
    )


@given(count=st.integers(1, 40), index=st.integers(0, 100_000), seed=st.integers(0, 2**32))
def test_each_fact_has_a_stratum_of_its_own(count: int, index: int, seed: int) -> None:
    found = depths(count, index, Random(seed))
    assert sorted(int(depth * count) for depth in found) == list(range(count))


@given(count=st.integers(1, 40), spare=st.integers(0, 200), index=st.integers(0, 100_000), seed=st.integers(0, 2**32))
def test_places_are_different_and_within(count: int, spare: int, index: int, seed: int) -> None:
    found = places(count, index, Random(seed), count + spare)
    assert len(set(found)) == count
    assert min(found) >= 0
    assert max(found) < count + spare


def test_more_facts_than_places() -> None:
    with pytest.raises(ValueError, match="3 facts do not fit into 2 places"):
        places(3, 0, Random(0), 2)


@pytest.mark.parametrize("count", [1, 4, 16])
def test_all_facts_of_a_run_are_even(count: int) -> None:
    found = [depth for index in range(64) for depth in depths(count, index, Random(index))]
    assert unevenness(found) < 0.05


@pytest.mark.parametrize("fact", range(4))
def test_each_hop_is_even_over_a_run(fact: int) -> None:
    assert unevenness([depths(4, index, Random(index))[fact] for index in range(200)]) < 0.1


@pytest.mark.parametrize("name", ["niah_1", "niah_4", "vt", "cwe"])
def test_facts_of_items_are_spread_over_the_context(name: str) -> None:
    task = shipped_task("frontier-small", name)
    found = []
    for index in range(60):
        item = task.generate(1024, COUNTER, 0, index)
        begin, end = item.prompt.index("\n\n"), item.prompt.rindex("\n\n")
        assert all(begin < fact.start < fact.end <= end for fact in item.facts)
        found += [(fact.start - begin) / (end - begin) for fact in item.facts]
    assert unevenness(found) < 0.06
