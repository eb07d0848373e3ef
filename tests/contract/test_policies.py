"""Which policies a sweep makes of a contract's deployments."""

from __future__ import annotations

from pytest_sparsetol.contract import ContractSpec, DeploymentSpec
from pytest_sparsetol.sweep.ladder import methods_of, policies


class Stand:
    """A contract as far as `policies` reads it."""

    def __init__(self, **deployments: object) -> None:
        self.spec = ContractSpec.model_construct(
            deployments={name: DeploymentSpec.model_validate(value) for name, value in deployments.items()}
        )


def named(**deployments: object) -> dict[str, tuple[object, bool]]:
    return {
        policy.name: (policy.methods(), policy.whole)
        for policy in policies(Stand(**deployments))  # type: ignore[arg-type]  # all that is read
    }


QUEST = {"method": "quest", "sparsity": 0.9}


def test_phases_together_and_each_alone_what_is_the_same_once() -> None:
    found = named(
        release={"prefill": {"method": "block_sparse", "sparsity": 0.5}, "decode": QUEST},
        quest={"decode": {**QUEST, "sparsity": 0.5}},
        dense={"decode": {"method": "dense"}},
    )
    assert {name: whole for name, (_, whole) in found.items()} == {
        "block_sparse+quest": True,
        "block_sparse": False,
        "quest": True,
    }


def test_other_parameters_are_another_policy() -> None:
    found = named(one={"decode": QUEST}, two={"decode": {**QUEST, "page_size": 32}})
    assert found == {
        "quest": ({"decode": {"method": "quest"}}, True),
        "quest-two": ({"decode": {"method": "quest", "page_size": 32}}, True),
    }


def test_decoding_from_the_question_is_part_of_the_policy() -> None:
    snapkv = {"method": "snapkv", "sparsity": 0.5}
    found = named(plain={"kv": snapkv}, fair={"kv": snapkv, "decode": {"from": "question"}})
    assert found["snapkv"][0] == {"kv": {"method": "snapkv"}}
    assert found["snapkv-fair"][0] == {
        "kv": {"method": "snapkv"},
        "decode": {"method": "dense", "from": "question"},
    }
    # What is written into a contract reads back as the same policy.
    again = DeploymentSpec.model_validate({"kv": snapkv, "decode": {"method": "dense", "from": "question"}})
    assert methods_of(again) == found["snapkv-fair"][0]
