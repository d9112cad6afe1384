"""What the commands do. Each is a module that imports what it needs; all end as telling.py says."""
