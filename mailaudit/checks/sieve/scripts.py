"""Rules about the scripts of the administrator's: that they are there, compiled, and start programs that learn."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from posixpath import basename, dirname

from mailaudit.checks.modes import OTHERS_WRITE
from mailaudit.checks.registry import rule
from mailaudit.checks.sieve.edits import (
    SCRIPTS,
    files_of,
    fires,
    junk,
    learns_ham,
    learns_spam,
    place,
    set_plugin,
    told_elsewhere,
    trash,
)
from mailaudit.editing import sieve as editing
from mailaudit.editing import statements
from mailaudit.edits import Edit, Fix, Safety, create
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.files import Access, Allowed, Denied, Files, Gone, Unsure
from mailaudit.models.reference import Reference
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.sieve.eval import Situation
from mailaudit.models.sieve.script import Program, Script, Sieve
from mailaudit.models.sieve.uses import Use, plugin_settings
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Absent, Failed, Reason, Stat
from mailaudit.text import Span, Text, decimal

MAIL_USER = "vmail"
CONTROLLER = 11334
_OTHERS = re.compile(r"\b(?:sa-learn|spamc|bogofilter|dspam|crm114?|bmf|spamprobe|curl|ftp|nc)\b")
_COMMENT = re.compile(r"(?m)^[ \t]*#.*$")
_LEARN = re.compile(r"\blearn_(spam|ham|\$\w*|\$\{\w+\})")
_HOST = re.compile(r"(?:\s-h\s*|\s--connect[= ])[\"']?([^\s\"']+)")


def _given(sieve: Sieve) -> list[Use]:
    """The uses of the administrator's own scripts."""
    return [use for use in sieve.uses if use.is_global and use.location is not None]


@rule("SIEVE003")
def scripts_are_there(sieve: Sieve, dovecot: DovecotConfig, files: Files, reference: Reference) -> Iterator[Outcome]:
    """Each script that a setting names is there."""
    uses = _given(sieve)
    if not uses:
        yield Exempt("no setting names a script")
    for use in uses:
        for path in use.paths:
            if path in sieve.missing and path.endswith(".sieve"):
                edits = files_of(sieve, files, reference, path, _like(sieve, dovecot, use, path))
                fix = Fix(f"Write {path} from the reference", Safety.SAFE, edits, _compile(path)) if edits else None
                message = f"The script {path} is not there, which Dovecot passes over without a word."
                yield Finding(message, (place(dovecot, use.setting), Evidence(f"stat {path}", "absent")), fix, "script", path)
            elif path in sieve.unknown:
                yield Doubt(Reason.NOT_RECORDED, f"Whether {path} is there was not recorded.", (place(dovecot, use.setting),))


def _like(sieve: Sieve, dovecot: DovecotConfig, use: Use, path: str) -> str:
    """Which of the reference's scripts does what a rule is for."""
    if use in learns_spam(sieve, dovecot):
        return "report-spam"
    return "report-ham" if use in learns_ham(sieve, dovecot) else basename(path).removesuffix(".sieve")


def _compile(path: str) -> tuple[str, ...]:
    return (f"sievec {shlex.quote(path)}",)


@rule("SIEVE004")
def scripts_are_compiled(sieve: Sieve, dovecot: DovecotConfig, files: Files) -> Iterator[Outcome]:
    """What sievec makes of each script is there, newer than the script, and root's."""
    scripts = {script.path: (use, script) for use in _given(sieve) for script in sieve.scripts_of(use)}
    if not scripts:
        yield Exempt("no script is there")
    for use, script in scripts.values():
        yield from _compiled(dovecot, use, script, files)


