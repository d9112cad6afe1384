"""The rules' pages as the site shows them, and their index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bench.site.links import slug
from mailaudit.rulebook import MARK, Page, Rulebook

SUBJECTS = {
    "host": "The system: users, packages, services",
    "pf": "The firewall",
    "acme": "Certificates: acme-client",
    "httpd": "httpd",
    "tls": "TLS",
    "smtpd": "OpenSMTPD",
    "credentials": "Users and their passwords",
    "virtuals": "Virtual addresses",
    "aliases": "Aliases",
    "dovecot": "Dovecot",
    "sieve": "Sieve",
    "rspamd": "Rspamd",
    "dkim": "DKIM",
    "dns": "DNS",
    "cross": "Across layers",
    "abuse": "Abuse",
    "policy": "What a site agreed on",
}
EVIDENCE = {
    "F": "the files",
    "E": "the configuration, evaluated as the daemon does",
    "M": "owners and modes",
    "C": "what commands on the host say",
    "D": "DNS",
    "T": "certificates and TLS",
    "P": "the host's ports",
}
BASIS = {
    "guide": "what the guide sets up",
    "correctness": "it does not work otherwise",
    "security": "it is open to abuse otherwise",
    "deliverability": "others refuse the mail otherwise",
    "hygiene": "it is in order so",
}
_FENCE = re.compile(r"^(```+)([^\n`]*)\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_LEXERS = {".json": "json", ".toml": "toml", ".sh": "sh", ".sieve": "text"}


def rule(page: Page, subject: str, beside: Sequence[Page] = ()) -> str:
    """A rule's page: its facts as fields, its text, its examples with their paths as captions, the rules `beside` it."""
    facts = {
        "Name": f"`{page.name}`" + (f", also {' and '.join(page.also)}" if page.also else ""),
        "Severity": _severity(page),
        "Basis": f"{page.basis}: {BASIS[page.basis]}",
        "Profiles": ", ".join(page.profiles),
        "Looks at": ", ".join(EVIDENCE[each] for each in page.evidence),
        "Sources": "; ".join(page.sources),
        "The guide": f"[wrong here](../docs/what-the-guide-gets-wrong.md) ({', '.join(page.traps)})" if page.traps else "",
        "Since": page.since,
    }
    body = re.sub(r"\A\s*# [^\n]*\n", "", page.body)
    return "\n".join(
        (
            "---\norphan: true\n---",
            f"# {page.id} {page.title}\n",
            f"[Rules](index.md) › [{SUBJECTS[subject]}](index.md#{slug(SUBJECTS[subject])})\n",
            *(f":{label}: {told}" for label, told in facts.items() if told),
            "",
            _FENCE.sub(_example, body).strip(),
            "",
            *(f"- Next to it: [{each.id}]({each.id}.md) {each.title}" for each in beside),
            "",
        )
    )


def beside(pages: Sequence[Page]) -> dict[str, list[Page]]:
    """The rules before and after each rule of a subject, by id."""
    return {page.id: [*pages[max(at - 1, 0) : at], *pages[at + 1 : at + 2]] for at, page in enumerate(pages)}


def other_id(page: Page, other: str) -> str:
    """The page of another id of a rule, which leads to the rule's own."""
    told = f"{other} is the same rule as [{page.id}]({page.id}.md): one page, both ids."
    return f"---\norphan: true\n---\n# {other} {page.title}\n\n{told}\n"


def index(book: Rulebook, subjects: Mapping[str, str]) -> str:
    """All rules by subject, with severities."""
    count = len(book.pages)
    lines = [
        "# Rules\n",
        f"{count} rules. An id (`PF020`), a name (`default-deny`) or a prefix (`DNS0`) selects them in `--select`, `--ignore`,",
        "in [mailaudit.toml](../docs/settings.md) and in waivers; `mailaudit rules PF020` prints a page in the terminal.",
        "What the severities and profiles mean stands in [How to read a verdict](../docs/verdicts.md).\n",
    ]
    by_subject = in_subjects(book, subjects)
    lines += [f"- [{SUBJECTS[subject]}](#{slug(SUBJECTS[subject])}): {len(pages)}" for subject, pages in by_subject.items()]
    for subject, pages in by_subject.items():
        lines += [f"\n## {SUBJECTS[subject]}\n", "| rule | is right when | severity | basis |", "|---|---|---|---|"]
        lines += [f"| [{page.id}]({page.id}.md) | {page.title} | {_severity(page)} | {page.basis} |" for page in pages]
    return "\n".join(lines) + "\n"


def in_subjects(book: Rulebook, subjects: Mapping[str, str]) -> dict[str, list[Page]]:
    """The pages of each subject, in the order of subjects and ids; `subjects` gives the subject of each id."""
    return {subject: [page for page in book.pages.values() if subjects[page.id] == subject] for subject in SUBJECTS}


def linked(markdown: str, ids: Mapping[str, str], below: str) -> str:
    """Markdown in which each rule's id in prose is a link; `ids` gives the page of each id, `below` the way up to the root."""
    return "".join(
        chars if code else _IDS.sub(lambda found: _link(found, ids, below), chars)
        for chars, code in _in_and_out_of_fences(markdown)
    )


_IDS = re.compile(r"`[^`\n]*`|!?\[[^\]\n]*\]\([^)\n]*\)|^#[^\n]*|^:Name:[^\n]*|\b(?P<id>[A-Z]{2,}\d{3})\b", re.MULTILINE)


def _link(found: re.Match[str], ids: Mapping[str, str], below: str) -> str:
    each = found["id"]
    return f"[{each}]({below}rules/{ids[each]}.md)" if each and each in ids else found[0]


def _in_and_out_of_fences(markdown: str) -> Iterator[tuple[str, bool]]:
    end = 0
    for fence in _FENCE.finditer(markdown):
        yield markdown[end : fence.start()], False
        yield fence[0], True
        end = fence.end()
    yield markdown[end:], False


def _example(fence: re.Match[str]) -> str:
    """A block of an example with its path as caption, and the lines that findings point at marked."""
    path, text = fence[2].strip(), fence[3]
    marked = [str(number) for number, line in enumerate(text.split("\n"), 1) if MARK.search(line)]
    lexer = next((lexer for ending, lexer in _LEXERS.items() if path.endswith(ending)), "text")
    options = [f":caption: {path}"] if path else []
    options += [f":emphasize-lines: {','.join(marked)}"] if marked else []
    ticks = fence[1] + "`"
    return "\n".join((f"{ticks}{{code-block}} {lexer}", *options, "", MARK.sub("", text).rstrip("\n"), ticks))


def _severity(page: Page) -> str:
    return f"[{page.severity}]{{.severity .{page.severity}}}"


def ids(pages: Sequence[Page]) -> dict[str, str]:
    """The page's id by every id that a rule goes by."""
    return {each: page.id for page in pages for each in page.ids}
