"""A contract that is right is read as meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from sparsetol_suites.lengths import parse_length, show_length
from sparsetol_suites.located_yaml import LocatedError

from pytest_sparsetol.cells import cells
from pytest_sparsetol.contract import load_contract
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.snapkv import SnapKV
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from tests.contract.samples import GOOD, write


def test_methods_by_phase_and_length(tmp_path: Path) -> None:
    contract = load_contract(write(tmp_path))

    assert contract.method("quest-10x", "decode", 1024) == Quest(0.9)
    assert contract.method("quest-10x", "prefill", 1024) is None
    assert contract.method("release", "prefill", 1024) == VerticalSlash(0.5, window=128)
    assert contract.method("release", "prefill", 2048) == VerticalSlash(0.67, window=128)


def test_a_decode_method_beside_a_kv_method(tmp_path: Path) -> None:
    quest = "    decode: {method: quest, sparsity: 0.90}"
    both = GOOD.replace(quest, f"{quest}\n    kv: {{method: snapkv, sparsity: 0.5, local: 64}}")
    too_much = GOOD.replace(quest, f"{quest}\n    kv: {{method: ada_snapkv, sparsity: 0.8}}")

    assert load_contract(write(tmp_path, both)).method("quest-10x", "kv", 1024) == SnapKV(0.5, local=64)
    with pytest.raises(LocatedError, match="ada_snapkv may leave a key head 41 of 1024 tokens, and quest cannot"):
        load_contract(write(tmp_path, too_much))


def test_dense_can_be_said(tmp_path: Path) -> None:
    text = GOOD.replace("    decode: {method: quest, sparsity: 0.8}", "    decode: {method: dense}")

    assert load_contract(write(tmp_path, text)).method("release", "decode", 1024) is None


def test_thresholds(tmp_path: Path) -> None:
    gate = load_contract(write(tmp_path)).spec.gate

    assert (gate.threshold("single_qa"), gate.threshold("multi_qa"), gate.mix_threshold()) == (0.05, 0.08, 0.04)


def test_cells_are_every_deployment_length_and_group_and_each_mix(tmp_path: Path) -> None:
    names = [f"{cell.deployment}::{cell.name}" for cell in cells(load_contract(write(tmp_path)))]

    assert names[:6] == [
        "quest-10x::single_qa[1k]",
        "quest-10x::multi_qa[1k]",
        "quest-10x::mix[1k]",
        "quest-10x::single_qa[2k]",
        "quest-10x::multi_qa[2k]",
        "quest-10x::mix[2k]",
    ]
    assert len(names) == 12


def test_a_profile_lies_over_the_rest(tmp_path: Path) -> None:
    spec = load_contract(write(tmp_path), profile="premerge").spec

    assert spec.lengths == [1024]
    assert (spec.gate.max_degradation, spec.gate.items.max, spec.gate.inconclusive) == (0.10, 64, "warn")
    assert (spec.gate.groups, spec.gate.items.seed) == ({"multi_qa": 0.08}, 0)


def test_a_profile_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match="no profile 'premerg'; did you mean 'premerge'"):
        load_contract(write(tmp_path), profile="premerg")


def test_every_profile_is_checked_and_errors_point_into_it(tmp_path: Path) -> None:
    text = GOOD.replace("gate: {max_degradation: 0.10,", "gate: {max_degradation: 1.10,")

    with pytest.raises(LocatedError, match=r"less than or equal to 1") as caught:
        load_contract(write(tmp_path, text))

    assert caught.value.line == GOOD.splitlines().index("profiles:") + 2


def narrowed(profile: str) -> str:
    assert "profiles:\n" in GOOD
    return GOOD.replace("profiles:\n", f"profiles:\n  narrow: {{{profile}}}\n")


def test_a_profile_that_narrows_the_mix_drops_what_the_file_says_of_the_other_groups(tmp_path: Path) -> None:
    path = write(tmp_path, narrowed("mix: {multi_qa: 1.0}, gate: {groups: {multi_qa: 0.06}}"))

    gate = load_contract(path, "narrow").spec.gate
    whole = load_contract(path).spec.gate

    assert (gate.groups, gate.min_dense, gate.mix) == ({"multi_qa": 0.06}, {}, 0.04)
    assert (whole.groups, whole.min_dense) == ({"multi_qa": 0.08}, {"single_qa": 0.6})


def test_a_profile_that_widens_the_mix_keeps_what_the_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, narrowed("mix: {single_qa: 0.5, multi_qa: 0.3, multi_hop: 0.2}, gate: {items: {max: 300}}"))

    gate = load_contract(path, "narrow").spec.gate

    assert (gate.groups, gate.min_dense) == ({"multi_qa": 0.08}, {"single_qa": 0.6})


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("mix: {single_qa: 1.0}, gate: {groups: {multi_qa: 0.1}}", ":19:61: gate.groups: mix has no group 'multi_qa'"),
        ("mix: {multi_qa: 1.0}, gate: {min_dense: {singl: 0.1}}", ":19:60: gate.min_dense: mix has no group 'singl'"),
        ("mix: {singl_qa: 1.0}", ":19:28: mix: suite 'frontier-small' has no group 'singl_qa'"),
        ("mix: [single_qa]", ":19:12: mix: a list found where a mapping is needed"),
        ("mix: {single_qa: 1.0}, gate: [groups]", ":19:35: gate: a list found where a mapping is needed"),
    ],
)
def test_a_group_that_the_profile_itself_names_must_be_in_its_mix(tmp_path: Path, profile: str, said: str) -> None:
    with pytest.raises(LocatedError) as caught:
        load_contract(write(tmp_path, narrowed(profile)))

    assert said in str(caught.value)


@pytest.mark.parametrize(("written", "tokens"), [("1k", 1024), ("128K", 131072), (1000, 1000), ("600", 600)])
def test_lengths(written: object, tokens: int) -> None:
    assert parse_length(written) == tokens
    assert parse_length(show_length(tokens)) == tokens


@pytest.mark.parametrize("written", ["1.5k", "k", "-1k", 0, True, None, 2.0, "1m", 10**9])
def test_what_is_not_a_length(written: object) -> None:
    with pytest.raises(ValueError, match="not a length"):
        parse_length(written)
