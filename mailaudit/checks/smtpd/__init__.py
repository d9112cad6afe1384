"""Rules about smtpd: its configuration, its queue and what it shows."""
