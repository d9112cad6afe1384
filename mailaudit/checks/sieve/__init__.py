"""Rules about Sieve: its settings and the administrator's scripts."""
