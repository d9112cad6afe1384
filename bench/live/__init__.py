"""The speed of a whole scan of a live host, beside a bare script that asks the same and beside other tools; in the lab."""
