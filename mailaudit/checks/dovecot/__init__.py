"""Rules about Dovecot's effective settings."""
