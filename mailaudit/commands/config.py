"""`mailaudit config show`: every setting that is in force for a host, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailaudit import output, rulebook
from mailaudit.auditor import Auditor, Options, auditor_for, select, settled
from mailaudit.choices import AnswerFormat, Common
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.ssh.target import is_path, read_address
from mailaudit.collect.targets import working_settings
from mailaudit.collect.world import TargetError
from mailaudit.commands.choosing import options
from mailaudit.commands.telling import shown
from mailaudit.exitcodes import ExitCode
from mailaudit.models.site import Declared, Site
from mailaudit.reports.config import HostSettings, Kind, Origin, Value, as_json, as_text
from mailaudit.rulebook import Rulebook
from mailaudit.settings import SITE, Settings

DEFAULT = Origin(Kind.DEFAULT)
HERE = "a live host"  # for which those of the working directory are read
INFERRED = ("domains", "mail_host", "host_name", "ipv4", "ipv6", "selectors")


def show(common: Common, targets: Sequence[str], form: AnswerFormat) -> int:
    """Show the settings of the targets' hosts; without one of the hosts in the working directory, or of live hosts."""
    code = ExitCode.OK

    def make() -> str:
        nonlocal code
        chosen, book = options(common), rulebook.load()
        found: list[HostSettings] = []
        for target in targets or ["."]:
            if not is_path(target):
                read_address(target)
                found.append(_live(target, chosen, book))
                continue
            try:
                roots = find_worlds(target)
            except TargetError as error:
                if targets or error.code != ExitCode.NOTHING:
                    raise
                found.append(_live(HERE, chosen, book))
                continue
            for each in (*roots.errors, *roots.aside.values()):
                output.complain(each)
                code = ExitCode.INCOMPLETE
            found += [_of(auditor_for(world, book, chosen)) for world in roots]
        return as_json(found) if form is AnswerFormat.JSON else as_text(found)

    return shown(make, debug=common.debug, otherwise=as_json([]) if form is AnswerFormat.JSON else "") or code


def _of(auditor: Auditor) -> HostSettings:
    """The settings of a host whose files are here: what is inferred of them is known."""
    _, facts = auditor.learn()
    host = auditor.world.host
    values = tuple(_values(auditor.settings, auditor.options, facts.site, host))
    return HostSettings(host, auditor.world.target, auditor.settings.files, values)


def _live(target: str, chosen: Options, book: Rulebook) -> HostSettings:
    """The settings of a live host, which is not asked for this."""
    settings = settled(working_settings(), book, chosen)
    select(book, settings, chosen)
    return HostSettings(target, target, settings.files, tuple(_values(settings, chosen, None, "")))


def _values(settings: Settings, chosen: Options, site: Site | None, host: str) -> Iterator[Value]:
    yield from _of_site(settings, chosen, site)
    said = settings.said.get(("rules", "profile"))
    if chosen.profile is not None:
        yield Value(("rules", "profile"), str(chosen.profile), Origin(Kind.COMMAND_LINE, "--profile"))
    else:
        yield Value(("rules", "profile"), settings.profile, DEFAULT if said is None else Origin.of(said))
    for selector in settings.ignore:
        yield Value(("rules", "ignore"), (selector,), Origin.of(settings.said["rules", "ignore", selector]))
    for selector in chosen.ignore:
        yield Value(("rules", "ignore"), (selector,), Origin(Kind.COMMAND_LINE, "--ignore"))
    if not settings.ignore and not chosen.ignore:
        yield Value(("rules", "ignore"), (), DEFAULT)
    for selector, severity in settings.severity.items():
        yield Value(("rules", "severity", selector), str(severity), Origin.of(settings.said["rules", "severity", selector]))
    policy: dict[tuple[str, str, str], dict[str, object]] = {}
    for each in settings.site.policy:
        policy.setdefault(("policy", each.subject, each.name), {})[each.operator] = each.value
    for keys, expected in policy.items():
        yield Value(keys, expected, Origin.of(settings.said[keys]))
    for waiver in settings.waivers:
        if not host or waiver.concerns(host):
            more = {"expires": waiver.expires, "host": waiver.host, "match": waiver.match}
            told = {"rule": waiver.rule, "reason": waiver.reason} | {
                key: value for key, value in more.items() if value is not None
            }
            yield Value(("waiver",), told, Origin(Kind.FILE, waiver.origin))


def _of_site(settings: Settings, chosen: Options, site: Site | None) -> Iterator[Value]:
    declared = settings.site
    for name in SITE:
        said = settings.said.get(("site", name))
        value = _ports(declared) if name == "open_ports" else getattr(declared, name)
        origin = DEFAULT
        if name == "domains" and chosen.domain:
            origin = Origin(Kind.COMMAND_LINE, "--domain")
        elif said is not None:
            origin = Origin.of(said)
        elif name in INFERRED:
            value, origin = _inferred(site, name)
        yield Value(("site", name), value, origin)


def _inferred(site: Site | None, name: str) -> tuple[object, Origin]:
    if site is None:
        return None, Origin(Kind.UNKNOWN)
    if name == "selectors":
        return dict(site.selectors), DEFAULT
    value = getattr(site, name)
    return value or None, Origin(Kind.INFERRED, site.inferred.get(name, "nothing tells it"))


def _ports(declared: Declared) -> dict[str, tuple[int, ...]]:
    return {"tcp": declared.open_tcp, "udp": declared.open_udp}
