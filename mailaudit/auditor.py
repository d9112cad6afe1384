"""Audits one host: world, snapshot, facts, findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from mailaudit import settings
from mailaudit.collect.authorities import site_authorities
from mailaudit.collect.login import Login, unwatched
from mailaudit.collect.named import named_settings
from mailaudit.collect.online import OnlineWorld, Outside
from mailaudit.collect.root import RootWorld
from mailaudit.collect.world import Layers, World, unasked
from mailaudit.findings import Finding, HostReport, Place, Result, Severity, Verdict
from mailaudit.fingerprints import Unsaid, fingerprint, numbered
from mailaudit.models.clock import Clock, read_clock
from mailaudit.models.facts import Facts, read
from mailaudit.models.lifetimes import lifetimes
from mailaudit.models.site import Site
from mailaudit.models.sources import Known, Shelf, Sources
from mailaudit.questions import Question, Reason
from mailaudit.rulebook import Page, Rulebook
from mailaudit.settings import Settings, Waiver, inline_waivers, waive
from mailaudit.snapshot import AtHand, Snapshot
from mailaudit.survey import MAX_WAVES, survey, told
from mailaudit.text import Span

if TYPE_CHECKING:
    from mailaudit.checks.runner import Judged

Accept = Callable[[Sequence[HostReport], bool], tuple[HostReport, ...]]  # waives what a baseline has; true: these are all hosts
_READING = Lock()  # many hosts are asked at once, and read one by one: grammars are no good for two threads


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chose."""

    profile: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: Severity = Severity.LOW
    config: str | None = None
    domain: tuple[str, ...] = ()
    now: datetime | None = None
    inline_ignores: bool = True
    strict_waivers: bool = False
    accept: Accept | None = None
    exit_zero: bool = False
    allow_incomplete: bool = False
    outside: Outside | None = None  # of paths; None: nothing is asked over the network
    login: Login = field(default_factory=Login)  # of live hosts
    since: str | None = None  # a revision of git: hosts that are what they were then are not scanned


