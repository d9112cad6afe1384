"""Rules about the packet filter."""
