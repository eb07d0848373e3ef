"""A team's own methods: registered or from a package, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from sparsetol_suites.located_yaml import LocatedError

from pytest_sparsetol.contract import load_contract
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods import KvMethod, registry
from pytest_sparsetol.methods.registry import METHODS, method_class, method_names, register_method
from tests.contract.samples import GOOD, write

if TYPE_CHECKING:
    from torch import Tensor


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_OWN", {})
    registry._points.cache_clear()
    yield
    registry._points.cache_clear()


@dataclass(frozen=True)
class Latest(KvMethod):
    """Keeps the latest tokens."""

    name: ClassVar[str] = "latest"

    step: int = 1

    def reach(self, length: int) -> float:
        return 1 - 1 / length

    def select(self, query: Tensor, key: Tensor, scale: float) -> Tensor:
        raise NotImplementedError


SOURCE = """
from dataclasses import dataclass
from typing import ClassVar
from pytest_sparsetol.methods import KvMethod


@dataclass(frozen=True)
class Packed(KvMethod):
    name: ClassVar[str] = "packed"

    def reach(self, length):
        return 0.9

    def select(self, query, key, scale):
        raise NotImplementedError


@dataclass(frozen=True)
class Lazy(KvMethod):
    name: ClassVar[str] = "lazy"
"""


def install(folder: Path, points: str, monkeypatch: pytest.MonkeyPatch, name: str = "packed-methods") -> None:
    """An installed distribution with entry points, as pip leaves it."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sparsetol.methods]\n{points}\n")
    (folder / "packed_methods.py").write_text(SOURCE)
    (folder / "broken_methods.py").write_text("raise RuntimeError('no such library')\n")
    monkeypatch.syspath_prepend(folder)
    for module in ("packed_methods", "broken_methods"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    registry._points.cache_clear()


def contract_with(folder: Path, method: str) -> Path:
    line = "    decode: {method: quest, sparsity: 0.90}"
    return write(folder, GOOD.replace(line, f"    kv: {{method: {method}, sparsity: 0.5}}"))


def test_a_registered_method_is_one_of_a_contracts(tmp_path: Path) -> None:
    assert register_method(Latest) is Latest

    assert method_class("latest") is Latest
    assert load_contract(contract_with(tmp_path, "latest, step: 3")).method("quest-10x", "kv", 1024) == Latest(0.5, 3)
    with pytest.raises(
        LocatedError, match=r"8:18: .*no kv method 'latst'; did you mean 'latest'\? \(known: ada_snapkv"
    ):
        load_contract(contract_with(tmp_path, "latst"))
    with pytest.raises(LocatedError, match="unknown parameter 'stp' of latest; did you mean 'step'"):
        load_contract(contract_with(tmp_path, "latest, stp: 3"))


def test_a_file_that_is_loaded_twice_registers_once() -> None:
    for _ in range(2):

        @register_method
        @dataclass(frozen=True)
        class Again(Latest):
            name: ClassVar[str] = "again"

    assert method_names("kv").count("again") == 1


def test_an_entry_point_is_one_of_a_contracts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "packed = packed_methods:Packed", monkeypatch)

    method = load_contract(contract_with(tmp_path, "packed")).method("quest-10x", "kv", 1024)

    assert type(method).__name__ == "Packed"
    with pytest.raises(LocatedError, match=r"did you mean 'packed'\?"):
        load_contract(contract_with(tmp_path, "paked"))
    with pytest.raises(LocatedError, match=r"no decode method 'packed'; it acts in kv"):
        load_contract(write(tmp_path, GOOD.replace("quest, sparsity: 0.90", "packed, sparsity: 0.90")))


BROKEN = {
    "broken_methods:Any": "method 'theirs' of packed-methods (entry point theirs = broken_methods:Any) cannot be "
    "imported: RuntimeError: no such library",
    "nowhere:Any": "cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
    "packed_methods:Gone": "cannot be imported: AttributeError: module 'packed_methods' has no attribute 'Gone'",
    "packed_methods:dataclass": "is no subclass of PrefillMethod, KvMethod or DecodeMethod",
    "packed_methods:Lazy": "does not define reach, select",
    "packed_methods:Packed": "calls itself 'packed'; they must agree",
}


@pytest.mark.parametrize(("value", "said"), BROKEN.items())
def test_a_broken_entry_point_is_one_error_where_it_is_named(
    value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", f"theirs = {value}", monkeypatch)

    load_contract(write(tmp_path))
    with pytest.raises(LocatedError) as caught:
        load_contract(contract_with(tmp_path, "theirs"))

    assert f"{tmp_path}/sparsetol.yaml:8:18: deployments.quest-10x.kv: " in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_taken_is_refused() -> None:
    register_method(Latest)

    for taken, whose in (("quest", "is built in"), ("latest", "is Latest of .*test_registry.py")):
        other: Any = dataclass(frozen=True)(type("Other", (Latest,), {"name": taken, "__module__": __name__}))
        with pytest.raises(MethodError, match=rf"Other cannot be method '{taken}': that {whose}; name it otherwise"):
            register_method(other)
    assert METHODS["quest"].__name__ == "Quest"


def test_a_package_cannot_take_a_name_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "snapkv = packed_methods:Packed\npacked = packed_methods:Packed", monkeypatch)
    install(tmp_path / "more", "packed = other_methods:Packed", monkeypatch, "other-methods")

    with pytest.raises(LocatedError, match=r"method 'snapkv' is ambiguous: this plugin and packed-methods \(entry "):
        load_contract(contract_with(tmp_path, "snapkv"))
    with pytest.raises(LocatedError, match=r"method 'packed' is ambiguous: .*other-methods .* and packed-methods "):
        load_contract(contract_with(tmp_path, "packed"))
    load_contract(contract_with(tmp_path, "ada_snapkv"))


UNFIT: dict[str, Any] = {
    "is no subclass of PrefillMethod, KvMethod or DecodeMethod": int,
    "must be a dataclass itself": type("Bare", (Latest,), {"name": "bare"}),
    "does not define select": dataclass(frozen=True)(
        type("Half", (KvMethod,), {"name": "half", "reach": Latest.reach})
    ),
    "needs a name of lower-case letters, digits and underscores, not 'Dense!'": dataclass(frozen=True)(
        type("Odd", (Latest,), {"name": "Dense!"})
    ),
    "underscores, not 'dense'": dataclass(frozen=True)(type("Odd", (Latest,), {"name": "dense"})),
}


@pytest.mark.parametrize(("said", "method"), UNFIT.items())
def test_a_class_that_cannot_be_run_is_refused(said: str, method: Any) -> None:
    with pytest.raises(MethodError, match=said):
        register_method(method)
