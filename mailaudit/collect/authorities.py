"""The authorities that a site or the user trusts beside those of this system: PEM files that settings and options name."""

from __future__ import annotations

from pathlib import Path

from mailaudit.collect.directory import RefusedError
from mailaudit.collect.named import named_file
from mailaudit.models.certificates import NotReadError, read_certificate
from mailaudit.settings import Said, SettingsError

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
MOST = 1000  # certificates; a system's own bundle has 150


class AuthoritiesError(ValueError):
    """A file that holds no authorities; the message says why, without its name."""


def read_authorities(path: str) -> tuple[str, ...]:
    """The certificates of a PEM file, each as PEM text. Raises `AuthoritiesError`."""
    try:
        data = named_file(path)
    except RefusedError as error:
        raise AuthoritiesError(str(error)) from error
    if data is None:
        raise AuthoritiesError("no such file")
    parts = data.decode("ascii", "replace").split(_BEGIN)[1:]
    found = tuple(f"{_BEGIN}{part.partition(_END)[0]}{_END}\n" for part in parts)
    if not found or len(found) > MOST:
        raise AuthoritiesError("no certificate is in it" if not found else f"more than {MOST} certificates are in it")
    for number, pem in enumerate(found, 1):
        try:
            read_certificate(pem)
        except NotReadError as error:
            raise AuthoritiesError(f"its {number}. is {error}") from error
    return found


def site_authorities(said: Said, written: str, *, within: bool) -> tuple[str, ...]:
    """Those of `ca_file` as settings say it; `within` is true if it must lie below those, as in a target's own folder.

    Raises `SettingsError`.
    """
    settings = Path(said.file)
    path = settings.parent / written
    why = None
    if not settings.is_file():
        why = "it lies in an archive; --ca-file names one that does not"
    elif within and not path.resolve().is_relative_to(settings.parent.resolve()):
        why = "it is outside of the target"
    if why is None:
        try:
            return read_authorities(str(path))
        except AuthoritiesError as error:
            why = str(error)
    raise SettingsError(f"{said}: site.ca_file: {written}: {why}")
