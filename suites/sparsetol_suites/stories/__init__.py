"""Journals in numbered chapters, the context of the narrative tasks."""
