"""Rules about the credentials of the mail users."""
