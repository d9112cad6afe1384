"""A host from nothing: the whole corrected set-up with a site's own names, as files by path."""
