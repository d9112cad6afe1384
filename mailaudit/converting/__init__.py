"""Dovecot 2.3 to 2.4: a whole configuration rewritten, with the edits it needs and no others.

`conversion.convert` is the door. What 2.4 cannot be told is named with its place; nothing is guessed.
"""
