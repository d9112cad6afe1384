"""Rules about the virtual map."""