@dataclass
class Auditor:
    """Audits one host: knows the rules selected for it, and remembers trees over waves and rounds of repair."""

    world: World
    book: Rulebook
    settings: Settings
    options: Options
    selected: tuple[str, ...]
    shelf: Shelf = field(default_factory=Shelf)
    crashes: list[Exception] = field(default_factory=list)
    needed: set[Waiver] = field(default_factory=set)
    present: datetime = field(default_factory=lambda: datetime.now(UTC))
    live: bool = False

    def facts(self, snapshot: Snapshot) -> Facts:
        """The models of a snapshot."""
        clock = read_clock(self.options.now, snapshot.taken, self.present)
        return read(Sources(snapshot, self.shelf), self.settings.site, self.book.reference, clock)

    def anew(self, world: World) -> Auditor:
        """The same auditor, with nothing remembered and a world in which the host was entered anew."""
        return replace(self, world=_trusting(world, self.settings, self.options), shelf=Shelf(), crashes=[])

    def first(self) -> list[Question]:
        """What is asked first of all, before anything is known."""
        nothing = unasked(self.world)
        with _READING:
            return survey(self.facts(nothing).wanted, nothing)

    def learn(self, snapshot: Snapshot | None = None) -> tuple[Snapshot, Facts]:
        """Ask the world wave after wave until no new question is raised, from nothing or from what is known."""
        world = self.world
        snapshot = snapshot or unasked(world)
        if isinstance(world, RootWorld):
            return self._looked_up(world, snapshot)
        watch = self.options.login.watch if self.live or world.online else unwatched
        ask = world.some if isinstance(world, OnlineWorld) else world.ask
        raised: set[Question] = set()
        waves = 0
        while True:
            with _READING:
                facts = self.facts(snapshot)
                wave = survey(facts.wanted, snapshot)
            waves += not raised.issuperset(wave)
            if not wave or waves > MAX_WAVES:
                break
            raised.update(wave)
            watch(world.target, f"wave {waves}: {told(wave)}")
            answers = ask(wave)
            if not answers:
                break
            snapshot = snapshot.with_answers(answers)
        watch(world.target, "")
        return snapshot, facts

    def _looked_up(self, world: RootWorld, snapshot: Snapshot) -> tuple[Snapshot, Facts]:
        """The same, of files and records: each question is answered when it is raised, so that few rounds are enough."""
        at_hand = AtHand(**{each.name: getattr(snapshot, each.name) for each in fields(snapshot)}, look=world.answer)
        for _ in range(MAX_WAVES):
            known = len(at_hand.answers)
            with _READING:
                facts = self.facts(at_hand)
            if len(at_hand.answers) == known:
                break
        return snapshot.with_answers(at_hand.answers), facts

    def examine(self, snapshot: Snapshot, facts: Facts) -> HostReport:
        """All selected rules' results on the facts."""
        from mailaudit.checks import CHECKS  # noqa: PLC0415  asking needs none of them: see `prepared`
        from mailaudit.checks.runner import judge  # noqa: PLC0415

        results: list[Result] = []
        unsaid = Unsaid(facts.site.host_name or "", facts.secrets)
        for identity in self.selected:
            judged = judge(CHECKS[identity], facts.slots)
            if judged.crash is not None:
                self.crashes.append(judged.crash)
            results += self._results(self.book.pages[identity], judged, unsaid)
        results, notes = self._waived(numbered(sorted(results, key=_order)), facts, snapshot.host)
        return HostReport(
            name=snapshot.host,
            target=snapshot.target,
            online=snapshot.online,
            site=facts.site.as_report(),
            files=facts.files,
            results=tuple(sorted(results, key=_order)),
            texts=facts.texts,
            secrets=facts.secrets,
            notes=notes,
            crashes=tuple(self.crashes),
            live=self.live,
            certificates=lifetimes(facts.slots),
            now=_time(facts),
        )

    def failed(self, error: Exception) -> HostReport:
        """The report of a host that a defect of mailaudit kept from being read: no rule could tell."""
        from mailaudit.checks.runner import Judged  # noqa: PLC0415

        judged = Judged(
            Verdict.UNKNOWN, message="mailaudit itself failed on this host, so nothing was judged.", reason=Reason.CRASHED
        )
        results = [
            each for identity in self.selected for each in self._results(self.book.pages[identity], judged, Unsaid("", ()))
        ]
        return HostReport(
            name=self.world.host,
            target=self.world.target,
            online=self.world.online,
            site=Site().as_report(),
            files=(),
            results=tuple(results),
            crashes=(error,),
            defect=f"{self.world.target}: internal error: {type(error).__name__} (--debug shows where; please report it)",
            live=self.live,
        )

    @cached_property
    def severities(self) -> dict[str, Severity]:
        """The severities that the settings give, by a rule's own id; of two that name it, the later decides."""
        named = self.settings.severity.items()
        return {identity: severity for selector, severity in named for identity in self.book.matching(selector)}

    def _waived(self, results: list[Result], facts: Facts, host: str) -> tuple[list[Result], tuple[str, ...]]:
        """The results with waivers applied, and what there is to say about the waivers."""
        waivers = list(self.settings.waivers)
        notes: list[str] = []
        for text, spans in facts.gaps() if self.options.inline_ignores else ():
            inline, bad = inline_waivers(text, spans)
            waivers += inline
            notes += [str(each) for each in bad]
            unknown = (each for each in inline if not self.book.matching(each.rule))
            notes += [f"{each.origin}: the waiver of {each.rule} waives nothing: no rule is called so" for each in unknown]
        waived = waive(results, waivers, self.present.date(), host)
        notes += [*(each.over for each in waived.expired), *(each.needless for each in waived.unused)]
        self.needed.update(waived.used)
        return list(waived.results), tuple(notes)

    def _results(self, page: Page, judged: Judged, unsaid: Unsaid) -> Iterator[Result]:
        chosen = self.severities.get(page.id)
        for finding in judged.findings or (None,):
            yield Result(
                rule=page.id,
                name=page.name,
                verdict=judged.verdict,
                severity=chosen if chosen is not None else _severity(page, finding),
                basis=page.basis,
                title=page.title,
                message=finding.message if finding else judged.message,
                note=_note(judged.refused, finding),
                reason=judged.reason,
                assumed=judged.assumed,
                places=finding.places if finding else judged.places,
                fix=finding.fix if finding else None,
                fingerprint=fingerprint(page.id, finding, unsaid) if finding else "",
                also=page.also,
            )


