"""Rules about how people become root, and how they log in from outside."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.host.users import humans, in_wheel
from mailaudit.checks.modes import OTHERS_WRITE
from mailaudit.checks.registry import rule
from mailaudit.editing import doas as write
from mailaudit.editing import sshd as write_sshd
from mailaudit.edits import Fix, Safety, create
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import Accounts
from mailaudit.models.doas import PATH, DoasConfig, Rule, who
from mailaudit.models.files import Files
from mailaudit.models.shells import Shells
from mailaudit.models.sources import Missing
from mailaudit.models.sshd import DEFAULTS, Setting, SshdConfig
from mailaudit.models.system import TYPED
from mailaudit.questions import Command, Failed, Reason, Stat

PERMIT = "permit persist :wheel"
SUDOERS = "/etc/sudoers"
ROOT_LOGIN = frozenset({"no", "prohibit-password", "forced-commands-only"})


@rule("HOST013")
def somebody_may_become_root(doas: DoasConfig | Missing, accounts: Accounts, shells: Shells, files: Files) -> Iterator[Outcome]:
    """doas.conf lets one of the people in wheel run commands as root."""
    people = [user.name.value for user in humans(accounts, shells) if in_wheel(accounts, user)]
    if isinstance(files.stat(SUDOERS), Stat):
        yield Exempt(f"sudo is set up here, and its {SUDOERS} is not judged")
    elif not people:
        yield Exempt("no person in group wheel has an account here")
    elif isinstance(doas, Missing):
        fix = Fix("Write a doas.conf", Safety.UNSAFE, (create(PATH, f"{PERMIT}\n"),), (f"chmod 0600 {PATH}",))
        yield Finding("There is no doas.conf: to do anything one has to log in as root.", (Place.whole(PATH),), fix, "missing")
    else:
        found = [doas.decide(who(accounts, name)) for name in people]
        if any(each.permitted for each in found):
            return
        if doas.refusals:
            yield Exempt("doas refuses its file, which HOST075 tells, and what is right of it lets nobody become root")
            return
        if any(each.permitted is None for each in found):
            yield Doubt(Reason.NOT_RECORDED, "Whom doas.conf lets become root depends on groups that were not recorded.")
            return
        denies = next((each.rule for each in found if each.rule is not None), None)
        tree = doas.trees[0]
        yield Finding(
            f"doas.conf lets none of the people in wheel ({', '.join(people)}) run a command as root.",
            (Place.at(denies.span) if denies is not None else Place.whole(tree.text),),
            Fix(f"Add: {PERMIT}", Safety.UNSAFE, write.add(tree, PERMIT) or ()),
            "wheel",
            absence=True,
        )


@rule("HOST014")
def doas_conf_is_closed(doas: DoasConfig) -> Iterator[Outcome]:
    """doas.conf is root's own, and no rule gives root away without a password."""
    yield from (_gives_away(rule_) for rule_ in doas.rules if _is_open(rule_, doas.rules))
    stat = doas.metadata
    if not isinstance(stat, Stat) or stat.mode is None or stat.owner is None:
        reason = stat.reason if isinstance(stat, Failed) else Reason.NOT_RECORDED
        yield Doubt(reason, f"Owner and mode of {PATH} were not recorded.")
    elif stat.owner != "root" or stat.mode & OTHERS_WRITE:
        yield Finding(
            f"{PATH} can be written by others than root (mode {stat.mode:04o}, owner {stat.owner}): whoever writes it is root.",
            (Evidence(f"stat {PATH}", f"{stat.mode:04o} {stat.owner}:{stat.group}"),),
            Fix("Give it to root alone", Safety.UNSAFE, commands=(f"chown root:wheel {PATH}", f"chmod 0600 {PATH}")),
            "mode",
            f"{stat.owner} {stat.mode & OTHERS_WRITE:o}",
        )


def _is_open(rule_: Rule, rules: tuple[Rule, ...]) -> bool:
    """True for a rule that lets others than root run anything as root without a password, and that no later one takes back."""
    if not rule_.permits or rule_.option("nopass") is None or rule_.command is not None:
        return False
    if rule_.identity.value in ("root", "0") or (rule_.target is not None and rule_.target.value not in ("root", "0")):
        return False
    later = rules[rules.index(rule_) + 1 :]
    same = (each for each in later if each.identity.value == rule_.identity.value)
    return not any(each.command is None and (each.target is None or rule_.target is not None) for each in same)


