"""What a site expects of its hosts beyond the rules: values that can be measured on any host, and compared with room to move."""
