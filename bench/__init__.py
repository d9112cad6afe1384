"""Benchmarks and comparisons that are run by hand or by `make`: figures, not tests."""
