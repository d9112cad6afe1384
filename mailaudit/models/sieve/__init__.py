"""Sieve scripts: what they may ask for, what sievec refuses, what they do with a message."""
