"""Edits of configuration files in the field's own terms and in each file's own style; one module a language.

Every primitive gives the edits it takes: none, `()`, if the file says so already, and `None` if it cannot be said there without
changing something else as well (the words come out of a macro, the statement was not read). A value that the language has no
way to write raises `Unwritable`. An edit never reprints what it does not change.
"""
