"""The corrected reference with a site's own names: what a missing file is written from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.dkim_record import PLACEHOLDER
from mailaudit.models.site import Site
from mailaudit.models.sources import Model

_NAME = re.compile(r"\{\{([a-z_0-9]+)\}\}")


@dataclass(frozen=True, eq=False)
class Reference(Model):
    """The templates by path, and the names that fill them."""

    templates: Mapping[str, str] = field(default_factory=dict, repr=False)
    names: Mapping[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """The reference's file at a path, or None if it has none or a name of the site is not known."""
        template = self.templates.get(path)
        if template is None or any(name not in self.names for name in _NAME.findall(template)):
            return None
        return _NAME.sub(lambda match: self.names[match[1]], template)


def read_reference(templates: Mapping[str, str], site: Site, dkim_txt: str | None = None) -> Reference:
    """The reference for a site. `dkim_txt` is the data of its DKIM record; a placeholder stands for it where it is not known."""
    domain = site.domains[0] if site.domains else None
    known = {
        "domain": domain,
        "mail_host": site.mail_host,
        "host_name": site.host_name or site.mail_host,
        "ipv4": site.ipv4[0] if site.ipv4 else None,
        "ipv6": site.ipv6[0] if site.ipv6 else None,
        "dkim_txt": dkim_txt or PLACEHOLDER,
        "selector": site.selectors.get(domain) if domain else None,
    }
    return Reference(templates=templates, names={name: value for name, value in known.items() if value})
