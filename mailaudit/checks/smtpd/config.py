"""Rules about what smtpd.conf defines: certificates, tables, filters, the queue's key; and that smtpd takes the file at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.loading import ended, loads, refused_by_checker
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.edits import add_line, below, instead, rspamd
from mailaudit.checks.smtpd.filtering import LOOKED_AFTER, has_signer, is_done_otherwise, is_looked_after
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Edit, Fix, Safety, create
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.files import Files
from mailaudit.models.reference import Reference
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import ALIASES, SmtpdConfig
from mailaudit.models.smtpd.draft import QUEUE_KEY_LENGTH, is_placeholder, secret_length
from mailaudit.models.smtpd.parts import LIBEXEC, Cause, Filter, Refusal, Table
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.verdicts import Verdicts
from mailaudit.models.virtuals import Aliases, Virtuals
from mailaudit.parsers.tree import Statement, Token
from mailaudit.questions import Absent, Command, Failed, Reason, Stat

VIRTUALS = "/etc/mail/virtuals"
MOST_ACCESS = 0o740  # ssl.c, ssl_load_key: rwxr----- at most
_STANDARD_PORTS = {25: "SMTPD022", 587: "SMTPD023", 465: "SMTPD024"}
_TABLE_RULES = {"alias": "SMTPD012", "virtual": "SMTPD014", "listen auth": "SMTPD013"}
_FEW = 5  # different characters: a real key of 32 hexadecimal digits has at least twice as many


def owner(refusal: Refusal) -> str:
    """The rule that reports a refusal: one mistake is reported once."""
    where, _, port = refusal.where.rpartition(" ")
    by_port = _STANDARD_PORTS.get(int(port), "SMTPD001") if where == "listen" and port.isdigit() else "SMTPD001"
    if refusal.cause is Cause.AUTH_WITHOUT_TLS:
        return "SMTPD026" if by_port == "SMTPD022" else by_port
    return {
        Cause.QUEUE_KEY: "SMTPD031",
        Cause.RESERVED: "SMTPD004",
        Cause.PKI: "SMTPD010",
        Cause.HALF_PKI: "SMTPD010",
        Cause.FILTER: "SMTPD015",
        Cause.TABLE: _TABLE_RULES.get(refusal.where, "SMTPD001"),
        Cause.TLS_WITHOUT_PKI: by_port,
    }.get(refusal.cause, "SMTPD001")


@rule("SMTPD001")
def parses(smtpd: SmtpdConfig | Missing, reference: Reference, files: Files, verdicts: Verdicts) -> Iterator[Outcome]:
    """The file is there, and smtpd refuses nothing of it that another rule does not report."""
    yield from refused_by_checker(smtpd, "smtpd", Command.SMTPD_CHECK, verdicts)
    if isinstance(smtpd, SmtpdConfig):
        others = {id(each.problem) for each in smtpd.meanings if owner(each) != "SMTPD001"}
        own = tuple(problem for problem in smtpd.refusals if id(problem) not in others)
        smtpd = dataclasses.replace(smtpd, refusals=own)
    for outcome in loads(smtpd, "smtpd", reference, is_taken=Command.SMTPD_CHECK in verdicts.taken):
        if isinstance(outcome, Finding) and outcome.fix is not None:
            yield dataclasses.replace(outcome, fix=dataclasses.replace(outcome.fix, safety=Safety.UNSAFE))
        else:
            yield outcome
    if isinstance(smtpd, SmtpdConfig) and not smtpd.old_grammar:
        yield from _other_tables(smtpd, reference, files)


def _other_tables(smtpd: SmtpdConfig, reference: Reference, files: Files) -> Iterator[Outcome]:
    """The files of the tables that no other rule looks after: smtpd reads each when it starts, used or not."""
    cared_for = {table.name for table in (*smtpd.alias_tables, *smtpd.virtual_tables, *smtpd.credential_tables)}
    for table in smtpd.tables.values():
        usual = table.name in ("aliases", "virtuals") or table.path in (ALIASES, VIRTUALS)
        if table.path is not None and table.backend in ("file", "db") and table.name not in cared_for and not usual:
            for outcome in _table_file(smtpd, table, reference.text(table.path), files):
                if isinstance(outcome, Finding):  # what is not known of a table's file is no doubt of smtpd.conf
                    yield outcome


@smtpd_rule("SMTPD010", needs_mail=True)
def pki_has_certificate_and_key(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """There is a pki with certificate and key, and so has each that a listener names."""
    if not smtpd.pki and not any(refusal.cause is Cause.PKI for refusal in smtpd.meanings):
        edits = _pki_lines(smtpd, site.mail_host, ("cert", "key"), None) if site.mail_host else ()
        fix = Fix(f"Define the pki {site.mail_host}", Safety.UNSAFE, edits) if edits else None
        message = "smtpd has no certificate: no pki is defined, so no listener can offer TLS."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "pki", "missing", absence=True)
    seen: set[str] = set()
    for refusal in smtpd.meanings:
        if refusal.cause is Cause.PKI and refusal.name not in seen:
            seen.add(refusal.name)
            edits = _undefined_pki(smtpd, refusal)
            fix = Fix(f"Define the pki {refusal.name}", Safety.UNSAFE, edits) if edits else None
            message = f"A listener names the pki {refusal.name}, which is not defined above it: smtpd does not start."
            yield Finding(message, (Place.at(refusal.problem.span),), fix, "pki", refusal.name, absence=True)
        elif refusal.cause is Cause.HALF_PKI:
            missing = refusal.where
            statement = smtpd.pki[refusal.name].statements[-1]
            edits = _pki_lines(smtpd, refusal.name, (missing,), statement)
            fix = Fix(f"Add the {missing} of {refusal.name}", Safety.UNSAFE, edits)
            message = f"The pki {refusal.name} has no {missing}: smtpd does not start."
            yield Finding(message, (Place.at(refusal.problem.span),), fix, f"pki {missing}", refusal.name, absence=True)


def _undefined_pki(smtpd: SmtpdConfig, refusal: Refusal) -> tuple[Edit, ...]:
    if refusal.name in smtpd.pki:
        return ()
    return _pki_lines(smtpd, refusal.name, ("cert", "key"), None)


def _pki_lines(smtpd: SmtpdConfig, name: str, words: tuple[str, ...], beside: Statement | None) -> tuple[Edit, ...]:
    """Lines of a pki with the files that acme-client writes by default."""
    files = {"cert": f"/etc/ssl/{name}.pem", "key": f"/etc/ssl/private/{name}.key"}
    written = name if beside is None else beside.seen[1].span.chars
    lines = [f'pki {written} {word} "{files[word]}"' for word in words]
    if beside is not None:
        return below(beside, lines[0])
    first_use = next((listener.statement for listener in smtpd.listeners if listener.pki), None)
    return add_line(smtpd, "pki", *lines, above=first_use)


@smtpd_rule("SMTPD011")
def key_file_is_acceptable(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """Each private key is root's and closed to others."""
    for pki in smtpd.pki.values():
        if pki.key is None:
            continue
        path = pki.key.value
        stat = smtpd.stat(path)
        where = Place.at(pki.key.span, "the key of this pki")
        if isinstance(stat, Absent):
            message = f"The key {path} of the pki {pki.name} is not there: smtpd does not start."
            yield Finding(message, (Evidence(f"stat {path}", "absent"), where), None, f"key {pki.name}", "absent")
        elif isinstance(stat, Failed) or stat.mode is None or stat.owner is None:
            reason = stat.reason if isinstance(stat, Failed) else Reason.NOT_RECORDED
            yield Doubt(reason, f"Mode and owner of {path} were not recorded.", (where,))
        elif stat.owner != "root" or stat.mode & ~MOST_ACCESS:
            shown = f"{stat.mode:04o} {stat.owner}:{stat.group}"
            commands = (f"chown root:wheel {quote(path)}", f"chmod 0400 {quote(path)}")
            fix = Fix("Give the key to root alone", Safety.SAFE, commands=commands)
            message = f"smtpd refuses the key {path}: it has mode {stat.mode:04o} and belongs to {stat.owner}."
            yield Finding(message, (Evidence(f"stat {path}", shown), where), fix, f"key {pki.name}", f"{stat.mode:04o}")


