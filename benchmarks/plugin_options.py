"""What pytest must be told for the plugin to be there."""

from __future__ import annotations

import importlib.metadata


def plugin_options() -> list[str]:
    """Nothing where the package is installed, the plugin by name where only its folder is on the path."""
    installed = {point.name for point in importlib.metadata.entry_points(group="pytest11")}
    return [] if "sparsetol" in installed else ["-p", "pytest_sparsetol.plugin"]
