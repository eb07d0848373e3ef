"""An attention policy: what each phase of a deployment does at one prompt length."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_sparsetol.methods.base import DecodeMethod, KvMethod, PrefillMethod


@dataclass(frozen=True)
class Policy:
    """Methods by phase; None is dense."""

    prefill: PrefillMethod | None = None
    decode: DecodeMethod | None = None
    kv: KvMethod | None = None


DENSE = Policy()
