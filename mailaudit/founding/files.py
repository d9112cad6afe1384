"""All files of a host from nothing: those of the host, its zone, its record, its settings, and the checklist of commands."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from mailaudit.founding.place import CREDENTIALS, DIRECTORIES, SIEVE, Place, parents, place
from mailaudit.founding.wish import Plan
from mailaudit.models.reference import Reference, read_reference
from mailaudit.models.site import Site
from mailaudit.questions import Answer, Command, CommandOutput, Found, Question, RunCommand, Stat, StatFile
from mailaudit.recording import ANSWERS, save_answers
from mailaudit.snapshot import Snapshot

CHECKLIST = "CHECKLIST.md"
SETTINGS = "mailaudit.toml"
SECRET = "{{generate:hex16}}"  # noqa: S105  what stands where the host will put one
_OWN = frozenset({"/zone", "/zone-further", "/crontab", f"/{SETTINGS}", "/checklist"})
"""Templates that are no files of the host."""
_STEPS = {
    "install_mail": ("/etc/mail/smtpd.conf", "/etc/mail/virtuals", "/etc/mail/senders", "/etc/mail/aliases"),
    "install_dovecot": ("/etc/dovecot/",),
    "install_sieve": (f"{SIEVE}/",),
    "install_rspamd": ("/etc/rspamd/",),
}
"""What the checklist installs in one step, by the beginning of its path."""


def zone_name(plan: Plan) -> str:
    """The name of the zone's file."""
    return f"{plan.domain}.zone"


def folder(plan: Plan, templates: Mapping[str, str], *, version: str, taken: str) -> dict[str, str]:
    """All files of the folder by their paths in it.

    `templates` are those of `Rulebook.founding`; `taken` is the time of writing.
    """
    reference = _named(plan, templates, version)
    host = {path: _text(reference, path) for path in templates if path not in _OWN}
    host[CREDENTIALS.path] = "".join(f"{line}\n" for line in _credentials(plan))
    if plan.interface is not None:
        host[f"/etc/hostname.{plan.interface}"] = "".join(f"{line}\n" for line in _interface(plan))
    record = _record(plan, host, _text(reference, "/crontab"), taken)
    return {
        **{path[1:]: text for path, text in sorted(host.items())},
        zone_name(plan): _once(_text(reference, "/zone")) + _text(reference, "/zone-further"),
        SETTINGS: _text(reference, f"/{SETTINGS}"),
        ANSWERS: save_answers(record),
        CHECKLIST: _text(reference, "/checklist"),
    }


def _text(reference: Reference, path: str) -> str:
    text = reference.text(path)
    assert text is not None, path
    return text


def _once(zone: str) -> str:
    """Where the host and the mail name are one, its records stand there once."""
    seen: set[str] = set()
    lines = []
    for line in zone.splitlines(keepends=True):
        if line.strip() and line in seen:
            continue
        seen.add(line)
        lines.append(line)
    return "".join(lines)


def _named(plan: Plan, templates: Mapping[str, str], version: str) -> Reference:
    addresses = [str(each.ip) for each in (plan.ipv4, plan.ipv6) if each is not None]
    site = Site(
        domains=(plan.domain,),
        mail_host=plan.mail_host,
        host_name=plan.host_name,
        ipv4=tuple(each for each in addresses if ":" not in each),
        ipv6=tuple(each for each in addresses if ":" in each),
        selectors={plan.domain: plan.selector},
    )
    made = read_reference(templates, site, users=plan.users)
    paths = [path for path in sorted(templates) if path not in _OWN]
    names: dict[str, str | tuple[str, ...]] = {
        "dkim_txt": (),
        "dkim_command": dkim_command(plan.domain, plan.selector),
        "version": version,
        "openbsd": plan.openbsd,
        "dovecot": plan.dovecot,
        "zone": zone_name(plan),
        "address": tuple(addresses),
        "ipv4_setting": tuple(f'ipv4 = ["{each}"]' for each in site.ipv4),
        "ipv6_setting": tuple(f'ipv6 = ["{each}"]' for each in site.ipv6),
        "warning": plan.warnings,
        "secret": SECRET,
        "credentials": CREDENTIALS.begun,
        "closed": " ".join(path[1:] for path in paths if SECRET in templates[path]),
        "directory": tuple(each.made for each in DIRECTORIES),
        "login": tuple(f"{user}@{plan.domain}" for user in plan.users),
        "password": tuple(map(_asks, _credentials(plan))),
        "script": tuple(path for path in paths if path.endswith(".sieve")),
        "cron_job": tuple(_text(made, "/crontab").splitlines()),
        "interface": () if plan.interface is None else (plan.interface,),
        **{name: _installed(paths, starts) for name, starts in _STEPS.items()},
    }
    return Reference(templates=templates, names={**made.names, **names})


