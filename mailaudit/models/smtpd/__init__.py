"""smtpd.conf as OpenSMTPD reads it: listeners, tables, actions, and where its match rules send an envelope."""
