"""Rules about rspamd: that its configuration loads, who can reach it, what it checks and when it refuses."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.loading import loads, refused_by_checker
from mailaudit.checks.registry import rule
from mailaudit.checks.rspamd.asked import option_of
from mailaudit.checks.rspamd.edits import add_lines, place_of, set_to
from mailaudit.checks.smtpd.edits import is_filtered
from mailaudit.edits import Edit, Fix, Safety, create
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.files import Files
from mailaudit.models.redis import RedisConfig
from mailaudit.models.reference import Reference
from mailaudit.models.rspamd.config import MAIN, Bind, RspamdConfig, Worker
from mailaudit.models.rspamd.originals import EXAMPLES, Originals
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sockets import Sockets
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.ucl.values import Value
from mailaudit.models.verdicts import Verdicts
from mailaudit.questions import Absent, Command, Failed, Reason
from mailaudit.text import Text

DEFAULT_PORTS = {"normal": 11333, "controller": 11334, "rspamd_proxy": 11332, "fuzzy": 11335}
REDIS_PORT = 6379
HASHED = "$"
MADE_OR_MASKED = ("{{generate:", "{{masked:")
GUESSED = frozenset({"q1", "q2", "password", "example_password", "changeme", "admin", "rspamd", "secret", "mypassword", "enter"})
SHORTEST = 8
FOR_USERS = (
    "authenticated {",
    "\tpriority = high;",
    "\tauthenticated = true;",
    "\tapply {",
    '\t\tgroups_disabled = ["rbl", "spf"];',
    "\t}",
    "}",
)
"""Settings for those who logged in: what is asked about strangers' addresses is left out."""
DEFAULT_SCORES = {"greylist": 4, "add_header": 6, "rewrite_subject": 8, "reject": 15}
ORDER = (("add_header", "reject"), ("rewrite_subject", "reject"), ("greylist", "reject"), ("greylist", "add_header"))
_HOST_PORT = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:,\s]+))(?::(?P<port>\d{1,9}))?")
CHECKS = {
    "spf": "which hosts may send for the sender's domain",
    "dkim": "signatures",
    "dmarc": "what the sender's domain asks for",
}


@rule("RSPAMD001")
def loads_at_all(rspamd: RspamdConfig | Missing, verdicts: Verdicts, reference: Reference) -> Iterator[Outcome]:
    """Rspamd refuses nothing of its files, and says so itself where it was asked."""
    for outcome in loads(rspamd, "rspamd", reference, is_taken=Command.RSPAMADM_CONFIGTEST in verdicts.taken):
        if isinstance(outcome, Finding) and outcome.fix is not None:
            yield dataclasses.replace(outcome, fix=dataclasses.replace(outcome.fix, safety=Safety.UNSAFE))
        else:
            yield outcome
    yield from refused_by_checker(rspamd, "rspamd", Command.RSPAMADM_CONFIGTEST, verdicts)


@rule("RSPAMD002")
def workers_on_loopback(rspamd: RspamdConfig, sockets: Sockets | Lacking) -> Iterator[Outcome]:
    """No other host can reach a worker."""
    for worker in rspamd.workers:
        if worker.is_enabled is False:
            continue
        for bind in worker.binds:
            yield from _bind(rspamd, worker, bind)
    if isinstance(sockets, Lacking):
        if sockets.reason is not Reason.NOT_RECORDED:
            yield Doubt(sockets.reason, sockets.detail)
        return
    known = {bind.port for worker in rspamd.workers for bind in worker.binds if bind.is_loopback and bind.port}
    for port in sorted(known):
        if sockets.public(port):
            message = f"Something listens on port {port} for other hosts too, though rspamd is told to listen on loopback alone."
            yield Finding(message, (Evidence("netstat", f"*.{port} LISTEN"),), about=f"port {port}", value="public")


