"""The styles by the names that suites give."""

from __future__ import annotations

from typing import Literal

from sparsetol_suites.stories.long_style import LONG
from sparsetol_suites.stories.short_style import SHORT
from sparsetol_suites.stories.style import Style

StyleName = Literal["long", "short"]

STYLES: dict[StyleName, Style] = {"long": LONG, "short": SHORT}
