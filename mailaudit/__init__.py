"""mailaudit: is this OpenBSD mail host right?"""

__version__ = "0.1.0"
