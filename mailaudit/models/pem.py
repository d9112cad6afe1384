"""The certificates, keys and Diffie-Hellman parameters that lie on the host, by the paths that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mailaudit.models.acme import AcmeConfig
from mailaudit.models.certificates import Certificate, NotReadError, read_certificates, read_dh_parameters, read_public_key
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.questions import Absent, Failed, Found, KeyFacts, PublicKey, Reason
from mailaudit.text import Text

T = TypeVar("T")
NEVER_ASKED = Failed(Reason.NOT_RECORDED, "nothing names this file")


@dataclass(frozen=True, eq=False)
class PemFiles(Model):
    """What was read, by path. A private key is known by its public half alone, which is computed where the key is.

    `NotReadError` stands for a file that is there and holds something else.
    """

    chains: Mapping[str, tuple[Certificate, ...] | NotReadError | Absent | Failed] = field(default_factory=dict)
    keys: Mapping[str, KeyFacts | Absent | Failed] = field(default_factory=dict)
    public_keys: Mapping[str, KeyFacts | NotReadError | Absent | Failed] = field(default_factory=dict)
    dh: Mapping[str, int | NotReadError | Absent | Failed] = field(default_factory=dict)

    def chain(self, path: str) -> tuple[Certificate, ...] | NotReadError | Absent | Failed:
        """The certificates of a file, the server's own first."""
        return self.chains.get(path, NEVER_ASKED)

    def public_key(self, path: str) -> KeyFacts | NotReadError | Absent | Failed:
        """A public key."""
        return self.public_keys.get(path, NEVER_ASKED)

    def key(self, path: str) -> KeyFacts | Absent | Failed:
        """The public half of a private key."""
        return self.keys.get(path, NEVER_ASKED)


def read_pem(sources: Sources, slots: Mapping[type, Slot[object]]) -> PemFiles:
    """What the files that the configuration names hold."""
    models = [slot.value for slot in slots.values() if isinstance(slot, Known)]
    domains = tuple(domain for model in models if isinstance(model, Site) for domain in model.domains)
    named = list(dict.fromkeys(each for model in models for each in _named(model, domains) if each[1].startswith("/")))
    return PemFiles(
        chains={path: _read(sources, path, read_certificates) for kind, path in named if kind == "chain"},
        keys={path: _key(sources, path) for kind, path in named if kind == "key"},
        public_keys={path: _read(sources, path, read_public_key) for kind, path in named if kind == "public"},
        dh={path: _read(sources, path, read_dh_parameters) for kind, path in named if kind == "dh"},
    )


def _named(model: object, domains: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each file that a configuration names: what it is, and its path."""
    match model:
        case AcmeConfig():
            for domain in model.domains:
                yield from (("chain", token.value) for token in (domain.full_chain, domain.certificate) if token)
                yield from (("key", token.value) for token in (domain.key,) if token)
        case SmtpdConfig():
            for pki in model.pki.values():
                yield from (("chain", token.value) for token in (pki.cert,) if token)
                yield from (("key", token.value) for token in (pki.key,) if token)
        case DovecotConfig():
            for kind, setting in (("chain", model.certificate), ("key", model.key), ("dh", model.setting("ssl_dh"))):
                yield from ((kind, path) for path in (model.path_of(setting),) if path)
            yield from (("dh", setting.value) for setting in (model.setting("ssl_server_dh_file"),) if setting.value)
        case HttpdConfig():
            for server in model.servers:
                yield from (("chain", token.value) for token in (server.tls_option("certificate"),) if token)
                yield from (("key", token.value) for token in (server.tls_option("key"),) if token)
        case RspamdConfig():
            for key in model.dkim.all_keys(domains):
                if key.path:
                    yield "key", key.path
                    yield from (("public", path) for path in key.public_paths)


def _read(sources: Sources, path: str, read: Callable[[Text], T]) -> T | NotReadError | Absent | Failed:
    text = sources.file(path)
    if not isinstance(text, Text):
        return text
    try:
        return read(text)
    except NotReadError as error:
        return error


def _key(sources: Sources, path: str) -> KeyFacts | Absent | Failed:
    answer = sources.ask(PublicKey(path))
    if isinstance(answer, Found):
        assert isinstance(answer.value, KeyFacts)
        return answer.value
    return answer
