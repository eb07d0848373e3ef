"""The operations in plain Triton: compute capability 8.0 and newer, and Triton's interpreter."""
