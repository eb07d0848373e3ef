"""Sparse-attention methods, one file each, and their registry. Importing this package does not import torch."""