@smtpd_rule("SMTPD012")
def aliases_are_there(
    smtpd: SmtpdConfig, reference: Reference, files: Files, aliases: Aliases | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """The table of the host's own names is defined, and its file is there and loads."""
    tables = smtpd.alias_tables or _usual(smtpd, "aliases")
    if not tables:
        line = f"table aliases file:{ALIASES}"
        fix = Fix("Define the table aliases", Safety.SAFE, add_line(smtpd, "table", line))
        message = "No table of aliases is defined, and no action looks one up."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "table alias", "missing", absence=True)
    yield from _mapping(smtpd, files, "alias", ALIASES, reference.text(ALIASES), tables)
    yield from _loads(aliases)


@smtpd_rule("SMTPD014", needs_mail=True)
def virtuals_are_there(
    smtpd: SmtpdConfig, reference: Reference, files: Files, virtuals: Virtuals | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """The table of virtual addresses is defined, and its file is there and loads."""
    tables = smtpd.virtual_tables or _usual(smtpd, "virtuals")
    if not tables:
        yield Exempt("no action looks virtual addresses up, which SMTPD016 tells")
    yield from _mapping(smtpd, files, "virtual", VIRTUALS, reference.text(VIRTUALS), tables)
    yield from _loads(virtuals)


def _loads(table: Aliases | Virtuals | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """The file is read whole when smtpd starts: one line that it cannot read keeps it from starting."""
    if isinstance(table, Lacking):
        yield Doubt(table.reason, table.detail)
    elif isinstance(table, Aliases | Virtuals):
        for problem in table.refusals:
            message = ended(f"smtpd cannot read this line, and does not start: {problem.message}")
            yield Finding(message, (Place.at(problem.span),), None, "table line", problem.span.chars[:40])


def _usual(smtpd: SmtpdConfig, usual: str) -> tuple[Table, ...]:
    return tuple(table for table in smtpd.tables.values() if table.name == usual or table.path == f"/etc/mail/{usual}")


def _mapping(  # noqa: PLR0913, PLR0917  one table's part in the file, and what its file would be
    smtpd: SmtpdConfig, files: Files, word: str, path: str, text: str | None, tables: tuple[Table, ...]
) -> Iterator[Outcome]:
    for table in tables:
        if not table.is_defined:
            yield _undefined_table(smtpd, table, word, f"file:{path}", Safety.SAFE)
        elif table.path is not None and table.backend in ("file", "db"):
            yield from _table_file(smtpd, table, text, files)


def _undefined_table(smtpd: SmtpdConfig, table: Table, word: str, source: str, safety: Safety) -> Finding:
    users = [action.statement for action in smtpd.actions.values() if action.tables.get(word) is table]
    users += [listener.statement for listener in smtpd.listeners if listener.auth_table is table]
    edits: tuple[Edit, ...] = ()
    if table.name not in smtpd.tables:
        edits = add_line(smtpd, "table", f"table {table.name} {source}", above=users[0] if users else None)
    fix = Fix(f"Define the table {table.name}", safety, edits) if edits else None
    message = f"The table <{table.name}> is not defined above its use, so smtpd does not start."
    return Finding(message, (Place.at(table.at.span),), fix, f"table {word}", table.name, absence=True)


def _table_file(smtpd: SmtpdConfig, table: Table, text: str | None, files: Files) -> Iterator[Outcome]:
    path = table.path
    assert path is not None
    stat = smtpd.stat(path)
    place = Place.at(table.statement.span if table.statement is not None else table.at.span)
    if isinstance(stat, Absent) and not files.of_host and not _keeps_tables(smtpd):
        message = f"Whether {path} is on the host is not known: a repository may leave out what names its users."
        yield Doubt(Reason.NOT_RECORDED, message, (place,))
    elif isinstance(stat, Absent):
        fix = Fix(f"Write {path} from the reference", Safety.SAFE, (create(path, text),)) if text is not None else None
        where = "" if files.of_host else " in this repository, which holds others of smtpd's tables"
        effect = "so smtpd does not start" if files.of_host else "and without it smtpd does not start"
        message = f"The file {path} of the table <{table.name}> is not there{where}, {effect}."
        yield Finding(message, (place, Evidence(f"stat {path}", "absent")), fix, f"table {table.name}", "absent")
    elif isinstance(stat, Failed):
        yield Doubt(stat.reason, f"Whether {path} is there was not recorded.", (place,))


def _keeps_tables(smtpd: SmtpdConfig) -> bool:
    """True if a repository holds a file of a table: it does not leave them out then."""
    stats = (smtpd.stat(table.path) for table in smtpd.tables.values() if table.path is not None)
    return any(isinstance(stat, Stat) and stat.size is not None for stat in stats)


@smtpd_rule("SMTPD013", needs_mail=True)
def credentials_are_there(smtpd: SmtpdConfig, files: Files) -> Iterator[Outcome]:
    """The logins are a table of table-passwd, whose program and file are there."""
    tables = smtpd.credential_tables or tuple(t for t in smtpd.tables.values() if t.backend == "passwd")
    if not tables and any(listener.auth != "none" and listener.auth_table is None for listener in smtpd.listeners):
        yield Exempt("users log in with the passwords of system accounts, which the rules about each listener tell")
    elif not tables:
        line = "table credentials passwd:/etc/mail/credentials"
        fix = Fix("Define the table credentials", Safety.UNSAFE, add_line(smtpd, "table", line))
        message = "No table of logins is defined, so users can not log in to send mail."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "table credentials", "missing", absence=True)
    for table in tables:
        if not table.is_defined:
            yield _undefined_table(smtpd, table, "auth", "passwd:/etc/mail/credentials", Safety.UNSAFE)
        elif table.backend in ("file", "db") and table.statement is not None:
            yield _not_passwd(table, table.statement.seen[-1])
        elif table.backend == "passwd":
            yield from _passwd(smtpd, table, files)


def _not_passwd(table: Table, source: Token) -> Finding:
    fix = None
    if table.path is not None:
        fix = Fix("Read it with table-passwd", Safety.UNSAFE, instead(source, f"passwd:{table.path}"))
    message = f"The logins in <{table.name}> are read as a plain {table.backend} table, a format that Dovecot does not share."
    return Finding(message, (Place.at(source.span),), fix, "table credentials", table.backend)


def _passwd(smtpd: SmtpdConfig, table: Table, files: Files) -> Iterator[Outcome]:
    assert table.statement is not None
    assert table.path is not None
    place = Place.at(table.statement.span)
    program = f"{LIBEXEC}/table-passwd"
    install = f"install -o _smtpd -g _dovecot -m 0440 /dev/null {quote(table.path)}"
    for path, what, command in (
        (program, "The program of passwd tables", "pkg_add opensmtpd-table-passwd"),
        (table.path, "The file of the logins", install),
    ):
        stat = smtpd.stat(path)
        if isinstance(stat, Absent) and not files.of_host:
            message = f"Whether {path} is on the host is not known: no repository should hold it."
            yield Doubt(Reason.NOT_RECORDED, message, (place,))
        elif isinstance(stat, Absent):
            fix = Fix(f"Make {path}", Safety.UNSAFE, commands=(command,))
            message = f"{what}, {path}, is not there: `smtpd -n` is content, and smtpd dies when it starts."
            yield Finding(message, (place, Evidence(f"stat {path}", "absent")), fix, f"table {table.name}", "absent")
        elif isinstance(stat, Failed):
            yield Doubt(stat.reason, f"Whether {path} is there was not recorded.", (place,))


@smtpd_rule("SMTPD015")
def filter_program_runs(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """A filter hands mail to rspamd, and the program of each filter is there and can be run."""
    undefined = {refusal.name: refusal for refusal in smtpd.meanings if refusal.cause is Cause.FILTER}
    for name, refusal in undefined.items():
        yield _undefined_filter(smtpd, name, refusal)
    if rspamd(smtpd) is None and not undefined and is_looked_after(smtpd):
        yield Exempt(LOOKED_AFTER)
    elif rspamd(smtpd) is None and not undefined:
        line = 'filter "rspamd" proc-exec "filter-rspamd"'
        is_done = has_signer(smtpd) or smtpd.delivers_by_rspamc  # by two at once it would be checked or signed twice
        fix = None if is_done else Fix("Define the filter rspamd", Safety.UNSAFE, add_line(smtpd, "filter", line))
        effect = "" if is_done_otherwise(smtpd) else ", so mail is neither checked nor signed"
        message = f"No filter hands mail to rspamd{effect}."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "filter", "missing", absence=True)
    for known in smtpd.filters.values():
        path = known.program_path
        if path is not None:
            yield from _program(smtpd, known, path)


def _undefined_filter(smtpd: SmtpdConfig, name: str, refusal: Refusal) -> Finding:
    used = [each.statement for each in smtpd.listeners if any(token.value == name for token in each.filters)]
    edits: tuple[Edit, ...] = ()
    if "rspamd" in name and name not in smtpd.filters:
        line = f'filter "{name}" proc-exec "filter-rspamd"'
        edits = add_line(smtpd, "filter", line, above=used[0] if used else None)
    fix = Fix(f"Define the filter {name}", Safety.UNSAFE, edits) if edits else None
    message = f'The filter "{name}" is not defined above its use, so smtpd does not start.'
    return Finding(message, (Place.at(refusal.problem.span),), fix, "filter", name, absence=True)


def _program(smtpd: SmtpdConfig, known: Filter, path: str) -> Iterator[Outcome]:
    assert known.program is not None
    stat = smtpd.stat(path)
    place = Place.at(known.program.span)
    about = f"filter {known.name.value}"
    if isinstance(stat, Absent):
        fix = None
        if "rspamd" in path:
            fix = Fix("Install the filter", Safety.UNSAFE, commands=("pkg_add opensmtpd-filter-rspamd",))
        message = f"The program {path} is not there: `smtpd -n` is content, and smtpd dies when it starts."
        yield Finding(message, (place, Evidence(f"stat {path}", "absent")), fix, about, "absent")
    elif isinstance(stat, Failed):
        yield Doubt(stat.reason, f"Whether {path} is there was not recorded.", (place,))
    elif stat.type != "file" or (stat.mode is not None and not stat.mode & 0o111):
        shown = f"{stat.type} {stat.mode:04o}" if stat.mode is not None else stat.type
        fix = Fix("Make it a program", Safety.UNSAFE, commands=(f"chmod 0755 {quote(path)}",)) if stat.type == "file" else None
        yield Finding(f"{path} can not be run.", (place, Evidence(f"stat {path}", shown)), fix, about, "no program")
    elif stat.mode is None:
        yield Doubt(Reason.NOT_RECORDED, f"The mode of {path} was not recorded.", (place,))


@rule("SMTPD031")
def queue_key(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """The queue is encrypted with a key of 32 characters that is one's own."""
    encryption, key = smtpd.options.queue_encryption, smtpd.options.queue_key
    if encryption is None:
        line = 'queue encryption "{{generate:hex16}}"'
        fix = Fix("Encrypt the queue; empty it first", Safety.UNSAFE, add_line(smtpd, "queue", line))
        message = "The queue is not encrypted, so mail that waits can be read from a stolen disk."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "queue encryption", "missing", absence=True)
        return
    wrong = _what_is_wrong(key)
    if wrong is not None:
        at, message = key or encryption, wrong
        edits = instead(key, '"{{generate:hex16}}"') if key is not None else _after(encryption)
        fix = Fix("Put in a new key; empty the queue first", Safety.UNSAFE, edits)
        length = "" if key is None else str(secret_length(key.value))
        yield Finding(message, (Place.at(at.span),), fix, "queue encryption", length)


def _after(token: Token) -> tuple[Edit, ...]:
    return () if token.via else (Edit(token.text.path, token.end, token.end, ' "{{generate:hex16}}"'),)


def _what_is_wrong(key: Token | None) -> str | None:
    if key is None or key.value.lower() in ("stdin", "-"):
        return "smtpd asks for the queue's key at each start, so the boot hangs until somebody types it."
    length = secret_length(key.value)
    if length != QUEUE_KEY_LENGTH:
        return f"The queue's key has {length} characters and must have {QUEUE_KEY_LENGTH}: smtpd does not start."
    value = key.value
    if not is_placeholder(value) and (len(set(value)) < _FEW or value.startswith(("<", "0e1234567891"))):
        return "The queue's key is one that anybody can guess."
    return None
