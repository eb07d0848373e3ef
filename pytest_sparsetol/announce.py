"""Warnings about a contract: said once a session, and no reason not to collect it."""

from __future__ import annotations

import warnings

import pytest


def announce(node: pytest.Collector, warning: Warning) -> None:
    """Warn where the contract is collected: under pytest-xdist in the first worker.

    `-W error` is about code; a contract that it kept from being collected would gate nothing. A filter that names the
    warning's own class is obeyed.
    """
    if getattr(node.config, "workerinput", {}).get("workerid", "gw0") != "gw0":
        return
    try:
        node.warn(warning)
    except type(warning):
        if any(action == "error" and category is type(warning) for action, _, category, *_ in warnings.filters):
            raise
        said = warnings.WarningMessage(warning, type(warning), str(node.path), 0)
        node.config.hook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": said, "when": "collect", "nodeid": node.nodeid, "location": None}
        )
