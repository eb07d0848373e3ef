"""Tests of the suites; no model is needed."""
