"""What rspamd's dkim_signing module signs with: the keys and selectors for each domain.

Source: prepare_dkim_signing() in lualib/lua_dkim_tools.lua and the defaults in plugins/dkim_signing.lua of rspamd 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailaudit.models.ucl.values import Value
from mailaudit.text import Span

# What the module does where no file says anything.
DEFAULTS: Mapping[str, bool | str] = {
    "allow_envfrom_empty": True,
    "allow_hdrfrom_mismatch": False,
    "allow_hdrfrom_mismatch_local": False,
    "allow_hdrfrom_mismatch_sign_networks": False,
    "allow_hdrfrom_multiple": False,
    "allow_pubkey_mismatch": True,
    "allow_username_mismatch": False,
    "check_pubkey": False,
    "enabled": True,
    "selector": "dkim",
    "sign_authenticated": True,
    "sign_local": True,
    "try_fallback": True,
    "use_domain": "header",
    "use_esld": True,
    "use_redis": False,
    "use_vault": False,
}
MAPS = ("selector_map", "path_map", "signing_table", "key_table")  # keys may come from maps, files or scripts that are not read
SCRIPTS = ("sign_condition", "use_domain_custom", "use_http_headers", "use_vault", "use_redis")
_PLACE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """One signature that a domain's mail gets.

    `selector` and `path` are as they come out, the path with its variables replaced; None where a template or a map decides.
    `selector_value` and `path_value` are what decided them; None for the module's own default. `fallback` is true if the domain
    has no entry of its own.
    """

    domain: str
    selector: str | None
    path: str | None
    selector_value: Value | None
    path_value: Value | None
    fallback: bool = False

    @property
    def public_paths(self) -> tuple[str, ...]:
        """Where the public half of its key may lie: as the guide names it, or beside it under another usual name."""
        if self.path is None:
            return ()
        stem = self.path.removesuffix(".key").removesuffix(".pem").removesuffix(".private")
        return (f"{stem}.pubkey", f"{stem}.pub")


@dataclass(frozen=True, slots=True, eq=False)
class DkimSigning:
    """The module's settings. `section` is `dkim_signing {}`; `database` is rspamd's folder for the keys it makes by default."""

    section: Value = field(default_factory=lambda: Value("object"))
    database: str = "/var/rspamd"

    def value(self, name: str) -> Value | None:
        """What decided a setting; None where no file says anything."""
        return self.section.get(name)

    def flag(self, name: str) -> bool | None:
        """A setting that is on or off; None where a template decides."""
        found = self.value(name)
        return bool(DEFAULTS.get(name, False)) if found is None else found.truth

    def word(self, name: str) -> str | None:
        """A setting that is a string; None where a template decides, or nothing is said and there is no default."""
        found = self.value(name)
        if found is None:
            default = DEFAULTS.get(name)
            return default if isinstance(default, str) else None
        return found.text

    def span(self, name: str) -> Span | None:
        """Where a setting is written."""
        found = self.value(name)
        return None if found is None else found.span

    @property
    def path(self) -> str | None:
        """The path of the keys of domains that name none; `$domain` and `$selector` stand in it."""
        found = self.value("path")
        return f"{self.database}/dkim/$domain.$selector.key" if found is None else found.text

    @property
    def domains(self) -> dict[str, Value]:
        """The domains that have an entry, as written; a mail's domain is looked up in lower case, all of it."""
        entries: dict[str, Value] = {}
        for section in self.section.members.get("domain", ()):
            for name, chain in section.members.items():
                entries.setdefault(name, chain[0])
        return entries

    @property
    def unknown(self) -> tuple[Value, ...]:
        """The settings that let a map, a script or a store decide on keys: what is signed is not known then from the files."""
        found = (self.value(name) for name in (*MAPS, *SCRIPTS))
        return tuple(value for value in found if value is not None and value.truth is not False)

    def all_keys(self, others: Iterable[str] = ()) -> tuple[SigningKey, ...]:
        """The keys of all domains that have an entry, and those of others."""
        return tuple(key for domain in dict.fromkeys((*self.domains, *others)) for key in self.keys(domain))

    def keys(self, domain: str) -> tuple[SigningKey, ...]:
        """The keys that a domain's mail is signed with, maps and scripts left out; none where it is not signed at all."""
        entry = self.domains.get(domain)
        pairs: list[tuple[Value | None, Value | None]] = []
        if entry is not None:
            if entry.get("selector") or entry.get("path"):
                pairs.append((entry.get("selector"), entry.get("path")))
            pairs += [(each.get("selector"), each.get("path")) for each in entry.all("selectors")]
        if not pairs:
            return () if self.flag("try_fallback") is False else (self._key(domain, None, None, fallback=True),)
        return tuple(self._key(domain, selector, path) for selector, path in pairs)

    def _key(self, domain: str, selector: Value | None, path: Value | None, *, fallback: bool = False) -> SigningKey:
        selector = selector or self.value("selector")
        path = path or self.value("path")
        name = self.word("selector") if selector is None else selector.text
        written = self.path if path is None else path.text
        return SigningKey(domain, name, replaced(written, domain, name), selector, path, fallback)


def replaced(path: str | None, domain: str, selector: str | None) -> str | None:
    """A key's path with the domain and the selector put in."""
    if path is None or (selector is None and "selector" in path):
        return None
    values = {"domain": domain, "selector": selector or ""}
    return _PLACE.sub(lambda match: values.get(match[1] or match[2], match[0]), path)
