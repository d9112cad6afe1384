"""Two reports of the same hosts: what is new, fixed, changed, no longer told; what a baseline accepts. Pure."""
