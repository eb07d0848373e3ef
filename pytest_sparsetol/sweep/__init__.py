"""The search for the largest safe sparsity: what `--sparsetol-sweep` runs, claims and writes."""
