"""Rules about acme-client: its configuration, files and renewal."""
