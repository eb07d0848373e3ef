"""A pytest plugin that gates releases of language models served with sparse attention."""
