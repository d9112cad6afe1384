"""SPF, RFC 7208: what a record says, and what a receiver makes of it for one address."""
