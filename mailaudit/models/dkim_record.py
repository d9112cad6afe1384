"""The TXT record that publishes a DKIM key, from the public half that lies beside the private one."""

from __future__ import annotations

import re

from mailaudit.models.certificates import NotReadError, read_public_key
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import Site
from mailaudit.models.sources import Known, Slot, Sources
from mailaudit.questions import Found, KeyFacts, PublicKey
from mailaudit.text import Text

PLACEHOLDER = '"v=DKIM1;k=rsa;p=<dkim-pub-key>"'
"""What stands in the record's place as long as the key is not known; the guide writes it so."""
LONGEST = 255  # octets of one string (RFC 1035, section 3.3)
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END PUBLIC KEY-----")


def dkim_txt(sources: Sources, rspamd: Slot[RspamdConfig], site: Site) -> str | None:
    """The record's data in presentation form, for the site's first domain; None where its key is not known.

    A public key that does not belong to the private one is not taken.
    """
    domain = site.domains[0] if site.domains else None
    if domain is None or not isinstance(rspamd, Known) or domain not in rspamd.value.dkim.domains:
        return None
    selector = site.selectors.get(domain)
    for key in rspamd.value.dkim.keys(domain):
        if key.path and (selector is None or key.selector == selector):
            text = sources.file(f"{key.path.removesuffix('.key')}.pubkey")
            body = _public(text, sources.ask(PublicKey(key.path))) if isinstance(text, Text) else None
            if body is not None:
                return strings(f"v=DKIM1;k=rsa;p={body}")
    return None


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
