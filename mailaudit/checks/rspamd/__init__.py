"""Rules about rspamd."""
