"""The TXT record that publishes a DKIM key, from the public half that lies beside the private one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.certificates import NotReadError, read_public_key
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import Site
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.questions import Found, KeyFacts, PublicKey
from mailaudit.text import Text

PLACEHOLDER = '"v=DKIM1;k=rsa;p=<dkim-pub-key>"'
"""What stands in the record's place as long as the key is not known; the guide writes it so."""
LONGEST = 255  # octets of one string (RFC 1035, section 3.3)
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")


@dataclass(frozen=True, eq=False)
class DkimRecords(Model):
    """By domain and selector, in lower case: the record's data in presentation form where it is known, and the key's path."""

    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    paths: Mapping[tuple[str, str], str] = field(default_factory=dict)


def read_dkim_records(sources: Sources, rspamd: Slot[RspamdConfig], site: Site) -> DkimRecords:
    """The records of the keys that rspamd signs with. A public key that does not belong to the private one is not taken."""
    texts: dict[tuple[str, str], str] = {}
    paths: dict[tuple[str, str], str] = {}
    for key in rspamd.value.dkim.all_keys(site.domains) if isinstance(rspamd, Known) else ():
        of = (key.domain.lower(), (key.selector or "").lower())
        if key.path is None or key.selector is None or of in paths:
            continue
        paths[of] = key.path
        halves = (sources.file(path) for path in key.public_paths)
        text = next((each for each in halves if isinstance(each, Text)), None)
        body = _public(text, sources.ask(PublicKey(key.path))) if text is not None else None
        if body is not None:
            texts[of] = strings(f"v=DKIM1;k=rsa;p={body}")
    return DkimRecords(texts=texts, paths=paths)


def dkim_txt(records: DkimRecords, site: Site) -> str | None:
    """The data of the record of the site's first domain; None where its key is not known."""
    domain = site.domains[0] if site.domains else None
    selector = site.selectors.get(domain) if domain is not None else None
    found = (data for (of, by), data in records.texts.items() if of == domain and selector in (None, by))
    return next(found, None)


def _public(text: Text, private: object) -> str | None:
    match = _PEM.search(text.chars)
    try:
        facts = read_public_key(text)
    except NotReadError:
        return None
    if match is None or facts.kind != "rsa":
        return None
    if isinstance(private, Found) and isinstance(private.value, KeyFacts) and private.value.spki != facts.spki:
        return None
    return re.sub(r"\s", "", match[1])


def strings(data: str) -> str:
    """ASCII text as the strings of a TXT record, each as long as it may be."""
    parts = [data[at : at + LONGEST] for at in range(0, len(data), LONGEST)]
    return " ".join('"' + re.sub(r'(["\\])', r"\\\1", part) + '"' for part in parts)
