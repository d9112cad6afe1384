"""The pf ruleset: what pf.conf and its tables say, expanded as pfctl does it, and what it does with packets."""
