"""An attention policy: what each phase of a deployment does at one prompt length."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_sparsetol.methods.base import DecodeMethod, KvMethod, PrefillMethod


@dataclass(frozen=True)
class Policy:
    """Methods by phase; None is dense.

    Attributes:
        prefill: method of the prompt's own attention.
        decode: method of decoding steps.
        kv: what stays of the cache once prefill is over.
        from_question: prefill ends where the question begins; its tokens are decoding steps like the answer's.

    """

    prefill: PrefillMethod | None = None
    decode: DecodeMethod | None = None
    kv: KvMethod | None = None
    from_question: bool = False


DENSE = Policy()
