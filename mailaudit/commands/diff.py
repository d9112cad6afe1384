"""`mailaudit diff`: two reports, or hosts as they lie here, compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from shlex import quote

from mailaudit import output, rulebook
from mailaudit.audit import audit
from mailaudit.choices import Common, DiffFormat, Format, Looking
from mailaudit.collect.ssh.target import is_path
from mailaudit.commands.choosing import options
from mailaudit.commands.earlier import earlier_report, is_report, known
from mailaudit.commands.telling import UsageError, explained
from mailaudit.commands.watching import watched
from mailaudit.comparing.differences import Comparison, compare
from mailaudit.comparing.known import Known, Told
from mailaudit.exitcodes import ExitCode, settle, worst
from mailaudit.findings import Severity
from mailaudit.output import Outlet
from mailaudit.reports import comparison as as_json
from mailaudit.reports import markdown_comparison as markdown
from mailaudit.reports.comparison import Compared
from mailaudit.reports.terminal import comparison as terminal
from mailaudit.reports.terminal.paper import Screen


def diff(common: Common, before: str, after: str, form: DiffFormat) -> int:
    """Compare and tell; the exit code."""
    files: list[Outlet] = []
    try:
        files = _files(common)
        compared = _compared(common, before, after)
        texts = _texts(common, compared, form, files)
    except BaseException as error:  # noqa: BLE001  JSON must be valid on every way out (contract, section 4)
        code, message = explained(error, debug=common.debug)
        compared = Compared(None, (message,), code, code.short)
        texts = _texts(common, compared, form, files)
        texts[0] = "" if form is DiffFormat.TERMINAL else texts[0]
    failures = [output.deliver(text, each.path) for each, text in zip(files, texts[1:], strict=True)]
    failures.append(output.write(texts[0], Format(form)) if texts[0] else "")
    for failure in filter(None, failures):
        output.complain(failure)
    return worst((compared.exit_code, *([ExitCode.INCOMPLETE] if any(failures) else [])))


def _files(common: Common) -> list[Outlet]:
    files = output.outlets(common.output or ())
    for each in files:
        if each.format.value not in [form.value for form in DiffFormat]:
            raise UsageError(f"--output {each.format}:{each.path}: a comparison is written as {', '.join(DiffFormat)}")
    return files


def _texts(common: Common, compared: Compared, form: DiffFormat, files: Sequence[Outlet]) -> list[str]:
    """What standard output carries, and what each file does: all of it before any is written."""
    wished = [(form, output.screen(common.color)), *((DiffFormat(each.format), Screen()) for each in files)]
    return [_text(common, compared, each, where) for each, where in wished]


def _text(common: Common, compared: Compared, form: DiffFormat, where: Screen) -> str:
    if form is DiffFormat.JSON:
        return as_json.write(compared)
    if form is DiffFormat.MARKDOWN:
        return markdown.write(compared)
    return terminal.write(compared, where, quiet=common.quiet, verbose=common.verbose)


def _compared(common: Common, before: str, after: str) -> Compared:
    if is_report(before) and is_report(after):
        only_reports(common)
    one, other = _side(common, before), _side(common, after)
    if not one.hosts:
        raise UsageError(f"{before}: it is the report of a run that audited no host: {one.exit_reason}")
    comparison = compare(one, other)
    code, why = _concluded(common, comparison)
    return Compared(comparison, other.failures, code, why)


def _side(common: Common, target: str) -> Known:
    """A report that is read, or one that is made of a path, offline."""
    if is_report(target):
        return chosen_report(common, target)
    if not is_path(target):
        why = f"{target}: there is no such file, and a live host is recorded first"
        raise UsageError(why, f"mailaudit snapshot {quote(target)} -o DIR records it")
    return audited(common, [target])


def chosen_report(common: Common, path: str) -> Known:
    """A report in a file, with the results of the rules that were chosen."""
    report, chosen = earlier_report(path, ""), options(common)
    if not (chosen.select or chosen.ignore):
        return report
    book = rulebook.load()
    ignored = set(book.named(chosen.ignore, "--ignore"))
    wanted = set(book.named(chosen.select, "--select")) if chosen.select else None

    def left(results: Iterable[Told]) -> tuple[Told, ...]:
        return tuple(each for each in results if each.rule not in ignored and (wanted is None or each.rule in wanted))

    return replace(report, hosts=tuple(replace(host, results=left(host.results)) for host in report.hosts))


def only_reports(common: Common) -> None:
    """Raise `UsageError` for an option about how hosts are judged, where there are only reports, which were."""
    asked = {
        "--domain": common.domain,
        "--profile": common.profile,
        "--config": common.config,
        "--now": common.now,
        "--no-inline-ignores": common.no_inline_ignores,
    }
    for option in (name for name, value in asked.items() if value):
        raise UsageError(f"{option}: what a report tells was judged already", f"mailaudit scan TARGET {option} ... judges anew")


def audited(common: Common, targets: Sequence[str], looking: Looking | None = None) -> Known:
    """The report of targets; offline, unless `looking` says otherwise."""
    with watched(common, options(common, looking)) as chosen:
        return known(audit(targets, chosen), ", ".join(targets))


def _concluded(common: Common, comparison: Comparison) -> tuple[ExitCode, str]:
    least = Severity[common.fail_on.upper()]
    after = comparison.after
    codes = [*([ExitCode.FINDINGS] if comparison.worse(least) else []), *([] if after.is_complete else [ExitCode.INCOMPLETE])]
    if not after.hosts and after.exit_code == ExitCode.NOTHING:
        codes.append(ExitCode.NOTHING)
    code = settle(codes, exit_zero=common.exit_zero, allow_incomplete=common.allow_incomplete)
    told = comparison.drift(least)
    if code is ExitCode.INCOMPLETE:
        told = f"{after.origin} is not complete ({after.exit_reason}); {told}"
    return code, told
