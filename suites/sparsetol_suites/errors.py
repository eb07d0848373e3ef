"""Errors that suites raise for people to read."""

from __future__ import annotations


class SuiteError(Exception):
    """A suite, its data or one of its tasks cannot be used as written; the text says what would be right."""


class LengthError(SuiteError):
    """A task cannot make a prompt of the declared length."""