def _time(facts: Facts) -> datetime | None:
    clock = facts.slots.get(Clock)
    return clock.value.now if isinstance(clock, Known) and isinstance(clock.value, Clock) else None


def _note(refused: Mapping[str, frozenset[Span]], finding: Finding | None) -> str:
    """That files do not load as they stand, unless the finding is about that very mistake (contract, section 3)."""
    here = {place.span for place in finding.places if isinstance(place, Place)} if finding else set()
    paths = [path for path, spans in refused.items() if len(spans) > len(here) or not spans <= here]
    return " ".join(f"({path} does not load as it stands; this is judged as if that were mended.)" for path in paths)


def _severity(page: Page, finding: Finding | None) -> Severity:
    """The page's, or that of a case that is told apart."""
    return finding.severity if finding is not None and finding.severity is not None else page.severity


def _order(result: Result) -> tuple[str, int, int, str, str]:
    """By path, line, column, rule (contract, section 4); what has no place in a file comes last."""
    first = result.places[0] if result.places else None
    if isinstance(first, Place):
        line, column, _, _ = first.corners()
        return first.path, line, column, result.rule, result.message
    return "\U0010ffff", 0, 0, result.rule, result.message


def select(book: Rulebook, settings_: Settings, options: Options) -> tuple[str, ...]:
    """The ids of the rules to judge: those of the profile, or those selected, less those ignored."""
    profile = options.profile or settings_.profile
    chosen = [identity for identity, page in book.pages.items() if profile in page.profiles]
    if options.select:
        chosen = book.named(options.select, "--select")
    ignored = set(book.named(options.ignore, "--ignore"))
    for each in settings_.ignore:
        ignored.update(book.named((each,), settings_.said.get(("rules", "ignore", each))))
    return tuple(identity for identity in chosen if identity not in ignored)


def prepared(options: Options, book: Rulebook) -> Login:
    """How live hosts are entered, with what is asked of each first of all; what judges is imported while that is waited for."""
    return replace(options.login, first=lambda world: auditor_for(world, book, options).first(), meanwhile=_import_checks)


def _import_checks() -> None:
    import mailaudit.checks  # noqa: F401, PLC0415


def auditor_for(world: World, book: Rulebook, options: Options) -> Auditor:
    """An auditor with the settings that go with the world, or those named on the command line."""
    loaded = settled(world.settings, book, options)
    selected = select(book, loaded, options)
    return Auditor(_trusting(world, loaded, options), book, loaded, options, selected)


def settled(files: Layers, book: Rulebook, options: Options) -> Settings:
    """What the files say, or the one that is named, and the command line; each rule in it is one. Raises `SettingsError`."""
    loaded = settings.load(files if options.config is None else named_settings(options.config))
    if options.domain:
        loaded = replace(loaded, site=replace(loaded.site, domains=options.domain))
    for waiver in loaded.waivers:
        book.named((waiver.rule,), waiver.origin)
    for selector in loaded.severity:
        book.named((selector,), loaded.said["rules", "severity", selector])
    return loaded


def _trusting(world: World, loaded: Settings, options: Options) -> World:
    """A world that trusts the site's own authorities as well."""
    if isinstance(world, OnlineWorld) and loaded.site.ca_file is not None:
        within = options.config is None and world.root is not None
        world.network.authorities += site_authorities(loaded.said["site", "ca_file"], loaded.site.ca_file, within=within)
    return world
