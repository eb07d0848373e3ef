"""Runs a real model under a sparse-attention policy. Everything here may import torch and transformers."""
