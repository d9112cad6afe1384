"""Trees and answers into meaning."""
