"""Each way to break a contract gives one error: file, line, column, the value, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from sparsetol_suites.located_yaml import LocatedError

from pytest_sparsetol.contract import load_contract
from tests.contract.samples import GOOD, write

BROKEN: dict[str, tuple[str, str, str]] = {
    "unknown key": ("suite:", "suit:", "3:1: unknown key 'suit'; did you mean 'suite'?"),
    "unknown nested key": (
        "max_degradation: 0.05",
        "max_degredation: 0.05",
        "13:3: unknown key 'max_degredation'; did you mean 'max_degradation'?",
    ),
    "missing key": ("suite: frontier-small\n", "", "1:1: missing key 'suite'"),
    "unknown version": ("contract: 1", "contract: 2", "1:11: contract: 2 is not one of 1"),
    "mix sums to 1.1": ("multi_qa: 0.3}", "multi_qa: 0.4}", "the shares of traffic sum to 1.1; they must sum to 1"),
    "group without a task": (
        "mix: {single_qa: 0.7, multi_qa: 0.3}",
        "mix: {single_qa: 0.7, multiqa: 0.3}",
        "5:32: mix: suite 'frontier-small' has no group 'multiqa'; did you mean 'multi_qa'?",
    ),
    "threshold of a group that is not in the mix": (
        "groups: {multi_qa: 0.08}",
        "groups: {multi_hop: 0.08}",
        "14:23: gate.groups: mix has no group 'multi_hop'",
    ),
    "sparsity 1.0": ("sparsity: 0.90", "sparsity: 1.0", "8:39: deployments.quest-10x.decode.sparsity: 1.0 is not"),
    "sparsity as a percentage": ("sparsity: 0.90", 'sparsity: "90%"', "'90%' is not a sparsity; write a fraction"),
    "sparsity true": ("sparsity: 0.90", "sparsity: yes", "True is not a sparsity"),
    "no sparsity": (", sparsity: 0.90", "", "missing key 'sparsity' in deployments.quest-10x.decode"),
    "from in another phase": (
        "decode: {method: quest, sparsity: 0.90}",
        "kv: {from: question, method: snapkv, sparsity: 0.90}",
        "8:16: deployments.quest-10x.kv: 'from' belongs to decode: write decode: {from: question}",
    ),
    "from nowhere": ("decode: {method: quest,", "decode: {from: context, method: quest,", "deployments.quest-10x.decode.from: 'context' is not one of 'answer' or 'question'"),
    "from the question without a method": (
        "decode: {method: quest, sparsity: 0.90}",
        "decode: {from: question}",
        "deployments.quest-10x.decode: from: question needs a decode or a kv method",
    ),
    "from the question with a sparsity of no method": ("decode: {method: quest,", "decode: {from: question,", "missing key 'method' in deployments.quest-10x.decode"),
    "unknown method": ("method: quest, sparsity: 0.90", "method: qest, sparsity: 0.90", "8:22: deployments.quest-10x.decode: no decode method 'qest'; did you mean 'quest'?"),
    "method of another phase": (
        "decode: {method: quest, sparsity: 0.90}",
        "prefill: {method: quest, sparsity: 0.90}",
        "no prefill method 'quest'; it acts in decode",
    ),
    "unknown parameter": ("window: 128", "windw: 128", "unknown parameter 'windw' of vertical_slash; did you mean 'window'?"),
    "parameter of a wrong type": ("window: 128", "window: wide", "10:78: deployments.release.prefill: window: 'wide': input should be a valid integer"),
    "parameter of another word": (
        "vertical_slash, sparsity: {1k: 0.5, 2k: 0.67}, window: 128",
        "block_sparse, sparsity: 0.5, lists: head",
        "10:59: deployments.release.prefill: lists: 'head': input should be 'query_head' or 'key_head'",
    ),
    "parameter out of range": ("window: 128", "window: 0", "window 0 must be at least 1"),
    "schedule without a length": ("{1k: 0.5, 2k: 0.67}", "{1k: 0.5}", "the schedule has no sparsity for 2k"),
    "sparsity out of reach": ("1k: 0.5", "1k: 0.95", "vertical_slash cannot reach sparsity 0.95 at 1024 tokens"),
    "a sparsity of dense": ("decode: {method: quest, sparsity: 0.8}", "decode: {method: dense, sparsity: 0.8}", "deployments.release.decode: dense attends everything and takes no 'sparsity'"),
    "a parameter of dense": ("decode: {method: quest, sparsity: 0.8}", "decode: {method: dense, sparsty: 0.8}", "dense attends everything and takes no 'sparsty'"),
    "a blank phase": ("decode: {method: quest, sparsity: 0.8}", "decode:", "deployments.release.decode is blank; name a method, or leave decode out"),
    "length beyond the model": ("lengths: [1k, 2k]", "lengths: [1k, 4k]", "lengths: 4k and an answer of up to "),
    "length that is none": ("[1k, 2k]", "[1k, 2kk]", "4:15: lengths.1: '2kk' is not a length"),
    "length twice": ("[1k, 2k]", "[1k, 1024]", "1k stands twice"),
    "missing model": ("path: model", "path: ../gone/model", "2:15: model.path '../gone/model' is not there"),
    "unknown suite": ("suite: frontier-small", "suite: frontier-smal", "3:8: "),
    "a list for a mapping": ("gate:\n  max_degradation: 0.05", "gate:\n  - max_degradation: 0.05", ""),
    "a mapping for a list": ("lengths: [1k, 2k]", "lengths: {1k: 2k}", "4:1: lengths: a mapping found where a list is needed"),
    "duplicate key": ("lengths:", "suite: other\nlengths:", "4:1: duplicate key 'suite'; it stands on line 3 already"),
    "a tab": ("  max_degradation", "\tmax_degradation", "13:1: a tab is not allowed here; indent with spaces"),
    "two documents": ("gate:", "---\ngate:", "a second document starts here"),
    "unclosed": ("[1k, 2k]", "[1k, 2k", "not valid YAML"),
    "too few items": ("max: 200", "max: 50", "cannot show a loss of at most 0.05 in single_qa at confidence 0.95, even without a single loss; 59 can"),
    "too few items for the mix": ("  mix: 0.04", "  mix: 0.01", "17:16: gate.items.max: 200 items a group cannot show a loss of at most 0.01 of the mix at confidence 0.95, even without a single loss; 260 can"),
    "no number of items is enough": ("groups: {multi_qa: 0.08}", "groups: {multi_qa: 0.00001}", "gate.items.max: 200 items cannot show a loss of at most 1e-05 in multi_qa at confidence 0.95, even without a single loss; 100000, the most, cannot either"),
    "baselines outside": ("suite:", "baselines: ../../elsewhere\nsuite:", "baselines: '../../elsewhere' leaves the contract's folder"),
    "profile of the model": ("premerge: {", "premerge: {suite: other, ", "profiles.premerge: a profile cannot change 'suite'"),
    "python object": ("suite: frontier-small", "suite: !!python/object/apply:os.getcwd []", "3:8: not valid YAML: could not determine a constructor"),
    "a date that is none": ("suite: frontier-small", "suite: 2026-13-45", "3:8: not valid YAML: '2026-13-45' is no timestamp (month must be in 1..12); put text in quotes"),
    "a tag of another type": ("suite: frontier-small", "suite: !!int x", "3:8: not valid YAML: 'x' is no int (invalid literal for int() with base 10: 'x'); put text in quotes"),
    "an empty number": ("suite: frontier-small", "suite: !!int ''", "3:8: not valid YAML: '' is no int"),
    "a timestamp of words": ("suite: frontier-small", "suite: !!timestamp soon", "3:8: not valid YAML: 'soon' is no timestamp; put text in quotes"),
    "a bool of words": ("suite: frontier-small", "suite: !!bool maybe", "3:8: not valid YAML: 'maybe' is no bool; put text in quotes"),
    "a number too long to be one": ("contract: 1", f"contract: {'1' * 5000}", "1:11: not valid YAML: '1111"),
    "binary": ("dtype: float32}", "dtype: float32, chat_template_kwargs: {a: !!binary /w==}}", "2:64: binary data has no place here; write text"),
    "half of a character": ("dtype: float32}", 'dtype: float32, chat_template_kwargs: {a: "\\ud800"}}', "2:64: '\\ud800' holds a character that no text has"),
    "a zero byte in a path": ("suite:", 'baselines: "a\\0"\nsuite:', "3:12: 'a\\x00' holds a character that no text has"),
    "a key that is a bool": ("  release:", "  on:", "9:3: the key 'on' is a bool in YAML; put it in quotes"),
    "a key that is a date": ("  release:", "  2026-13-01:", "9:3: the key '2026-13-01' is a timestamp in YAML; put it in quotes"),
    "a blank key": ("  release:", "  ~:", "9:3: the key '~' is a null in YAML; put it in quotes"),
    "a key that cannot be one": ("  release:", "  ? !!seq x\n  :", "9:5: not valid YAML: found unhashable key"),
    "a control character": ("gate:", "# \x07\ngate:", "12:3: the character '\\x07' is not allowed in YAML"),
    "a path that no disk has": ("path: model", f"path: {'m' * 5000}", "2:15: model.path 'mmm"),
    "a home that is not there": ("path: model", "path: ~nobody-of-this-name/model", "2:15: model.path '~nobody-of-this-name/model': "),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_broken(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    assert right in GOOD
    path = write(tmp_path, GOOD.replace(right, wrong, 1))

    with pytest.raises(LocatedError) as caught:
        load_contract(path)

    assert str(caught.value).startswith(f"{path}:")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; a mapping of keys to values is needed"),
        (b"# only a comment\n", "is empty"),
        (b"- contract: 1\n", "holds a list; a mapping of keys to values is needed"),
        (b"just words\n", "holds a single value"),
        (b"contract: 1\nsuite: caf\xe9\n", "2: byte 0xe9 is not UTF-8"),
        (b"a: &a [*a]\n", "an alias refers to itself"),
        (b"? [1, 2]\n: 3\n", "a list cannot be a key"),
        (b"!!set {contract, suite}\n", "holds a set; a mapping of keys to values is needed"),
        (b"a: " + b"[" * 3000 + b"]" * 3000, "is nested too deeply"),
        (b"a: " + b"{a: " * 3000 + b"}" * 3000, "is nested too deeply"),
        (b"contract: 1\n" + b"#" * (1 << 20), "at most 1048576 are read"),
    ],
)
def test_files_that_are_no_contract(tmp_path: Path, content: bytes, said: str) -> None:
    path = write(tmp_path)
    path.write_bytes(content)

    with pytest.raises(LocatedError) as caught:
        load_contract(path)

    assert said in str(caught.value)


def test_more_than_one_mistake_is_one_error_that_counts_the_rest(tmp_path: Path) -> None:
    text = GOOD.replace("0.90", "90").replace("0.04", "4").replace("1k, 2k", "1k, x")

    with pytest.raises(LocatedError, match=r":4:15: lengths.1: 'x' is not a length.*\(and 2 more to mend"):
        load_contract(write(tmp_path, text))


def test_a_damaged_model_config_is_said_at_the_models_path(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "model" / "config.json").write_text('{"max_position_embeddings": ')

    with pytest.raises(LocatedError, match=r"sparsetol.yaml:2:15: .*config.json cannot be read"):
        load_contract(path)
