"""The tasks that suites can name: one line each, and those of other packages' entry points."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points

from sparsetol_suites.errors import SuiteError
from sparsetol_suites.located_yaml import nearest
from sparsetol_suites.task import Task

ENTRY_POINTS = "sparsetol.tasks"

TASKS: dict[str, str] = {
    "multi_hop": "sparsetol_suites.tasks.multi_hop:MultiHop",
    "own": "sparsetol_suites.tasks.own:OwnTraffic",
    "qa": "sparsetol_suites.tasks.qa:QuestionAnswering",
    "qa_choice": "sparsetol_suites.tasks.qa_choice:QuestionChoice",
    "ruler_cwe": "sparsetol_suites.tasks.ruler_cwe:RulerCwe",
    "ruler_needle": "sparsetol_suites.tasks.ruler_needle:RulerNeedle",
    "ruler_niah": "sparsetol_suites.tasks.ruler_niah:RulerNiah",
    "ruler_vt": "sparsetol_suites.tasks.ruler_vt:RulerVt",
    "story_filtering": "sparsetol_suites.tasks.story_filtering:StoryFiltering",
    "story_multihop": "sparsetol_suites.tasks.story_multihop:StoryMultihop",
    "story_retrieval": "sparsetol_suites.tasks.story_retrieval:StoryRetrieval",
}


def task_class(name: str) -> type[Task]:
    """The task that suites call `name`; a shipped one goes before another package's.

    Raises `SuiteError` with the nearest known name, or where the class cannot be imported or is no task.
    """
    # Reading entry points takes longer than all the rest.
    places = TASKS if name in TASKS else {point.name: point.value for point in entry_points(group=ENTRY_POINTS)} | TASKS
    if name not in places:
        raise SuiteError(f"unknown task {name!r}; {nearest(name, places)}")
    module, _, attribute = places[name].partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SuiteError(f"task {name!r} cannot be imported from {places[name]}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise SuiteError(f"task {name!r}: {places[name]} is not a subclass of sparsetol_suites.task.Task")
    return found
