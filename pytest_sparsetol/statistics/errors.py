"""What is wrong with evidence that cannot be judged."""

from __future__ import annotations

from pytest_sparsetol.errors import SparsetolError


class EvidenceError(SparsetolError, ValueError):
    """Differences, clusters, weights or limits that no verdict can rest on."""
