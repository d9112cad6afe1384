"""What the fixture `run` is: the command line in this process."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]
"""Takes arguments; gives exit code, standard output, standard error."""
