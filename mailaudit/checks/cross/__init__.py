"""Rules about what two layers must agree on."""
