"""Errors that end a cell or a collection with a plain message and no traceback."""

from __future__ import annotations


class SparsetolError(Exception):
    """Base of every error that this package raises for the user to read."""


class ContractError(SparsetolError):
    """A contract, or a file that it names, cannot be used as written."""


class ModelError(SparsetolError):
    """The model cannot be loaded, or has attention that the engine cannot compute faithfully."""


class MissingInputError(SparsetolError):
    """Something that a cell needs is not there (weights, data, a stored baseline): the cell is UNTESTED."""


class BaselineError(SparsetolError):
    """A stored baseline does not belong to what is run, is damaged, or cannot be read or written."""


class DamagedBaselineError(BaselineError):
    """The file of a stored baseline is not as it was written."""


class ReportError(SparsetolError):
    """A file of results cannot be read, or does not go with the others."""


class ShardError(SparsetolError, ValueError):
    """A part of a run that cannot be."""


class CertificateError(SparsetolError):
    """A certificate cannot be read, or what cites it lies outside."""


class MethodError(SparsetolError, ValueError):
    """A sparse-attention method was given parameters that it cannot honour."""


class CoverageWarning(UserWarning):
    """A contract's mix leaves a corner of scope and dispersion empty: its results are no general claim."""


class PowerWarning(UserWarning):
    """A contract's items are too few to pass a safe policy often enough."""
