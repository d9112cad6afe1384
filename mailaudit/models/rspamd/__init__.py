"""rspamd's merged configuration: modules, workers, and how it signs."""