def _compiled(dovecot: DovecotConfig, use: Use, script: Script, files: Files) -> Iterator[Outcome]:
    path = script.binary_path
    binary, source = files.stat(path), files.stat(script.path)
    where = place(dovecot, use.setting)
    fix = Fix("Compile it as root", Safety.SAFE, commands=_compile(script.path))
    about = f"binary {script.path}"
    if not isinstance(source, Stat) or source.mtime is None:
        yield Doubt(Reason.NOT_RECORDED, f"When {script.path} was changed was not recorded.", (where,))
    elif isinstance(binary, Gone):
        message = f"{script.path} is not compiled: Dovecot compiles it again for every message, and cannot keep what comes of it."
        yield Finding(message, (Evidence(f"stat {path}", "absent"), where), fix, about, "absent")
    elif isinstance(binary, Unsure) or binary.owner is None or binary.mode is None:
        reason = binary.reason if isinstance(binary, Unsure) else Reason.NOT_RECORDED
        yield Doubt(reason, f"Mode and owner of {path} were not recorded.", (where,))
    elif binary.owner != "root" or binary.mode & OTHERS_WRITE:
        shown = f"{binary.mode:04o} {binary.owner}:{binary.group}"
        commands = (f"chown root:wheel {shlex.quote(path)}", f"chmod 0644 {shlex.quote(path)}")
        fix = Fix("Give it to root", Safety.SAFE, commands=(*commands, *_compile(script.path)))
        message = f"Others than root can exchange {path}, and Dovecot runs what stands in it for every user."
        yield Finding(message, (Evidence(f"stat {path}", shown), where), fix, about, "not root's")
    elif binary.mtime is None:
        yield Doubt(Reason.NOT_RECORDED, f"When {script.path} was compiled was not recorded.", (where,))
    elif _time(binary.mtime) < _time(source.mtime):
        message = f"{script.path} was changed after it was compiled: Dovecot compiles it again for every message."
        yield Finding(message, (Evidence(f"stat {path}", f"older than {script.path}"), where), fix, about, "older")
    elif _time(binary.mtime) == _time(source.mtime):
        message = f"{script.path} was changed and compiled in the same second, so which came first was not recorded."
        yield Doubt(Reason.NOT_RECORDED, message, (where,))


def _time(written: str) -> datetime:
    return datetime.fromisoformat(written)


@rule("SIEVE006")
def programs_are_there(sieve: Sieve, dovecot: DovecotConfig, files: Files, reference: Reference) -> Iterator[Outcome]:
    """The programs that scripts pipe to are there, can be run, and are root's."""
    piped = [program for program in sieve.programs if program.call.name.value == "pipe"]
    why = told_elsewhere(sieve, dovecot)
    setting = sieve.directories.get("sieve_pipe_bin_dir")
    if why is not None and not piped:
        yield why
    elif setting is None and "sieve_pipe_socket_dir" in plugin_settings(dovecot):
        yield Exempt("scripts pipe to services, by sockets")
    elif setting is None:
        edits = set_plugin(dovecot, "sieve_pipe_bin_dir", SCRIPTS)
        fix = Fix("Name the directory", Safety.SAFE, edits) if edits else None
        message = "No directory is named from which scripts may start programs, so none can, and nothing is learned."
        yield Finding(message, (place(dovecot, None),), fix, "sieve_pipe_bin_dir", "missing", absence=True)
    else:
        yield from _directory(dovecot, setting.value, files)
        for program in piped:
            yield from _program(program, files, reference)


def _directory(dovecot: DovecotConfig, path: str, files: Files) -> Iterator[Outcome]:
    stat = files.stat(path)
    where = place(dovecot, plugin_settings(dovecot).get("sieve_pipe_bin_dir"))
    if isinstance(stat, Gone):
        fix = Fix("Make it", Safety.SAFE, commands=(f"install -d -o root -g wheel -m 0755 {shlex.quote(path)}",))
        message = f"The directory of the programs that scripts may start, {path}, is not there."
        yield Finding(message, (where, Evidence(f"stat {path}", "absent")), fix, "sieve_pipe_bin_dir", "absent")
    elif isinstance(stat, Unsure):
        yield Doubt(stat.reason, f"{stat.detail[:1].upper()}{stat.detail[1:]}.", (where,))


