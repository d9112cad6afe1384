"""Settings of the whole suite: examples that hypothesis makes up are the same in every run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")
