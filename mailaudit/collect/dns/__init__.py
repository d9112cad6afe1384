"""Asks DNS: resolvers and authoritative servers, DNSSEC validated from the root. The door of dnspython's network side."""
