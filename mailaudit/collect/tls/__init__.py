"""Looks at listeners from outside: greetings, extensions, TLS versions and certificates. The door of pyOpenSSL."""
