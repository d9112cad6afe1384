"""What cron runs, for whom and when: root's and the users' tables, the system's table, and the host's own daily scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.schedule import Schedule
from mailaudit.models.shell import Step, script_steps, steps
from mailaudit.models.sources import Known, Model, Slot, Sources, refused_statements
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.shell import tokens_of
from mailaudit.parsers.tree import Problem, Statement, Token, Tree, nothing
from mailaudit.questions import Command, CommandOutput, Failed, Found, Reason, RunCommand
from mailaudit.text import Span, Text, encode

SYSTEM = "/etc/crontab"
TABLES = "/var/cron/tabs/*"
ROOT = "/var/cron/tabs/root"
SCRIPTS = {"/etc/daily": "/etc/daily.local", "/etc/weekly": "/etc/weekly.local", "/etc/monthly": "/etc/monthly.local"}
"""OpenBSD's own scripts, which cron runs, and the host's own ones that they read first."""
_STOCK = {"/etc/daily": "30 1 * * *", "/etc/weekly": "30 3 * * 6", "/etc/monthly": "30 5 1 * *"}


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One line of a crontab.

    `when` are the tokens of its schedule, `flags` the letters of `-n`, `-q` and `-s`, `variables` those set above it. `steps` are
    the commands of its line; `unclosed` is what the shell could not read of it.
    """

    statement: Statement
    user: str
    when: tuple[Token, ...]
    schedule: Schedule
    command: Token
    steps: tuple[Step, ...]
    flags: frozenset[str] = frozenset()
    variables: Mapping[str, Token] = field(default_factory=dict)
    unclosed: Problem | None = None

    @property
    def span(self) -> Span:
        """The whole line."""
        return self.statement.span


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A command that is run at some times for some user: from a job's own line, or from a script that a job runs.

    `job` is None where the stock crontab stands in for one that is not known.
    """

    step: Step
    user: str
    schedule: Schedule
    job: Job | None


@dataclass(frozen=True, eq=False)
class Crontabs(Model):
    """All jobs and all that they run.

    `scripts` are the host's own daily, weekly and monthly scripts that are there, by path; `unknown` are tables and scripts that
    could not be looked at, each with the reason: what they run is not in `runs`. `root` is root's table if its file was read,
    and not just what `crontab -l` shows of it.
    """

    jobs: tuple[Job, ...] = ()
    runs: tuple[Run, ...] = ()
    scripts: Mapping[str, Tree] = field(default_factory=dict)
    unknown: Mapping[str, Failed] = field(default_factory=dict)
    root: Tree | None = None

    def running(self, program: str) -> list[Run]:
        """The runs of a program, by its name without folder."""
        return [run for run in self.runs if run.step.program == program]


def read_cron(sources: Sources) -> Slot[Crontabs]:
    """All crontabs. Root's is read from its file, else from what `crontab -l` showed, else the stock one is assumed."""
    reader = _Reader(sources)
    root = reader.table(ROOT, "root") or reader.listed()
    paths = sources.list(TABLES)
    if isinstance(paths, Failed):
        reader.unknown[TABLES] = paths
    else:
        for path in paths:
            if path != ROOT:
                reader.table(path, path.rpartition("/")[2])
    reader.table(SYSTEM, None)
    reader.scripts(stock=not root)
    if not root:
        reader.assumed.append("root's crontab as the system brings it")
    return Known(reader.model())


@dataclass
class _Reader:
    sources: Sources
    trees: list[Tree] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    known: dict[str, Tree] = field(default_factory=dict)
    unknown: dict[str, Failed] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    root: Tree | None = None

    def table(self, path: str, user: str | None) -> bool:
        """Read a crontab, the system's if no user is given; false if it is not there to be read."""
        found = self.sources.tree(path, "crontab-system" if user is None else "crontab")
        if isinstance(found, Failed):
            self.unknown[path] = found
        if not isinstance(found, Tree):
            return False
        if path == ROOT:
            self.root = found
        self.take(found, user)
        return True

    def listed(self) -> bool:
        """Read what `crontab -l` showed of root's jobs; false if that is not recorded."""
        answer = self.sources.ask(RunCommand(Command.CRONTAB_ROOT))
        if isinstance(answer, Failed) and answer.reason is not Reason.NOT_RECORDED:
            self.unknown[ROOT] = answer
        if not isinstance(answer, Found) or not isinstance(answer.value, CommandOutput):
            return False
        self.unknown.pop(ROOT, None)
        if answer.value.status == 0:
            text = Text(ROOT, encode(answer.value.stdout))
            self.take(LANGUAGES["crontab"].parse(text, nothing), "root")
        return True

    def take(self, tree: Tree, user: str | None) -> None:
        """Add the jobs of a table."""
        self.trees.append(tree)
        variables: dict[str, Token] = {}
        for statement in tree.statements:
            if statement.kind == "variable":
                name, value = statement.node.leaves()
                variables = {**variables, name.value: value}
            elif statement.kind == "job":
                job = _job(statement, user, variables)
                self.jobs.append(job)
                self.runs += (Run(step, job.user, job.schedule, job) for step in job.steps)

    def scripts(self, *, stock: bool) -> None:
        """Add what the host's own daily, weekly and monthly scripts run."""
        for script, path in SCRIPTS.items():
            tree = self.sources.tree(path, "shell")
            if isinstance(tree, Failed):
                self.unknown[path] = tree
            if not isinstance(tree, Tree):
                continue
            self.trees.append(tree)
            self.known[path] = tree
            found = script_steps(tree.statements)
            times: list[tuple[Schedule, str, Job | None]] = [
                (run.schedule, run.user, run.job) for run in self.runs if _calls(run.step, script)
            ]
            if stock:
                times = [(Schedule.of(dict(zip(_KINDS, _STOCK[script].split(), strict=True))), "root", None)]
            self.runs += (Run(step, user, schedule, job) for schedule, user, job in times for step in found)

    def model(self) -> Crontabs:
        """The model of all that was read."""
        return Crontabs(
            trees=tuple(self.trees),
            refusals=refused_statements(self.trees),
            assumed=tuple(self.assumed),
            jobs=tuple(self.jobs),
            runs=tuple(self.runs),
            scripts=self.known,
            unknown=self.unknown,
            root=self.root,
        )


_KINDS = ("minute", "hour", "monthday", "month", "weekday")


def _calls(step: Step, script: str) -> bool:
    """True if a step runs a script, itself or by a shell."""
    words = [token.value for token in step.call]
    return words[0] == script or (step.program in ("sh", "ksh") and script in words[1:3])


def _unescaped(token: Token) -> Token:
    """A word of a job's command without the backslashes that kept percent signs from cron."""
    if "\\%" not in token.value:
        return token
    return Token(token.kind, token.value.replace("\\%", "%"), token.text, token.start, token.end)


def _job(statement: Statement, user: str | None, variables: Mapping[str, Token]) -> Job:
    leaves = {token.kind: token for token in statement.node.leaves()}
    when = tuple(token for token in statement.node.leaves() if token.kind in ("when", *_KINDS))
    command = leaves["command"]
    tokens, unclosed = tokens_of(command.text, command.start, command.end)
    return Job(
        statement,
        leaves["user"].value if user is None else user,
        when,
        Schedule.of({token.kind: token.value for token in when}),
        command,
        steps([[_unescaped(token) for token in tokens]]),
        frozenset("".join(token.value[1:] for token in statement.node.leaves() if token.kind == "flag")),
        variables,
        unclosed,
    )
