"""What a finding is known by in the next run: SHA-256 over its rule, path, setting and offending value (contract, section 4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from mailaudit.findings import Finding, Place, Result

_REVERSE = re.compile(r"\b(?:[0-9a-f]\.){31}[0-9a-f]\b", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w]|\.[0-9]+(?![\w.]))")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")
_NETWORK = re.compile(r"\S+\. [A-Z0-9]+\b.*|[0-9A-Fa-f:.]+ [0-9]+ \w+|https?://.*", re.DOTALL)  # DNS, a listener, a policy
_SHORT = 6  # a shorter secret is found in words that hold none


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What no fingerprint may hang on: the host's own name, if it is a full one, and secrets by kind and value."""

    host: str = ""
    secrets: Sequence[tuple[str, str]] = ()

    def without(self, chars: str) -> str:
        """The characters with the host's name, secrets and addresses told by their kind."""
        for kind, secret in self.secrets:
            if len(secret) >= _SHORT and secret in chars:
                chars = chars.replace(secret, f"{{{kind}}}")
        if "." in self.host:
            chars = re.sub(rf"(?<![\w.-]){re.escape(self.host)}(?![\w-]|\.\w)", "{host}", chars, flags=re.IGNORECASE)
        chars = _REVERSE.sub("{ipv6}", chars)
        chars = _IPV4.sub("{ipv4}", chars)
        return _IPV6.sub(_address, chars) if "::" in chars or chars.count(":") > 1 else chars


def _address(match: re.Match[str]) -> str:
    written = match[0].rstrip(".")
    try:
        ip_address(written)
    except ValueError:
        return match[0]
    return "{ipv6}" + match[0][len(written) :]


def identity(rule: str, finding: Finding, unsaid: Unsaid) -> str:
    """What a fingerprint is made of, in words: rule, path or question, the setting's place, the offending value.

    A question to the network is not in it: of several that show the same, another one may be answered first next time.
    """
    first = finding.places[0] if finding.places else None
    path = first.path if isinstance(first, Place) else first.question if first else ""
    if not isinstance(first, Place) and _NETWORK.fullmatch(path):
        path = ""
    return unsaid.without(f"{rule}\0{path}\0{finding.about}\0{finding.value}")


def fingerprint(rule: str, finding: Finding, unsaid: Unsaid) -> str:
    """A finding's fingerprint, 64 hexadecimal digits; that of another finding may be the same."""
    return hashlib.sha256(identity(rule, finding, unsaid).encode("utf-8", "surrogateescape")).hexdigest()


def numbered(results: Iterable[Result]) -> list[Result]:
    """Results in order, of which those with equal fingerprints get others by their number."""
    seen: dict[str, int] = {}
    done = []
    for result in results:
        if result.fingerprint:
            number = seen[result.fingerprint] = seen.get(result.fingerprint, 0) + 1
            if number > 1:
                again = hashlib.sha256(f"{result.fingerprint}\0{number}".encode()).hexdigest()
                result = replace(result, fingerprint=again)  # noqa: PLW2901  the same result, told apart
        done.append(result)
    return done
