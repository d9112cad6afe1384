"""Rules about the host itself: its system, people, packages, daemons and limits."""
