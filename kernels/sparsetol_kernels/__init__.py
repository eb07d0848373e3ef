"""Sparse attention and its selection: kernels for CUDA, PyTorch elsewhere; needs torch alone, not the plugin."""
