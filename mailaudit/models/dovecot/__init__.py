"""Dovecot's effective settings, of both families (2.3 and 2.4), with the place that decided each."""