def _installed(paths: Sequence[str], starts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(place(path).installed for path in paths if path.startswith(starts))


def dkim_command(domain: str, selector: str) -> str:
    """The command that prints the TXT record of the public key that lies on the host, in strings of 255 octets."""
    key = f"(printf 'v=DKIM1;k=rsa;p='; sed /^-/d /etc/mail/dkim/{domain}.pubkey | tr -d '\\n'; echo)"
    return f"printf '{selector}._domainkey\\tIN\\tTXT\\t'; {key} | fold -w 255 | sed 's/.*/\"&\"/' | paste -sd ' ' -"


def _credentials(plan: Plan) -> list[str]:
    """A line for each user; in the hash's place the mark for a bcrypt hash that is not told."""
    return [f"{user}@{plan.domain}:{_mask(user, plan)}:2000:2000::/var/vmail/{plan.domain}/{user}/home::" for user in plan.users]


def _mask(user: str, plan: Plan) -> str:
    digest = hashlib.sha256(f"{user}@{plan.domain}".encode()).hexdigest()
    return f"{{{{masked:bcrypt:60:{digest[:16]}}}}}"


def _asks(line: str) -> str:
    """The command that waits for a password and writes a user's line with its hash."""
    login, _, rest = line.partition(":{{masked:")
    rest = rest.partition("}}")[2]
    return f'echo "password of {login}"; echo "{login}:$(head -n 1 | smtpctl encrypt){rest}" >> {CREDENTIALS.path}'


def _interface(plan: Plan) -> list[str]:
    lines = []
    if plan.ipv4 is not None:
        network = plan.ipv4.network if plan.ipv4.network.prefixlen < 32 else None
        lines.append(f"inet {plan.ipv4.ip} {network.netmask if network else '255.255.255.0'}")
    if plan.ipv6 is not None:
        length = plan.ipv6.network.prefixlen
        lines.append(f"inet6 {plan.ipv6.ip} {length if length < 128 else 64}")
    return lines


def _record(plan: Plan, host: Mapping[str, str], crontab: str, taken: str) -> Snapshot:
    """What the host will be once the checklist is done: modes and owners, root's jobs, the release that it is written for."""
    answers: dict[Question, Answer] = {
        RunCommand(Command.UNAME): Found(CommandOutput(0, f"OpenBSD {plan.openbsd}\n")),
        RunCommand(Command.CRONTAB_ROOT): Found(CommandOutput(0, crontab)),
    }
    for kind, places in {"file": list(map(place, host)), "directory": [*DIRECTORIES, *parents([*host, *_made()])]}.items():
        for each in places:
            answers[StatFile(each.path)] = Found(Stat(kind, each.mode, each.owner, each.group))
    return Snapshot(plan.host_name, "", answers, taken=taken)


def _made() -> list[str]:
    return [each.path for each in DIRECTORIES]


__all__ = ["CHECKLIST", "SETTINGS", "Place", "dkim_command", "folder", "zone_name"]
