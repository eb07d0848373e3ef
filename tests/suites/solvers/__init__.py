"""Solvers that answer from a message's text alone, independent of the generators."""