def _program(program: Program, files: Files, reference: Reference) -> Iterator[Outcome]:
    where = Place.at(program.token.span)
    path = program.path
    if path is None:
        yield Doubt(Reason.IN_DOUBT, f"Which program {program.name} is could not be told.", (where,))
        return
    about = f"program {program.name}"
    if isinstance(program.stat, Absent):
        text = reference.text(f"{SCRIPTS}/{program.name}")
        commands = (f"chown root:wheel {shlex.quote(path)}", f"chmod 0755 {shlex.quote(path)}")
        fix = Fix(f"Write {path} from the reference", Safety.SAFE, (create(path, text),), commands) if text else None
        message = f"The program {path} is not there, so what users move is not learned."
        yield Finding(message, (where, Evidence(f"stat {path}", "absent")), fix, about, "absent")
        return
    may_run, stat = files.may(MAIL_USER, path, Access.EXECUTE), files.stat(path)
    may_write = [files.may(MAIL_USER, each, Access.WRITE) for each in (path, dirname(path))]
    unsure = next((each for each in (may_run, stat, *may_write) if isinstance(each, Unsure)), None)
    if isinstance(may_run, Denied):
        shown = f"{may_run.stat.mode or 0:04o} {may_run.stat.owner}:{may_run.stat.group}"
        fix = Fix("Let it be run", Safety.SAFE, commands=(f"chmod 0755 {shlex.quote(may_run.path)}",))
        message = f"The mail user {MAIL_USER} may not run {path}, so what users move is not learned."
        yield Finding(message, (Evidence(f"stat {may_run.path}", shown), where), fix, about, "not to be run")
    elif any(isinstance(each, Allowed) for each in may_write) or (isinstance(stat, Stat) and stat.owner not in (None, "root")):
        shown = f"{stat.mode or 0:04o} {stat.owner}:{stat.group}" if isinstance(stat, Stat) else ""
        commands = (f"chown root:wheel {shlex.quote(dirname(path))} {shlex.quote(path)}", f"chmod 0755 {shlex.quote(path)}")
        fix = Fix("Give it to root", Safety.SAFE, commands=commands)
        message = f"Others than root can exchange {path}, which Dovecot runs for every user."
        yield Finding(message, (Evidence(f"stat {path}", shown), where), fix, about, "not root's")
    elif unsure is not None:
        yield Doubt(unsure.reason, f"{unsure.detail[:1].upper()}{unsure.detail[1:]}.", (where,))


@rule("SIEVE008")
def deleted_spam_stays_spam(sieve: Sieve, dovecot: DovecotConfig) -> Iterator[Outcome]:
    """Spam that a user throws away is not learned as ham."""
    spam, deleted = junk(dovecot), trash(dovecot)
    uses = [use for use in learns_ham(sieve, dovecot) if fires(use, spam, deleted)]
    scripts = [(use, script) for use in uses for script in sieve.scripts_of(use)]
    if not scripts:
        if any(path in sieve.unknown for use in uses for path in use.paths):
            yield Doubt(Reason.NOT_RECORDED, "The script that learns ham was not recorded.")
        else:
            yield Exempt(f"no script runs when a message goes from {spam} to {deleted}")
    situation = Situation(
        environment={
            "imap.mailbox": deleted,
            "imap.cause": "COPY",
            "imap.user": "somebody@example.com",
            "imap.email": "somebody@example.com",
            "location": "MS",
            "phase": "post",
            "vnd.dovecot.mailbox-from": spam,
            "vnd.dovecot.mailbox-to": deleted,
        }
    )
    for _, script in scripts:
        pipes = script.outcome(situation).of("pipe")
        certain = next((action for action in pipes if action.certain), None)
        if certain is not None:
            fix = _guard(script, deleted)
            message = f"Spam that a user throws away from {spam} into {deleted} is learned as good mail."
            yield Finding(message, (Place.at(certain.call.name.span),), fix, f"script {script.path}", deleted)
        elif pipes:
            message = f"Whether {script.path} learns what goes into {deleted} could not be told."
            yield Doubt(Reason.IN_DOUBT, message, (Place.at(pipes[0].call.name.span),))


def _guard(script: Script, deleted: str) -> Fix | None:
    """Stop at the folder of deleted mail, right below what the script requires."""
    tree = script.trees[0]
    found = editing.requires(tree)
    required = editing.add_require(tree, "environment")
    lines = (f'if environment :is "imap.mailbox" {editing.write(deleted)} {{', "\tstop;", "}")
    guard = statements.below(found[-1], editing.STYLE, "", *lines) if found else None
    if guard is None or required is None:
        return None
    return Fix("Stop there", Safety.SAFE, (*required, *guard), _compile(script.path))


