"""All models of one host, read from one snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailaudit.findings import Coverage, FileStatus
from mailaudit.models.accounts import Accounts, read_accounts
from mailaudit.models.acme import PATH as ACME
from mailaudit.models.acme import AcmeConfig, read_acme
from mailaudit.models.behind import Behind, read_behind
from mailaudit.models.clock import Clock
from mailaudit.models.copies import Copies, read_copies
from mailaudit.models.credentials import Credentials, read_credentials
from mailaudit.models.cron import Crontabs, read_cron
from mailaudit.models.daemons import Daemons, read_daemons
from mailaudit.models.dkim_record import DkimRecords, dkim_txt, read_dkim_records
from mailaudit.models.dns.host import read_host
from mailaudit.models.dns.site_records import Dns, Subjects, read_dns
from mailaudit.models.doas import DoasConfig, read_doas
from mailaudit.models.dovecot.config import DovecotConfig, read_dovecot
from mailaudit.models.endpoints import Endpoints, read_endpoints
from mailaudit.models.files import Files, read_files
from mailaudit.models.hostname_if import HostnameIf, read_hostname_if
from mailaudit.models.httpd import HttpdConfig, read_httpd
from mailaudit.models.interfaces import Interfaces, read_interfaces
from mailaudit.models.listening import Listening, read_listening
from mailaudit.models.login import LoginConf, read_login
from mailaudit.models.looked_at import looked_at
from mailaudit.models.mail_owner import MailOwner, read_mail_owner
from mailaudit.models.maildirs import Maildirs, read_maildirs
from mailaudit.models.mta_sts import Policies, read_policies
from mailaudit.models.pem import PemFiles, read_pem
from mailaudit.models.pf.config import Ruleset, read_pf
from mailaudit.models.pf.running import LoadedRules, PfStatus, read_loaded_rules, read_pf_status
from mailaudit.models.policy.measures import Policy, read_policy
from mailaudit.models.processes import Processes, read_processes
from mailaudit.models.rc import RcConf, read_rc
from mailaudit.models.redis import RedisConfig, read_redis
from mailaudit.models.reference import Reference, read_reference
from mailaudit.models.rspamd.config import RspamdConfig, read_rspamd
from mailaudit.models.rspamd.originals import Originals, read_originals
from mailaudit.models.secret_files import SecretFiles, read_secret_files
from mailaudit.models.services import Services, read_services
from mailaudit.models.shells import Shells, read_shells
from mailaudit.models.shown import ShownCertificates, read_shown
from mailaudit.models.sieve.script import Sieve, read_sieve
from mailaudit.models.site import Declared, Hints, Site, read_site
from mailaudit.models.smtpd.config import PATH as SMTPD
from mailaudit.models.smtpd.config import SmtpdConfig, read_smtpd
from mailaudit.models.smtpd.maps import Maps, read_maps
from mailaudit.models.smtpd.name import MailName, read_mail_name
from mailaudit.models.smtpd.queue import Queue, read_queue
from mailaudit.models.smtpd.senders import Senders, read_senders
from mailaudit.models.sockets import Sockets, read_sockets
from mailaudit.models.sources import Known, Missing, Model, Slot, Sources
from mailaudit.models.sshd import SshdConfig, read_sshd
from mailaudit.models.system import read_system
from mailaudit.models.verdicts import Verdicts, read_verdicts
from mailaudit.models.virtuals import Aliases, Virtuals, read_aliases, read_virtuals
from mailaudit.parsers.tree import Tree, gaps
from mailaudit.questions import NOT_ASKED, Absent, Answer, Failed, Question
from mailaudit.text import Span, Text


@dataclass(frozen=True, eq=False)
class Facts:
    """The models by their type, how far each file was read, and the questions that are still open."""

    slots: Mapping[type, Slot[object]]
    site: Site
    files: tuple[Coverage, ...]
    trees: Mapping[str, Tree]
    wanted: frozenset[Question]

    @property
    def texts(self) -> dict[str, Text]:
        """The files that were read, by path."""
        return {path: tree.text for path, tree in self.trees.items()}

    def gaps(self) -> Iterator[tuple[Text, list[Span]]]:
        """Each file with what stands between its tokens: its comments are there."""
        for tree in self.trees.values():
            named = "mailaudit" in tree.text.chars
            yield tree.text, [gap for gap in gaps(tree) if "mailaudit" in gap.chars] if named else []

    @property
    def models(self) -> list[Model]:
        """The models that could be made."""
        return [slot.value for slot in self.slots.values() if isinstance(slot, Known) and isinstance(slot.value, Model)]

    @property
    def secrets(self) -> tuple[tuple[str, str], ...]:
        """Pairs of kind and value that no report may show."""
        return tuple(dict.fromkeys(secret for model in self.models for secret in model.secrets))


def read(sources: Sources, declared: Declared, templates: Mapping[str, str], clock: Clock) -> Facts:
    """Read all models. What they ask for in vain is in `wanted`; ask it, and read again."""
    services = sources.make(read_services)
    accounts = sources.make(read_accounts)
    acme = sources.make(read_acme)
    httpd = sources.make(read_httpd)
    smtpd = sources.make(read_smtpd, services)
    dovecot = sources.make(read_dovecot)
    rspamd = sources.make(read_rspamd)
    credentials = sources.make(read_credentials, smtpd)
    sockets = sources.make(read_sockets, services)
    interfaces = sources.make(read_interfaces)
    static = sources.make(read_hostname_if)
    site = read_site(sources, declared, _hints(smtpd, acme, credentials))
    dkim_records = sources.make(read_dkim_records, rspamd, site)
    slots: dict[type, Slot[object]] = {
        Clock: Known(clock),
        Services: Known(services),
        Ruleset: sources.make(read_pf, services),
        PfStatus: sources.make(read_pf_status),
        LoadedRules: sources.make(read_loaded_rules, services),
        SshdConfig: Known(sources.make(read_sshd)),
        DoasConfig: sources.make(read_doas),
        Crontabs: sources.make(read_cron),
        RedisConfig: sources.make(read_redis),
        AcmeConfig: acme,
        HttpdConfig: httpd,
        SmtpdConfig: smtpd,
        DovecotConfig: dovecot,
        Sieve: sources.make(read_sieve, dovecot),
        RspamdConfig: rspamd,
        Originals: sources.make(read_originals, rspamd),
        Verdicts: Known(sources.make(read_verdicts)),
        Credentials: credentials,
        Virtuals: sources.make(read_virtuals, smtpd),
        Aliases: sources.make(read_aliases, smtpd),
        Senders: sources.make(read_senders, smtpd),
        Maps: sources.make(read_maps, smtpd, accounts),
        MailName: sources.make(read_mail_name),
        Queue: sources.make(read_queue),
        Accounts: accounts,
        MailOwner: Known(read_mail_owner(accounts, credentials)),
        Maildirs: sources.make(read_maildirs, credentials, dovecot, accounts),
        LoginConf: sources.make(read_login),
        RcConf: sources.make(read_rc),
        HostnameIf: static,
        Sockets: sockets,
        Interfaces: Known(interfaces),
        Listening: Known(read_listening(smtpd, dovecot, httpd, sockets)),
        Shells: sources.make(read_shells),
        Copies: Known(sources.make(read_copies)),
        ShownCertificates: Known(read_shown(smtpd, dovecot, httpd, acme)),
        Site: Known(site),
        Policy: read_policy(declared.policy),
        DkimRecords: Known(dkim_records),
        Reference: Known(read_reference(templates, site, dkim_txt(dkim_records, site))),
    }
    slots.update(read_system(sources))
    dns = slots[Dns] = read_dns(sources, site, Subjects(smtpd, acme, rspamd, static, interfaces))
    slots[Policies] = read_policies(sources, dns)
    slots[Processes] = read_processes(sources, slots)
    slots[Daemons] = read_daemons(sources, slots)
    slots[SecretFiles] = Known(read_secret_files(slots, site.domains))
    slots[PemFiles] = Known(read_pem(sources, slots))
    slots[Endpoints] = read_endpoints(sources, site, read_host(site, static, interfaces), dns, (smtpd, dovecot, httpd))
    files = read_files(sources, accounts, looked_at(slots))
    slots[Files] = Known(files)
    slots[Behind] = Known(read_behind(slots[Processes], files))
    trees = {path: tree for path, (_, tree) in sources.read.items() if isinstance(tree, Tree)}
    return Facts(slots, site, _coverage(sources, slots), trees, frozenset(sources.wanted))


def _hints(smtpd: Slot[SmtpdConfig], acme: Slot[AcmeConfig], credentials: Slot[Credentials]) -> Hints:
    config = smtpd.value if isinstance(smtpd, Known) else None
    certificates = acme.value.domains if isinstance(acme, Known) else ()
    entries = credentials.value.entries if isinstance(credentials, Known) else ()
    names = config.certificate_names if config else ()
    got = tuple(domain.name.value.lower() for domain in certificates)
    logins = credentials.value.path if isinstance(credentials, Known) else ""
    return Hints(
        accepted_domains=config.accepted_domains if config else (),
        certificate_names=(*names, *got),
        logins=tuple(entry.address for entry in entries),
        paths=dict.fromkeys(got, ACME) | dict.fromkeys(names, SMTPD) | {"accepted_domains": SMTPD, "logins": logins},
    )


def _coverage(sources: Sources, slots: Mapping[type, Slot[object]]) -> tuple[Coverage, ...]:
    refused = {
        problem.span.path
        for slot in slots.values()
        if isinstance(slot, Known) and isinstance(slot.value, Model)
        for problem in slot.value.refusals
    }
    missing = {slot.path for slot in slots.values() if isinstance(slot, Missing)}
    return tuple(
        _covered(path, language, found, path in refused)
        for path, (language, found) in sorted(sources.read.items())
        if not _not_asked(found) and (not isinstance(found, Absent) or path in missing)
    )


def _not_asked(found: Tree | Answer) -> bool:
    """True for a file that nobody looked for: it is no gap of this audit."""
    return isinstance(found, Failed) and found.reason in NOT_ASKED


def _covered(path: str, language: str, found: Tree | Answer, refused: bool) -> Coverage:
    if isinstance(found, Absent):
        return Coverage(path, language, FileStatus.MISSING)
    if not isinstance(found, Tree):
        return Coverage(path, language, FileStatus.UNREADABLE, detail=getattr(found, "detail", ""))
    problems = [(s.span, s.problem.message, s.problem.refused) for s in found.unread() if s.problem is not None]
    status = FileStatus.READ
    if refused or problems:
        status = FileStatus.REFUSED
    if any(not by_daemon for _, _, by_daemon in problems):
        status = FileStatus.PARTLY_READ
    return Coverage(
        path,
        language,
        status,
        hashlib.sha256(found.text.data).hexdigest(),
        sum(1 for _ in found.walk()),
        tuple((span, message) for span, message, _ in problems),
        swallowed=any(each.problem is not None and each.problem.swallows for each in found.unread()),
    )
