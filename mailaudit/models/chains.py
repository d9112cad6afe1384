"""Chains of certificates as listeners sent them, out of answers that anyone may have written."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailaudit.models.certificates import MAX_CERTIFICATES, Certificate, NotReadError, read_certificate

MAX_PEM = 64 * 1024


@dataclass
class Chains:
    """Reads chains; a certificate that many listeners show is read once."""

    _known: dict[str, Certificate | NotReadError] = field(default_factory=dict)

    def read(self, value: object) -> tuple[Certificate, ...] | NotReadError | None:
        """The certificates of a chain; what cannot be read of it makes the whole unreadable."""
        if not isinstance(value, list | tuple) or not value:
            return None
        if len(value) > MAX_CERTIFICATES:
            return NotReadError(f"more than {MAX_CERTIFICATES} certificates")
        found: list[Certificate] = []
        for pem in value:
            one = self._certificate(pem)
            if isinstance(one, NotReadError):
                return one
            found.append(one)
        return tuple(found)

    def _certificate(self, pem: object) -> Certificate | NotReadError:
        if not isinstance(pem, str) or len(pem) > MAX_PEM:
            return NotReadError("what is no certificate")
        if pem not in self._known:
            try:
                self._known[pem] = read_certificate(pem)
            except NotReadError as error:
                self._known[pem] = error
        return self._known[pem]
