"""Commands of `sparsetol`, one file each; `pytest_sparsetol.cli` names them."""
