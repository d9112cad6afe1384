"""The corrected reference with a site's own names: what a missing file is written from, and a whole set-up from nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from mailaudit.models.dkim_record import PLACEHOLDER
from mailaudit.models.registrable import registrable
from mailaudit.models.site import Site
from mailaudit.models.sources import Model

USERS = ("example_user",)
"""Who stands for a site's users where they are not known."""
_NAME = re.compile(r"\{\{([a-z_0-9]+)\}\}")


@dataclass(frozen=True, eq=False)
class Reference(Model):
    """The templates by path, and the names that fill them.

    A line that names a list stands there once for each of its members, and not at all where the list is empty.
    """

    templates: Mapping[str, str] = field(default_factory=dict, repr=False)
    names: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """The reference's file at a path, or None if it has none or a name of the site is not known."""
        template = self.templates.get(path)
        if template is None or any(name not in self.names for name in _NAME.findall(template)):
            return None
        return "".join(filled for line in template.splitlines(keepends=True) for filled in self._filled(line))

    def _filled(self, line: str) -> Iterator[str]:
        lists = [name for name in _NAME.findall(line) if isinstance(self.names[name], tuple)]
        for value in self.names[lists[0]] if lists else ("",):
            yield _NAME.sub(lambda match: value if match[1] in lists else str(self.names[match[1]]), line)  # noqa: B023  used at once


def read_reference(
    templates: Mapping[str, str], site: Site, dkim_txt: str | None = None, users: Sequence[str] = USERS
) -> Reference:
    """The reference for a site and the local parts of its users, of whom the first has the mail of the site itself.

    `dkim_txt` is the data of its DKIM record; a placeholder stands for it where it is not known. Of addresses, the first of each
    family is taken; where there are none of one family, the site has none.
    """
    domain = site.domains[0] if site.domains else None
    known: dict[str, str | None] = {
        "domain": domain,
        "mail_host": site.mail_host,
        "host_name": site.host_name or site.mail_host,
        "dkim_txt": dkim_txt or PLACEHOLDER,
        "selector": site.selectors.get(domain) if domain else None,
        "user": users[0],
    }
    names: dict[str, str | tuple[str, ...]] = {name: value for name, value in known.items() if value}
    names["other_user"] = tuple(users[1:])
    if domain is not None:  # rspamd looks for the key of what was registered, unless it is told not to
        names["subdomain"] = () if registrable(domain) == domain else ("use_esld = false;",)
    addresses = site.ipv4[:1] + site.ipv6[:1]
    if addresses:
        names["ipv4"], names["ipv6"] = site.ipv4[:1], site.ipv6[:1]
        names["reverse"] = tuple(f"{ip_address(each).reverse_pointer}." for each in addresses)
        names["spf"] = " ".join(f"ip{ip_address(each).version}:{each}" for each in addresses)
    return Reference(templates=templates, names=names)
