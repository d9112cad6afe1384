"""Jinja templates in a value, as far as they ask for nothing but a variable that has a default.

Rspamd carries templates out before libucl reads a file. Its environment are the variables `RSPAMD_NAME` of the process, and its
own packaged files ask for some of them: `bind_socket = "{= env.LOCAL_ADDR|default('localhost') =}:..."`.

Source: rspamd_rcl_jinja_handler() in rspamd's cfg_rcl, lualib/lupa.lua; 3.4 and 4.1.5 agree.
"""

from __future__ import annotations

import re

_DEFAULTED = re.compile(
    r"\{=\s*env\.[A-Z][A-Z0-9_]{0,99}\s{0,9}\|\s*default\s*(?P<bracket>\()?\s*"
    r"(?:\"(?P<double>[^\"\\\n]*)\"|'(?P<single>[^'\\\n]*)')\s*(?(bracket)\))\s*=\}"
)
_MARKS = ("{=", "{%", "{#")
_OPENING = re.compile(r"\{([=%#])")


def is_template(written: str) -> bool:
    """True if rspamd carries something out in it."""
    return any(mark in written for mark in _MARKS)


def by_default(written: str) -> str | None:
    """What a value comes to where no variable is set; None where that takes more than its defaults."""
    filled = _DEFAULTED.sub(lambda match: match["double"] or match["single"] or "", written)
    return None if is_template(filled) else filled


def never_closed(chars: str) -> int:
    """Where a file's first template without an end begins, be it in a comment: rspamd refuses the file. -1 for nowhere."""
    at = 0
    while (opening := _OPENING.search(chars, at)) is not None:
        end = chars.find(f"{opening[1]}}}", opening.end())
        if end < 0:
            return opening.start()
        at = end + 2
    return -1
