"""Evidence recall against its definition, token by token, on selections as the methods really made them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
import torch

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.engine.evidence import EvidenceRecall
from pytest_sparsetol.engine.generate import generate
from pytest_sparsetol.engine.load import LoadedModel, load_model
from pytest_sparsetol.engine.policy import DENSE, Policy
from pytest_sparsetol.engine.prompt import Places
from pytest_sparsetol.methods.ada_snapkv import AdaSnapKV
from pytest_sparsetol.methods.base import Phase
from pytest_sparsetol.methods.block_sparse import BlockSparse
from pytest_sparsetol.methods.quest import Quest
from pytest_sparsetol.methods.vertical_slash import VerticalSlash
from pytest_sparsetol.model_files import ModelFiles
from pytest_sparsetol.recall import RecallTable
from tests.engine.models import save_model

LENGTHS = [330, 297]
PLACES = [Places(((20, 26), (150, 151), (24, 31)), 300), Places(((7, 90),), 277)]
POLICIES = {
    "all three phases": Policy(VerticalSlash(0.3), Quest(0.3), AdaSnapKV(0.5)),
    "blocks": Policy(prefill=BlockSparse(0.6)),
    "from the question": Policy(decode=Quest(0.7), kv=AdaSnapKV(0.3), from_question=True),
}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = save_model("llama", tmp_path_factory.mktemp("llama"))
    return load_model(ModelFiles("directory", "llama", folder), ModelSpec(path=str(folder), dtype="float32"))


def prompts() -> list[list[int]]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(5, 256, (length,), generator=generator).tolist() for length in LENGTHS]


class Witness:
    """Writes down, for each phase and sequence, what each query of each head saw: sets of tokens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, places: list[Places]) -> None:
        self.places = places
        self.seen: dict[tuple[Phase, int], dict[tuple[int, int], list[set[int]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for name in ("prefill", "kept", "decode"):
            monkeypatch.setattr(EvidenceRecall, name, self.watch(getattr(self, name), getattr(EvidenceRecall, name)))

    @staticmethod
    def watch(note: Any, real: Any) -> Any:
        def both(recall: EvidenceRecall, layer: int, sequence: int, selection: Any) -> None:
            note(layer, sequence, selection)
            real(recall, layer, sequence, selection)

        return both

    def prefill(self, layer: int, sequence: int, selection: Any) -> None:
        for head, blocks in enumerate(selection.keys):
            question = self.places[sequence].question
            for row in range(blocks.shape[1] - 1 if question is None else question, blocks.shape[1]):
                self.seen["prefill", sequence][layer, head].append(
                    set(blocks[row // selection.block].nonzero()[:, 0].tolist())
                )

    def kept(self, layer: int, sequence: int, kept: Any) -> None:
        for head, tokens in enumerate(kept):
            self.seen["kv", sequence][layer, head].append(set(tokens.nonzero()[:, 0].tolist()))

    def decode(self, layer: int, sequence: int, selection: Any) -> None:
        for head, tokens in enumerate(selection.tokens):
            self.seen["decode", sequence][layer, head].append(set(tokens[: selection.count[head]].tolist()))

    def recall(self, phase: Phase, sequence: int, fact: tuple[int, int]) -> tuple[float, float]:
        """Mean and best head."""
        tokens = set(range(*fact))
        heads = [
            sum(len(tokens & seen) / len(tokens) for seen in queries) / len(queries)
            for queries in self.seen[phase, sequence].values()
        ]
        return sum(heads) / len(heads), max(heads)


CASES = {name: (policy, PLACES) for name, policy in POLICIES.items()} | {
    "nobody knows the question": (Policy(VerticalSlash(0.3)), [Places(place.facts, None) for place in PLACES])
}


@pytest.mark.parametrize(("policy", "places"), CASES.values(), ids=CASES.keys())
def test_recall_is_what_the_definition_counts(
    policy: Policy, places: list[Places], llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(monkeypatch, places)

    _, current = generate(llama, prompts(), [6, 9], policy, places)

    assert current.evidence is not None
    acting: set[str] = {phase for phase in ("prefill", "kv", "decode") if getattr(policy, phase) is not None}
    values = []
    for sequence, place in enumerate(PLACES):
        found = current.evidence.facts(sequence)
        assert set(found) == acting
        for phase, facts in found.items():
            assert [fact.depth for fact in facts] == [first / LENGTHS[sequence] for first, _ in place.facts]
            for fact, span in zip(facts, place.facts, strict=True):
                assert (fact.mean, fact.best) == pytest.approx(witness.recall(phase, sequence, span), abs=1e-6)
                values.append(fact.mean)
    assert max(values) - min(values) > 0.1, "a constant could not tell right from wrong"


def test_what_decides_nothing_is_not_counted(llama: LoadedModel) -> None:
    assert generate(llama, prompts(), [2, 2], DENSE, PLACES)[1].evidence is None
    assert generate(llama, prompts(), [2, 2], Policy(decode=Quest(0.5)))[1].evidence is None


def test_a_fact_in_the_question_needs_no_recall(llama: LoadedModel) -> None:
    places = [Places(((310, 315),), 300), Places(((270, 285),), 277)]

    _, current = generate(llama, prompts(), [4, 4], Policy(decode=Quest(0.5), from_question=True), places)

    assert current.evidence is not None
    assert current.evidence.facts(0) == {}
    assert [fact.depth for fact in current.evidence.facts(1)["decode"]] == [270 / 297]


def test_a_cell_averages_items_and_tells_order_and_depth(llama: LoadedModel) -> None:
    _, current = generate(llama, prompts(), [6, 6], Policy(decode=Quest(0.7)), PLACES)
    assert current.evidence is not None
    items = [current.evidence.facts(sequence) for sequence in range(2)]
    table = RecallTable()
    for item in items:
        table.add(item)

    summary = table.summary()

    (first, second, third), (only,) = (item["decode"] for item in items)
    assert summary["prefill"] is summary["kv"] is None
    decode = summary["decode"]
    assert decode is not None
    assert decode["mean"] == pytest.approx(((first.mean + second.mean + third.mean) / 3 + only.mean) / 2)
    assert decode["facts"] == 4
    assert [entry["facts"] for entry in decode["by_order"]] == [2, 1, 1]
    assert decode["by_order"][0]["mean"] == pytest.approx((first.mean + only.mean) / 2)
    assert [entry and entry["facts"] for entry in decode["by_depth"]] == [3, 1, None, None]
    assert decode["by_depth"][1]["best"] == pytest.approx(second.best)
