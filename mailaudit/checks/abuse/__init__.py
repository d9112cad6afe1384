"""Rules about what strangers and thieves could do with the host."""