@rule("SIEVE009")
def programs_teach_rspamd(
    sieve: Sieve, dovecot: DovecotConfig, rspamd: RspamdConfig | Missing | Lacking | NotHere
) -> Iterator[Outcome]:
    """What the scripts pipe to hands the message to rspamc, as what it is."""
    pairs = [(use, "spam") for use in learns_spam(sieve, dovecot)] + [(use, "ham") for use in learns_ham(sieve, dovecot)]
    programs = [
        (program, what)
        for use, what in pairs
        for script in sieve.scripts_of(use)
        for program in script.programs
        if program.call.name.value == "pipe"
    ]
    if not programs:
        if any(path in sieve.unknown for use, _ in pairs for path in use.paths):
            yield Doubt(Reason.NOT_RECORDED, "The scripts that learn were not recorded.")
        else:
            yield Exempt("no script hands a message to a program")
    for program, what in programs:
        yield from _teaches(program, what, rspamd)


def _teaches(program: Program, what: str, rspamd: object) -> Iterator[Outcome]:
    where = Place.at(program.token.span)
    text = program.text
    if program.name == "rspamc":
        words = [token.value for argument in program.call.arguments for token in argument.tokens]
        yield from _words(program, what, " ".join((" rspamc", *words)), (where, None), rspamd)
    elif isinstance(text, Absent):
        yield Exempt(f"{program.path} is not there")
    elif not isinstance(text, Text):
        reason = text.reason if isinstance(text, Failed) else Reason.NOT_RECORDED
        yield Doubt(reason, f"What {program.name} does was not recorded.", (where,))
    elif text.chars.startswith("\x7fELF"):
        yield Doubt(Reason.IN_DOUBT, f"{program.name} is no script, so what it does could not be told.", (where,))
    else:
        bare = _COMMENT.sub(lambda match: " " * len(match[0]), text.chars)
        if "rspamc" in bare:
            yield from _words(program, what, bare, (where, text), rspamd)
        elif _OTHERS.search(bare):
            yield Exempt(f"{program.name} teaches another filter than by rspamc")
        else:
            message = f"{program.path} does not hand the message to rspamc, so rspamd learns nothing."
            yield Finding(message, (Place.whole(text), where), None, f"program {program.name}", "no rspamc")


def _words(program: Program, what: str, chars: str, at: tuple[Place, Text | None], rspamd: object) -> Iterator[Outcome]:
    """What a call of rspamc says: what it learns, and of which host's controller."""
    where, text = at
    learned = [match for match in _LEARN.finditer(chars) if match[1] in ("spam", "ham")]
    right = [match for match in learned if match[1] == what]
    about = f"program {program.name}"
    if learned and not right:
        first = learned[0]
        place_ = where if text is None else Place.at(Span(text, first.start(), first.end()))
        edits = () if text is None else tuple(Edit(text.path, each.start(1), each.end(1), what) for each in learned)
        fix = Fix(f"Learn it as {what}", Safety.SAFE, edits) if edits else None
        message = f"{program.name} teaches rspamd {first[1]} where users say {what}."
        yield Finding(message, (place_, where), fix, about, f"learn_{first[1]}")
        return
    if not learned:
        yield Doubt(Reason.IN_DOUBT, f"What {program.name} has rspamc learn could not be told.", (where,))
        return
    host = _HOST.search(chars)
    if host is None or "$" in host[1]:
        return
    wrong = _wrong_host(host[1], rspamd)
    if wrong:
        place_ = where if text is None else Place.at(Span(text, host.start(1), host.end(1)))
        edits = () if text is None else (Edit(text.path, host.start(1), host.end(1), f"127.0.0.1:{_port(rspamd)}"),)
        fix = Fix("Ask the controller of this host", Safety.SAFE, edits) if edits else None
        yield Finding(f"{program.name} asks {host[1]} to learn, {wrong}.", (place_, where), fix, about, "host")


def _port(rspamd: object) -> int:
    """The port of the controller."""
    workers = rspamd.workers if isinstance(rspamd, RspamdConfig) else ()
    ports = [bind.port for worker in workers if worker.kind == "controller" for bind in worker.binds if bind.port]
    return ports[0] if ports else CONTROLLER


def _wrong_host(written: str, rspamd: object) -> str:
    """What is wrong with the controller that rspamc is told to ask; empty if nothing is."""
    if written.startswith("/"):
        return ""
    name, _, port = written.rpartition(":") if re.search(r":\d+\Z", written) else (written, "", "")
    if name.strip("[]") not in ("localhost", "::1") and not name.startswith("127."):
        return "another host than this one"
    if port and decimal(port) != _port(rspamd):
        return "where no controller of rspamd listens"
    return ""
