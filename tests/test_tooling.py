"""The project's own files agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    command = readme.split("<!-- test command -->\n```bash\n")[1].split("\n```")[0]

    assert "pytest" in command
    assert command.startswith("pip install")
    assert "/<!-- test command -->/" in (REPOSITORY / ".ci" / "run").read_text()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    pinned = {line.partition("==")[0].lower() for line in (REPOSITORY / "constraints.txt").read_text().splitlines()}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]

    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in wanted}
    assert names - pinned - {"types-pyyaml"} == set()


def test_tables_have_as_many_cells_in_each_row() -> None:
    paths = [REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("benchmarks/*.md")]
    torn = []
    for path in paths:
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
            # A bar with a backslash before it belongs to a cell.
            cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.strip().splitlines()}
            torn += [f"{path.name}: {table.splitlines()[0]}"] * (len(cells) > 1)

    assert torn == []


def test_changelog_fragments_name_an_issue_and_a_kind() -> None:
    kinds = {
        entry["directory"]
        for entry in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }

    for path in (REPOSITORY / "changelog.d").glob("*.md"):
        number, kind, _ = path.name.split(".")
        assert number.isdigit()
        assert kind in kinds
