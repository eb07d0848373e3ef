"""Suites of long-context tasks: generators, data loaders and scorers, without any model."""
