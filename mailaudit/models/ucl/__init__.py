"""UCL, the language of rspamd's files: values, merging, macros."""
