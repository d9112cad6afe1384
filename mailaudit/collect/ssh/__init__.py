"""A live host over SSH: what is asked of it, the script that collects it, the connection, the world."""
