"""Whether a chain leads to an authority that is trusted: one of the system's, or one that the site or the user names."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from OpenSSL import crypto

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: that is judged by the certificates' own dates, at the audit's time


class Trust:
    """The trusted authorities: those that this system's programs trust, and further ones, each as PEM text."""

    def __init__(self, *further: str) -> None:
        self._further = further
        self._known: dict[tuple[str, ...], dict[str, object]] = {}

    def of(self, chain: Sequence[str]) -> dict[str, object]:
        """What is told of a chain as it was sent, its names and times aside: `trusted`, and `trust_error` where it is not.

        Nothing where that cannot be told: this system has no authorities of its own, and no further one leads there.
        """
        key = tuple(chain)
        if key not in self._known:
            self._known[key] = self._verified(key)
        return self._known[key]

    def _verified(self, chain: tuple[str, ...]) -> dict[str, object]:
        if not chain:
            return {}
        try:
            own, *others = (crypto.load_certificate(crypto.FILETYPE_PEM, each.encode("ascii")) for each in chain)
            crypto.X509StoreContext(self._store, own, others).verify_certificate()
        except crypto.X509StoreContextError as error:
            return {"trusted": False, "trust_error": str(error)} if self._knows_the_world else {}
        except crypto.Error:  # what is no certificate is for others to tell
            return {}
        return {"trusted": True}

    @cached_property
    def _store(self) -> crypto.X509Store:
        store = crypto.X509Store()
        if self._knows_the_world:
            places = ssl.get_default_verify_paths()
            store.load_locations(places.cafile, places.capath)
        for pem in self._further:
            store.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, pem.encode("ascii")))
        store.set_flags(_NO_CHECK_TIME)
        return store

    @cached_property
    def _knows_the_world(self) -> bool:
        """True if this system has authorities: without any, nobody could be trusted."""
        places = ssl.get_default_verify_paths()
        return bool(places.cafile or (places.capath and any(Path(places.capath).iterdir())))
