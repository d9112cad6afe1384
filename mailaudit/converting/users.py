"""Further fields in files of users: 2.4 takes `userdb_mail_path` where 2.3 took `userdb_mail`."""

from __future__ import annotations

import re

from mailaudit.converting.fields import converted, of_auth
from mailaudit.converting.locations import Unsaid
from mailaudit.converting.variables import UnknownVariable
from mailaudit.converting.writing import Work
from mailaudit.edits import Edit
from mailaudit.models.dovecot.passwd_file import lines_of
from mailaudit.text import Text

_NAME = re.compile(r"[A-Za-z0-9_/]+")


def convert_users(work: Work, text: Text) -> None:
    """The fields behind the seventh colon of each user; a format of mail that all have is not said again."""
    place = work.config.mail_place
    for line in lines_of(text).values():
        for name, value, span in line.extras():
            if not _NAME.fullmatch(name) or "=" not in span.chars:
                continue
            try:
                pairs = converted(work.config, name, value, of_auth)
            except (Unsaid, UnknownVariable) as error:
                why = f"2.4 has no variable {error}" if isinstance(error, UnknownVariable) else str(error)
                work.leave(span, why, "write the field in the words of 2.4")
                continue
            pairs = [(key, each) for key, each in pairs if not (key.endswith("mail_driver") and place and each == place.format)]
            if any(" " in each for _, each in pairs):
                pairs = [(key, each.replace(" | ", "|")) for key, each in pairs]
            new = " ".join(f"{key}={each}" for key, each in pairs)
            if new != span.chars:
                work.edit((Edit(text.path, span.start, span.end, new),))
