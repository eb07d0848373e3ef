"""The tasks, one file each; `sparsetol_suites.registry` names them."""
