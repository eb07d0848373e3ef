"""The operations in Gluon for Hopper (compute capability 9.0)."""
