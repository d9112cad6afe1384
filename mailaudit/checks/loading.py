"""What every "exists and loads" rule does: a missing file is written from the reference, each refusal is a finding."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.edits import Fix, Safety, create, replace
from mailaudit.findings import Doubt, Evidence, Finding, Outcome, Place
from mailaudit.models.reference import Reference
from mailaudit.models.sources import Missing, Model, refused_statements
from mailaudit.models.system import TYPED
from mailaudit.models.verdicts import Verdicts
from mailaudit.parsers.tree import Problem
from mailaudit.questions import Command, Reason
from mailaudit.text import Span

MOST_PLACES = 5
FEWEST_WRONG = 4  # statements that are not right, for a file to be taken for one of another language
NEARLY_ALL = 0.8


def loads(model: Model | Missing, daemon: str, reference: Reference, *, is_taken: bool = False) -> Iterator[Outcome]:
    """A finding if the file is not there, and one for each thing that its daemon refuses.

    `is_taken` is true if its own checker takes the file: what our grammar does not know of it is no mistake of the file's then.
    """
    if isinstance(model, Missing):
        yield missing(model.path, daemon, reference)
        return
    if is_another_language(model) and not is_taken:
        yield another_language(model, daemon)
        return
    of_grammar = {id(problem) for problem in refused_statements(model.trees)} if is_taken else set()
    alike: dict[str, list[Problem]] = {}
    for problem in model.refusals:
        alike.setdefault(problem.message, []).append(problem)
    for message, problems in alike.items():
        first = problems[0]
        yield misread(message, daemon, first.span) if id(first) in of_grammar else _refused(message, problems, daemon)


def misread(message: str, daemon: str, span: Span) -> Doubt:
    """The doubt about what mailaudit takes for a mistake, and the daemon's own checker does not."""
    return Doubt(Reason.NOT_READ, ended(f"{daemon} takes what mailaudit cannot read: {message}"), (Place.at(span, message),))


def refused_by_checker(model: Model | Missing, daemon: str, command: Command, verdicts: Verdicts) -> Iterator[Outcome]:
    """A finding where the daemon's own checker refuses files in which nothing is found that it would refuse."""
    refusal = verdicts.refused.get(command)
    if refusal is None or isinstance(model, Missing) or model.refusals:
        return
    texts = (tree.text for tree in model.trees if tree.text.path == refusal.path)
    text = next((text for text in texts if 0 < refusal.line <= text.lines), None)
    said = f": {refusal.said}" if refusal.said else ""
    places: tuple[Place | Evidence, ...] = (Evidence(TYPED[command], refusal.said),)
    if text is not None:
        start = text.line_start(refusal.line)
        places = (Place.at(Span(text, start, start + len(text.line(refusal.line))), "refused"), *places)
    fix = Fix("See all that it says", Safety.MANUAL, commands=(TYPED[command],))
    yield Finding(ended(f"{daemon} refuses its configuration{said}"), places, fix, "checker", "refused")


def another_language(model: Model, daemon: str) -> Finding:
    """The one finding of a file that is another program's."""
    first = model.trees[0].unread()[0].span
    message = f"{daemon} refuses this file: hardly anything in it is its language, as if it were another program's file."
    return Finding(message, (Place.at(first, "the first"),), None, "refused", "language")


def is_another_language(model: Model) -> bool:
    """True if nearly no statement of a file is right, macros left out: many languages have `name = value`."""
    statements = [each for each in model.trees[0].walk() if each.kind != "macro"] if model.trees else []
    wrong = sum(each.problem is not None and each.problem.mend is None for each in statements)
    return wrong >= FEWEST_WRONG and wrong >= NEARLY_ALL * len(statements)


def missing(path: str, daemon: str, reference: Reference) -> Finding:
    """A finding for a file that is not there."""
    text = reference.text(path)
    fix = None if text is None else Fix(f"Write {path} from the reference", Safety.SAFE, (create(path, text),))
    return Finding(f"There is no {path}, so {daemon} has nothing to go by.", (Place.whole(path),), fix, "missing")


def _refused(message: str, problems: list[Problem], daemon: str) -> Finding:
    first, *more = problems
    places = (
        Place.at(first.span, message),
        *(Place.at(problem.span, "here too") for problem in more[:MOST_PLACES]),
    )
    fix = None
    if all(problem.mend is not None for problem in problems):
        edits = tuple(replace(problem.span, problem.mend or "") for problem in problems)
        fix = Fix("Write it as it was meant", Safety.SAFE, edits)
    return Finding(ended(f"{daemon} refuses this file: {message}"), places, fix, "refused", message)


def ended(sentence: str) -> str:
    """A sentence with its full stop; one that asks whether a word was meant has its mark already."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."
