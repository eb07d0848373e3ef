"""PyTorch references of the sparse-attention operations; needs torch alone, not the plugin."""