def _bind(rspamd: RspamdConfig, worker: Worker, bind: Bind) -> Iterator[Outcome]:
    if bind.is_loopback:
        return
    file = worker.file or "rspamd.conf.local"
    place = place_of(rspamd, bind.value, file)
    if bind.is_loopback is None:
        yield Doubt(Reason.IN_DOUBT, f"What the {worker.kind} worker of rspamd listens on could not be told.", (place,))
        return
    port = bind.port or DEFAULT_PORTS.get(worker.kind)
    edits = set_to(rspamd, bind.value, file, ("bind_socket",), f"localhost:{port}") if port else ()
    fix = Fix("Listen on loopback", Safety.SAFE, edits) if edits else None
    where = "every address" if bind.host == "*" else bind.host
    message = f"The {worker.kind} worker of rspamd listens on {where}, port {bind.port}, and asks nobody who they are."
    yield Finding(message, (place,), fix, f"worker {worker.kind}", bind.host or "")


@rule("RSPAMD003")
def redis_is_named(rspamd: RspamdConfig, redis: RedisConfig | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """Rspamd knows where redis is, and redis is there."""
    servers = rspamd.get("redis", "servers") or rspamd.get("redis", "write_servers")
    path = rspamd.local("redis.conf")
    if servers is None and f"{rspamd.folder}/{MAIN}" in rspamd.packaged and path not in rspamd.own:
        message = f"Whether the package's own {path} is there is not known: none of rspamd's packaged files is at hand."
        yield Doubt(Reason.NOT_RECORDED, message)
    elif servers is None:
        edits = set_to(rspamd, None, "redis.conf", ("servers",), "127.0.0.1")
        fix = Fix("Name the redis of this host", Safety.SAFE, edits) if edits else None
        message = "Rspamd is not told where redis is, so it learns nothing, greylists nobody and remembers nothing."
        yield Finding(message, (Place.whole(path),), fix, "redis servers", "missing", absence=True)
    elif isinstance(redis, Lacking):
        yield Doubt(redis.reason, redis.detail)
    elif isinstance(redis, RedisConfig):
        yield from _meets(rspamd, servers, redis)


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _meets(rspamd: RspamdConfig, servers: Value, redis: RedisConfig) -> Iterator[Outcome]:
    """Where rspamd looks for redis is one of the places where it listens."""
    written = [value.text for value in servers.each()]
    place = place_of(rspamd, servers, "redis.conf")
    if None in written:
        yield Doubt(Reason.IN_DOUBT, "Where rspamd looks for redis could not be told.", (place,))
        return
    for each in written:
        match = _HOST_PORT.match((each or "").strip())
        host = (match["six"] or match["host"]) if match else ""
        port = int(match["port"] or REDIS_PORT) if match else REDIS_PORT
        if _is_here(host) and port != redis.port:
            at = redis.place("port")
            related = (Place.at(at, "where redis listens"),) if at else ()
            message = f"Rspamd looks for redis on port {port} of this host, and redis listens on {redis.port or 'no port'}."
            edits = set_to(rspamd, servers, "redis.conf", ("servers",), f"{host}:{redis.port}") if redis.port else ()
            fix = Fix("Name redis's port", Safety.SAFE, edits) if edits and servers.kind != "array" else None
            yield Finding(message, (place, *related), fix, "redis servers", str(port))
    secret = redis.value("requirepass")
    given = rspamd.get("redis", "password")
    if secret and not secret.startswith("{{") and given is None:
        message = "Redis asks for a password, and rspamd is not told any."
        yield Finding(message, (Place.whole(rspamd.local("redis.conf")),), about="redis password", value="missing", absence=True)


@rule("RSPAMD004")
def controller_has_own_password(rspamd: RspamdConfig, reference: Reference, files: Files) -> Iterator[Outcome]:
    """The controller's password is not the packaged one."""
    for worker in rspamd.workers:
        if worker.kind != "controller" or worker.is_enabled is False:
            continue
        for name in ("password", "enable_password"):
            value = worker.section.get(name)
            if value is None:
                continue
            word = value.text
            if word is None or (word.startswith("{{") and not word.startswith(MADE_OR_MASKED)):
                message = f"The {name} of rspamd's controller could not be told."
                yield Doubt(Reason.IN_DOUBT, message, (place_of(rspamd, value, "worker-controller.inc"),))
            elif not rspamd.is_own(value) and not files.of_host:
                message = f"The {name} of rspamd's controller is not known: no repository should hold it."
                yield Doubt(Reason.NOT_RECORDED, message, (place_of(rspamd, value, "worker-controller.inc"),))
            elif _is_guessed(word):
                yield _guessed(rspamd, value, name, reference)


def _is_guessed(word: str) -> bool:
    if word.startswith((*MADE_OR_MASKED, HASHED)):
        return False
    return word.lower() in GUESSED or len(word) < SHORTEST or word.startswith("<")


def _guessed(rspamd: RspamdConfig, value: Value, name: str, reference: Reference) -> Finding:
    file = "worker-controller.inc"
    path = rspamd.local(file)
    text = reference.text(path)
    is_packaged = not rspamd.is_own(value)
    edits: tuple[Edit, ...] = ()
    if is_packaged and path not in rspamd.own and text is not None and name == "password":
        edits = (create(path, text),)
    else:
        edits = set_to(rspamd, value, file, (name,), "{{generate:hex16}}")
    commands = (f"chown root:_rspamd {quote(path)}", f"chmod 0640 {quote(path)}")
    if value.text == "q1":
        message = (
            f"The {name} of rspamd's controller is the packaged one, which rspamd takes from nobody: secure_ip alone decides."
        )
    else:
        message = f"The {name} of rspamd's controller is one that anybody can guess: every account of this host can teach it."
    fix = Fix("Set a password of its own", Safety.SAFE, edits, commands) if edits else None
    about, what = f"controller {name}", "packaged" if is_packaged else "guessed"
    token = value.token or value.key
    is_own = token is not None and token.text.path in rspamd.own
    return Finding(message, (place_of(rspamd, value, file),), fix, about, what, absence=not is_own)


@rule("RSPAMD005")
def packaged_files_are_as_shipped(originals: Originals) -> Iterator[Outcome]:
    """No file of the package's was changed."""
    if not originals.pairs:
        yield Exempt("none of the package's own files is in the target")
        return
    if all(isinstance(original, Absent) for original in originals.pairs.values()):
        yield Doubt(Reason.NOT_RECORDED, f"What the package brought, in {EXAMPLES}, is not at hand.")
        return
    for text, original in originals.pairs.items():
        if isinstance(original, Failed):
            yield Doubt(original.reason, f"The original of {text.path} could not be looked at.", (Place.whole(text.path),))
        elif isinstance(original, Text) and original.data != text.data:
            fix = Fix(
                "Put what you changed into local.d, and copy the original back",
                Safety.MANUAL,
                commands=(f"cp {quote(original.path)} {quote(text.path)}",),
            )
            message = f"{text.path} is the package's and was changed: an update leaves it as it is, beside files that are newer."
            yield Finding(
                message, (Place.whole(text.path), Place.whole(original.path, "as it was shipped")), fix, text.path, "changed"
            )


@rule("RSPAMD007")
def users_have_own_settings(smtpd: SmtpdConfig, rspamd: RspamdConfig, reference: Reference) -> Iterator[Outcome]:
    """Mail of users who logged in is not judged as a stranger's."""
    listeners = [each for each in smtpd.listeners if each.auth != "none" and is_filtered(smtpd, each)]
    if not listeners:
        yield Exempt("no listener takes logins and hands mail to rspamd")
        return
    settings = rspamd.section("settings")
    rules = [each for chain in settings.members.values() for each in chain] if settings is not None else []
    if settings is not None and settings.kind == "string":
        yield Doubt(Reason.IN_DOUBT, "Rspamd takes its settings from a map, which was not read.", (Place.at(settings.span),))
        return
    if any(each.kind == "object" and _for_users(each) for each in rules):
        return
    without = [each for each in listeners if not any(option_of(known, "settings-id") for known in smtpd.filters_of(each))]
    if without:
        edits = add_lines(rspamd, "settings.conf", FOR_USERS, reference.text(rspamd.local("settings.conf")))
        fix = Fix("Give users who logged in settings of their own", Safety.UNSAFE, edits) if edits else None
        message = "Rspamd has no settings for users who logged in: their mail is refused at the same score as a stranger's."
        places = tuple(Place.at(each.span, "takes logins") for each in without)
        whole = Place.whole(rspamd.local("settings.conf"))
        yield Finding(message, (whole, *places), fix, "settings", "missing", absence=True)


def _for_users(settings: Value) -> bool:
    asked = settings.get("authenticated")
    return (asked is not None and asked.truth is True) or settings.get("user") is not None


@rule("RSPAMD008")
def thresholds_are_in_order(rspamd: RspamdConfig) -> Iterator[Outcome]:
    """The milder an action, the lower the score that it is taken from, and none of them at zero."""
    known: dict[str, tuple[Value, float]] = {}
    for name in DEFAULT_SCORES:
        value = rspamd.get("actions", name) or rspamd.get("actions", name.replace("_", " "))
        if value is None or value.kind in ("null", "object"):
            continue
        if value.number is None:
            message = f"From which score on rspamd takes the action {name} could not be told."
            yield Doubt(Reason.IN_DOUBT, message, (place_of(rspamd, value, "actions.conf"),))
        elif value.number <= 0:
            message = f"Rspamd takes the action {name} from a score of {value.number:g} on, which ordinary mail reaches."
            yield _threshold(rspamd, value, name, message)
        else:
            known[name] = (value, value.number)
    for milder, harsher in (
        ("add_header", "reject"),
        ("rewrite_subject", "reject"),
        ("greylist", "reject"),
        ("greylist", "add_header"),
    ):
        if milder in known and harsher in known and known[milder][1] >= known[harsher][1]:
            usual = {name: (known[name][1] == DEFAULT_SCORES[name], not rspamd.is_own(known[name][0])) for name in known}
            name = min((milder, harsher), key=usual.__getitem__)
            message = (
                f"Rspamd's milder action {milder} begins at {known[milder][1]:g} and {harsher} at {known[harsher][1]:g}: "
                "of the actions whose score is reached, rspamd takes the one with the highest."
            )
            yield _threshold(rspamd, known[name][0], name, message)
            return


def _threshold(rspamd: RspamdConfig, value: Value, name: str, message: str) -> Finding:
    written = value.key.value if value.key is not None else name
    edits = set_to(rspamd, value, "actions.conf", (written,), DEFAULT_SCORES.get(written, DEFAULT_SCORES[name]))
    fix = Fix("Take rspamd's own score", Safety.UNSAFE, edits) if edits else None
    return Finding(message, (place_of(rspamd, value, "actions.conf"),), fix, f"action {name}", str(value.number))


@rule("RSPAMD009")
def senders_are_checked(rspamd: RspamdConfig) -> Iterator[Outcome]:
    """SPF, DKIM and DMARC of incoming mail are looked at."""
    for module, what in CHECKS.items():
        is_on = rspamd.is_enabled(module)
        if is_on:
            continue
        switch = rspamd.get(module, "enabled")
        value = switch or rspamd.get("options", "filters")
        place = place_of(rspamd, value, f"{module}.conf")
        if is_on is None:
            yield Doubt(Reason.IN_DOUBT, f"Whether rspamd's module {module} is on could not be told.", (place,))
            continue
        edits = set_to(rspamd, switch, f"{module}.conf", ("enabled",), to=True) if switch is not None else ()
        fix = Fix(f"Switch {module} on", Safety.UNSAFE, edits) if edits else None
        message = f"Rspamd's module {module} is off, so nobody looks at {what} when mail comes in."
        yield Finding(message, (place,), fix, f"module {module}", "off")
