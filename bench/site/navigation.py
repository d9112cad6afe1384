"""What stands where in the site's navigation: every page of docs/ by its name, in the order in which one reads."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "docs"

NAVIGATION: dict[str, tuple[str, ...]] = {
    "Start": ("README.md", "docs/verdicts.md", "docs/commands.md", "docs/what-the-guide-gets-wrong.md", "docs/glossary.md"),
    "Use": (
        "docs/scan.md",
        "docs/fixing.md",
        "docs/mending-a-host.md",
        "docs/dovecot-2.4.md",
        "docs/init.md",
        "docs/policy.md",
        "docs/pf.md",
        "docs/trace.md",
        "docs/repositories.md",
        "docs/baseline.md",
    ),
    "Look up": (
        "docs/settings.md",
        "docs/reports.md",
        "docs/exit-codes.md",
        "docs/integrations.md",
        "docs/completion.md",
        "docs/hosts.md",
        "docs/openbsd.md",
        "docs/network.md",
        "docs/answers.md",
    ),
    "Rules": ("rules/index.md",),
    "How it is built": ("docs/architecture.md", "docs/judged-hosts.md", "CONTRIBUTING.md", "docs/decisions/index.md"),
    "What changed": ("CHANGELOG.md",),
}
MADE = frozenset({"rules/index.md", "docs/decisions/index.md"})  # written when the site is made
