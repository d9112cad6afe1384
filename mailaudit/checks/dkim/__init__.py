"""Rules about the keys that sign outgoing mail, and what is signed with them."""
