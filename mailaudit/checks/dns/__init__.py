"""Rules about the records of the mail domains, and the names of addresses."""
