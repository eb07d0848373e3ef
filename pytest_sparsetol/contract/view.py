"""A contract's file as one of its models and one of its profiles see it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparsetol_suites.located_yaml import Document, Loc, load


@dataclass(frozen=True)
class View(Document):
    """A document as one of its models and one of its profiles see it; errors point at where the file says the part.

    Attributes:
        model: place of the model in the file's list, None where it names one alone.
        profile: laid over the rest, None for the file as it stands.

    """

    model: int | None = None
    profile: str | None = None

    def position(self, loc: Loc) -> tuple[int, int]:
        """Of the value at `loc` where the file says it: in the profile or in the model's entry of the list."""
        return super().position(self._written(loc))

    def key_position(self, loc: Loc) -> tuple[int, int]:
        """Of the key that ends `loc` where the file says it."""
        return super().key_position(self._written(loc))

    def _written(self, loc: Loc) -> Loc:
        inside: Loc = ("profiles", str(self.profile), *loc)
        if self.profile is not None and _holds(self._as_written, inside):
            return inside
        return ("model", self.model, *loc[1:]) if self.model is not None and loc[:1] == ("model",) else loc

    @functools.cached_property
    def _as_written(self) -> dict[str, Any]:
        return load(self.path).data


def overlay(document: Document, name: str, changes: dict[str, Any]) -> View:
    """The document, which is right by itself, with the profile `name` laid over it.

    Raise `LocatedError` for a key that no profile can change.
    """
    for key in ("contract", "profiles", "model", "suite"):
        if key in changes:
            raise document.error(("profiles", name, key), f"profiles.{name}: a profile cannot change {key!r}")
    below = {key: value for key, value in document.data.items() if key != "profiles"}
    data = _merge(_of_groups(below, changes.get("mix")), changes)
    model = document.model if isinstance(document, View) else None
    return View(document.path, data, document.root, model, name)


def _of_groups(data: dict[str, Any], mix: Any) -> dict[str, Any]:
    """Without what the gate says of groups that a profile's `mix` drops; what the profile says of any is kept."""
    if not isinstance(mix, dict) or "gate" not in data:
        return data
    kept = {
        key: {group: value for group, value in data["gate"][key].items() if group in mix}
        for key in ("groups", "min_dense")
        if key in data["gate"]
    }
    return {**data, "gate": {**data["gate"], **kept}}


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`: mappings merge, everything else replaces. A mix or deployment list replaces whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merge = isinstance(value, dict) and isinstance(under, dict) and key not in {"mix", "deployments"}
        merged[key] = _merge(under, value) if merge else value  # type: ignore[arg-type]  # narrowed by `merge`
    return merged


def _holds(data: Any, loc: Loc) -> bool:
    for part in loc:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True
