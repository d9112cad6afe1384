"""The report as HTML: one page that needs nothing else, for a person who reads, prints or files it."""

from __future__ import annotations

from mailaudit.findings import Report
from mailaudit.reports.html.page import document
from mailaudit.reports.view import Reader


def write(report: Report, reader: Reader) -> str:
    """The whole report as one page, in UTF-8 characters."""
    return "".join(document(report, reader))
