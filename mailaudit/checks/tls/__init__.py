"""Rules about certificates, and what listeners show of them."""