def _gives_away(rule_: Rule) -> Finding:
    whom = f"everyone in group {rule_.group}" if rule_.group else rule_.identity.value
    option = rule_.option("nopass")
    assert option is not None
    return Finding(
        f"This lets {whom} run anything as root without a password.",
        (Place.at(option.span),),
        Fix("Ask for the password", Safety.UNSAFE, write.remove_option(rule_.statement, "nopass") or ()),
        "nopass",
        rule_.identity.value,
    )


def _value(sshd: SshdConfig, name: str) -> str | None:
    """A setting for every login: by the file where it was read whole, else as `sshd -T` said; None where neither is known."""
    if sshd.trees and not sshd.not_read:
        return (" ".join(setting.value for setting in sshd.written(name)) or DEFAULTS.get(name, "any")).lower()
    found = sshd.recorded.get(name)
    return None if found is None else " ".join(found).lower().replace("without-password", "prohibit-password")


def _place(sshd: SshdConfig, name: str) -> Place | Evidence:
    if sshd.trees and not sshd.not_read:
        span = sshd.place(name)
        return Place.whole(sshd.trees[0].text) if span is None else Place.at(span)
    return Evidence(TYPED[Command.SSHD], f"{name} {' '.join(sshd.recorded[name])}")


def _write(sshd: SshdConfig, name: str, value: str) -> Fix:
    place = sshd.place(name)
    tree = next((tree for tree in sshd.trees if place is not None and tree.text.path == place.path), None)
    tree = tree or next(iter(sshd.trees), None)
    edits = (write_sshd.set_keyword(tree, name, value) or ()) if tree is not None else ()
    title = f"Set {name} {value}; first see that you can log in with a key"
    return Fix(title, Safety.UNSAFE, edits, ("sshd -t", "rcctl reload sshd"))


def _exceptions(sshd: SshdConfig, name: str, good: frozenset[str]) -> Iterator[Setting]:
    """What a Match block allows to logins from anywhere; one for some addresses is meant."""
    for setting in sshd.exceptions(name):
        words = [token.value.lower() for block in setting.within for token in block.tokens]
        narrowed = any(word.partition("=")[0] in ("address", "localaddress", "localport") for word in words)
        value = setting.value.lower()
        if not narrowed and (value if value != "without-password" else "prohibit-password") not in good:
            yield setting


def _off(sshd: SshdConfig, name: str, good: frozenset[str], what: str) -> Iterator[Outcome]:
    """A finding where a setting lets in what it should not, for all logins or for some."""
    value = _value(sshd, name)
    if value is None:
        yield Doubt(Reason.NOT_RECORDED, f"What sshd does about {name} was not recorded.")
    elif value not in good:
        yield Finding(f"{what} ({name} {value}).", (_place(sshd, name),), _write(sshd, name, "no"), name, value)
    for setting in _exceptions(sshd, name, good):
        yield Finding(f"{what}, in this Match block.", (Place.at(setting.span),), None, f"{name} in Match", setting.value.lower())


@rule("HOST015")
def root_does_not_log_in(sshd: SshdConfig) -> Iterator[Outcome]:
    """Root cannot log in from outside with a password."""
    yield from _off(sshd, "permitrootlogin", ROOT_LOGIN, "Root can log in over SSH with a password")


@rule("HOST016")
def passwords_do_not_open_ssh(sshd: SshdConfig) -> Iterator[Outcome]:
    """Nobody can log in from outside with a password."""
    methods = (_value(sshd, "authenticationmethods") or "any").split()
    if all("publickey" in each.split(",") for each in methods):
        return  # whatever else is asked for, a key is too
    no = frozenset({"no"})
    yield from _off(sshd, "passwordauthentication", no, "SSH takes passwords, which are guessed all day long")
    yield from _off(
        sshd, "kbdinteractiveauthentication", no, "SSH asks for a password by keyboard-interactive, the other way to take one"
    )
