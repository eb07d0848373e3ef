"""`model` as a list: one contract a model, told apart by name; errors point at the entry."""

from __future__ import annotations

from pathlib import Path

import pytest
from sparsetol_suites.located_yaml import LocatedError

from pytest_sparsetol.cells import cells
from pytest_sparsetol.contract import load_contract, load_contracts
from pytest_sparsetol.mixing import terms_of_all
from tests.contract.samples import GOOD, write

ONE = "model: {path: model, dtype: float32}\n"
TWO = """\
model:
  - {path: model, dtype: float32}
  - {path: model, name: second, dtype: bfloat16, deployments: [release]}
"""


def listed(folder: Path, models: str = TWO) -> Path:
    assert ONE in GOOD
    return write(folder, GOOD.replace(ONE, models))


def test_a_contract_a_model(tmp_path: Path) -> None:
    first, second = load_contracts(listed(tmp_path))

    assert (first.model_name, second.model_name) == ("model", "second")
    assert first.among == second.among == ("model", "second")
    assert (first.spec.model.dtype, second.spec.model.dtype) == ("float32", "bfloat16")
    assert [cell.policy for cell in cells(first)][::6] == ["model/quest-10x", "model/release"]
    assert [cell.policy for cell in cells(second)] == ["second/release"] * 6


@pytest.mark.parametrize("models", [ONE, "model:\n  - {path: model, dtype: float32}\n"])
def test_one_alone_has_no_part_in_node_ids(tmp_path: Path, models: str) -> None:
    (contract,) = load_contracts(listed(tmp_path, models))

    assert contract.among == ()
    assert next(cells(contract)).policy == "quest-10x"


def test_a_list_of_one_cannot_leave_a_deployment_out(tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match=r"deployments.quest-10x: no model of the contract is gated under it"):
        load_contracts(listed(tmp_path, "model:\n  - {path: model, dtype: float32, deployments: [release]}\n"))


def test_profiles_lie_over_each(tmp_path: Path) -> None:
    assert [one.spec.lengths for one in load_contracts(listed(tmp_path), "premerge")] == [[1024], [1024]]


ONLY_QUEST = "profiles:\n  quick: {deployments: {quest-10x: {decode: {method: quest, sparsity: 0.8}}}}\n"


def test_a_profile_that_drops_deployments_leaves_each_model_its_others(tmp_path: Path) -> None:
    both = TWO.replace("[release]", "[quest-10x, release]")
    path = listed(tmp_path, both)
    path.write_text(path.read_text().replace("profiles:\n", ONLY_QUEST))

    assert [list(one.spec.deployments) for one in load_contracts(path, "quick")] == [["quest-10x"]] * 2
    assert [list(one.spec.deployments) for one in load_contracts(path)] == [["quest-10x", "release"]] * 2


def test_a_profile_that_drops_all_deployments_of_a_model_is_an_error(tmp_path: Path) -> None:
    path = listed(tmp_path)
    path.write_text(path.read_text().replace("profiles:\n", ONLY_QUEST))

    with pytest.raises(LocatedError, match=r"4:50: model.deployments: profile 'quick' has none of them"):
        load_contracts(path)


def test_shards_of_other_models_are_of_another_contract(tmp_path: Path) -> None:
    whole = terms_of_all(load_contracts(listed(tmp_path)))
    other = terms_of_all(load_contracts(listed(tmp_path, TWO.replace("bfloat16", "float16"))))

    assert whole.contract != other.contract
    assert whole.items == other.items


@pytest.mark.parametrize(
    ("right", "wrong", "text"),
    [
        ("name: second", "nam: second", "4:19: unknown key 'nam'; did you mean 'name'?"),
        ("bfloat16", "int3", "4:40: model.dtype: 'int3' is not one of 'auto'"),
        (", name: second", "", "4:12: model: two models are called 'model'; give each a name of its own"),
        ("name: second", "name: a/b", "model.name: 'a/b': string should match pattern"),
        ("path: model, name: second", "path: org/model", "4:12: model: 'org/model' cannot be part of a node id"),
        ("path: model, name: second", "path: gone!, name: second", "4:12: model.path 'gone!' is not there"),
        ("[release]", "[releas]", "4:64: model.deployments: no deployment 'releas'; did you mean 'release'?"),
        (
            "dtype: float32}",
            "dtype: float32, deployments: [release]}",
            "deployments.quest-10x: no model of the contract",
        ),
        ("  - {path: model, dtype: float32}", "  - three", "3:5: model: 'three' found where a mapping is needed"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(tmp_path: Path, right: str, wrong: str, text: str) -> None:
    assert right in TWO
    with pytest.raises(LocatedError) as caught:
        load_contracts(listed(tmp_path, TWO.replace(right, wrong)))

    assert text in str(caught.value)


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match=r"2:1: model: an empty list; name a model, or several"):
        load_contracts(listed(tmp_path, "model: []\n"))


def test_a_model_alone_keeps_all_deployments(tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match=r"2:38: model.deployments: a model alone is gated under all"):
        load_contracts(listed(tmp_path, "model: {path: model, dtype: float32, deployments: [release]}\n"))


def test_a_certificate_is_of_one(tmp_path: Path) -> None:
    path = listed(tmp_path)
    path.write_text(f"{path.read_text()}certificate: gone.json\n")
    with pytest.raises(
        LocatedError, match=r"22:14: certificate: it is of one model; a contract that lists several cannot cite one"
    ):
        load_contracts(path)


def test_what_takes_one_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match="model: one model is needed here, and the contract lists several"):
        load_contract(listed(tmp_path))
