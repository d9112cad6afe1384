"""mailaudit audits and mends an OpenBSD mail host."""

__version__ = "0.1.0"
