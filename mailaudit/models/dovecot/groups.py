"""Groups of Dovecot 2.4: `group @label name { ... }` takes effect where `@label = name` stands, below what is said there."""

from __future__ import annotations

from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.new import NewMerging
from mailaudit.models.dovecot.reading import Setting, Visit
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import NEW


def own_group(label: str, name: str) -> Section | None:
    """A group that 2.4 brings along; its settings are defaults."""
    head = f"group {label} {name}"
    group = Section(label, name)
    is_there = False
    for path, settings in catalogue(NEW).preset.items():
        if not path or path[0] != head:
            continue
        is_there = True
        section = group
        for step in path[1:]:
            type_, _, key = step.partition(" ")
            section = section.child(type_, key)
        for short, value in settings.items():
            full = f"{section.type}_{short}" if section.type != label else short
            section.settings[full] = Setting(full, value)
    return group if is_there else None


def include(merging: NewMerging) -> None:
    """Add what groups say to the sections that name them."""
    root = merging.root
    for section in list(root.walk()):
        if section.type.startswith("@"):
            continue
        for label, setting in [each for each in section.settings.items() if each[0].startswith("@")]:
            group = root.index.get((label, setting.value)) or own_group(label, setting.value)
            if group is not None and setting.statement is not None:
                _merge(section, group, Visit(setting.statement, setting.within))


def _merge(section: Section, group: Section, visit: Visit) -> None:
    for name, setting in group.settings.items():
        section.settings.setdefault(name, setting)
    for each in group.sections:
        child = section.child(each.type, each.name)
        if not child.visits:
            child.visits.extend(each.visits or (visit,))
        _merge(child, each, visit)
