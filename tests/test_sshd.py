"""sshd_config is read as sshd reads it: what it refuses, and what counts in the end."""

from __future__ import annotations

import os
import random
from pathlib import Path

import daemons
import pytest
from daemons import HERE
from hostfiles import sources
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.sshd import DEFAULTS, PATH, SshdConfig, read_sshd
from mailaudit.parsers.sshd import LANGUAGE
from mailaudit.parsers.sshd_keywords import KEYWORDS
from mailaudit.parsers.tree import Tree, gaps, nothing, render
from mailaudit.questions import Command
from mailaudit.text import Text

FIXTURES = Path(__file__).parent / "fixtures/configs/sshd/etc/ssh"
FIXTURE = (FIXTURES / "sshd_config").read_text()
NEWER = {"persourcepenalties", "persourcepenaltyexemptlist", "refuseconnection", "sshdsessionpath", "sshdauthpath"}
"""Keywords that Debian 12's sshd does not know yet."""


def tree(chars: str) -> Tree:
    return LANGUAGE.parse(Text.of(PATH, chars), nothing)


def problems(chars: str) -> list[tuple[str, str]]:
    found = (statement.problem for statement in tree(chars).unread())
    return [(problem.message, problem.span.chars) for problem in found if problem is not None]


def config(chars: str, recorded: str | None = None, **more: str) -> SshdConfig:
    files = {PATH: chars, **{f"/etc/ssh/{name}": text for name, text in more.items()}}
    return read_sshd(sources(files, {} if recorded is None else {Command.SSHD: (0, recorded)}))


# Lines: each case was put to sshd -T

ACCEPTED = [
    "Port 22",
    "port = 22",
    "PORT=22",
    '"Port" 22',
    "  Port\t22  # comment",
    "Port 22 \f",
    "\r",
    "# comment",
    "Banner 'a b'",
    'Banner "a b"',
    "Banner a\\ b",
    'ForceCommand echo "a # b"',
    "AllowUsers a b@c",
    "Protocol 1",
    "RSAAuthentication whatever it is",
    "ChallengeResponseAuthentication no",
    "PermitRootLogin without-password",
    "PermitRootLogin FORCED-COMMANDS-ONLY",
    "MaxStartups 10:30:60",
    "MaxStartups 10",
    "LoginGraceTime 1h30m",
    "LoginGraceTime 0",
    "ListenAddress 127.0.0.1:2200",
    "ListenAddress [::1]:2200",
    "ListenAddress ::1",
    "RekeyLimit 1G 1h",
    "RekeyLimit default none",
    "IPQoS af21 cs1",
    "IPQoS none",
    "SetEnv A=b C=d",
    "AcceptEnv LANG LC_*",
    "Ciphers +aes256-cbc",
    "Ciphers -foo",
    "MACs hmac-sha2-256-etm@openssh.com",
    "KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256",
    "StreamLocalBindMask 0177",
    "PermitTunnel point-to-point",
    "PubkeyAuthOptions touch-required verify-required",
    "AuthorizedKeysCommand /usr/bin/true %u %k\nAuthorizedKeysCommandUser nobody",
    "AuthorizedKeysCommand none",
    "Subsystem sftp internal-sftp -l INFO",
    "Match all\nPort 22",
    "Match User a,b Group c\nX11Forwarding no",
    "Match user=a\nX11Forwarding no",
    "Match LocalPort 22 Address 10.0.0.0/8,!10.1.0.0/16\nPasswordAuthentication no",
    "Match User a\nInclude /nowhere/*.conf",
    "Include nowhere",
    "PerSourceNetBlockSize 24:64",
    "UnusedConnectionTimeout none",
    "ChannelTimeout session=5m agent-connection=1h",
    "AddressFamily inet6",
    "GatewayPorts clientspecified",
    "Compression delayed",
    "FingerprintHash MD5",
    "SyslogFacility LOCAL7",
    "LogLevel debug3",
    "",
]
REFUSED = [
    ("Port", 'expected an argument after "Port", found the end of the line', "Port"),
    ("Port # 22", "expected a port after Port, found the end of the line", "Port"),
    ("Port 0", 'expected a port (1-65535) after Port, found "0"', "0"),
    ("Port 65536", 'expected a port (1-65535) after Port, found "65536"', "65536"),
    ("Port 22 23", 'expected the end of the line after Port, found "23"', "23"),
    ("PermitRootLogin maybe", "expected yes, no, prohibit-password, ", "maybe"),
    ("PasswordAuthentication on", 'expected yes or no after PasswordAuthentication, found "on"', "on"),
    ("PermitRootLogn no", 'sshd knows no keyword "PermitRootLogn"; PermitRootLogin is meant', "PermitRootLogn"),
    ("Frobnicate 1", 'sshd knows no keyword "Frobnicate"', "Frobnicate"),
    ('Banner "a b', "a quote is not closed", '"a b'),
    ("ForceCommand it's", "a quote is not closed", "it's"),
    ("LoginGraceTime soon", 'expected a time such as 120 or 2m after LoginGraceTime, found "soon"', "soon"),
    ("MaxAuthTries six", 'expected a number after MaxAuthTries, found "six"', "six"),
    ("MaxStartups 60:30:10", "expected start:rate:full with a rate from 1 to 100", "60:30:10"),
    ("MaxStartups 0", 'expected a number above 0 after MaxStartups, found "0"', "0"),
    ("ListenAddress [::1", 'expected an address, address:port or [address]:port after ListenAddress, found "[::1"', "[::1"),
    ("ListenAddress 127.0.0.1:0", "expected an address, address:port", "127.0.0.1:0"),
    ("ListenAddress 127.0.0.1 x", 'expected "rdomain" or the end of the line after ListenAddress, found "x"', "x"),
    ("Ciphers aes256-ctr,rot13", 'expected ciphers that sshd knows (it does not know "rot13")', "aes256-ctr,rot13"),
    ("Subsystem sftp", "expected a command after the subsystem's name after Subsystem, found the end of the line", "Subsystem"),
    ("AcceptEnv A=b", 'expected a variable without "=" after AcceptEnv, found "A=b"', "A=b"),
    ("SetEnv A", 'expected NAME=value after SetEnv, found "A"', "A"),
    ('AllowUsers ""', 'expected an argument that is not empty after AllowUsers, found """"', '""'),
    ("AuthorizedKeysCommand bin/x", 'expected a command by its absolute path, or "none"', "bin/x"),
    ("StreamLocalBindMask 888", 'expected an octal mode after StreamLocalBindMask, found "888"', "888"),
    ("Match User a\nPort 22", "Port is not allowed within a Match block", "Port"),
    ("Match", 'expected an argument after "Match", found the end of the line', "Match"),
    ("Match User", 'expected an argument after "User", found the end of the line', "User"),
    ("Match Usr a", "expected one of user, group, host, address", "Usr"),
    ("Match all User a", '"all" cannot be combined with other criteria', "all"),
    ("Match Address 10.0.0.1/8", "expected a network whose address has no bits beyond its mask", "Address"),
    ("Match Address a,,b", "expected an address, a network or a pattern", "Address"),
    ("Match LocalPort x", 'expected a port after "localport", found "x"', "LocalPort"),
]  # fmt: skip


@pytest.mark.parametrize("chars", ACCEPTED)
def test_what_sshd_takes_is_read(chars: str) -> None:
    assert not problems(chars + "\n")


@pytest.mark.parametrize(("chars", "message", "place"), REFUSED)
def test_what_sshd_refuses_is_told_at_its_word(chars: str, message: str, place: str) -> None:
    [(said, where)] = problems(chars + "\n")
    assert said.startswith(message)
    assert where == place


def test_what_other_systems_have_is_refused() -> None:
    assert problems("UsePAM yes\n") == [("OpenBSD's sshd knows no UsePAM; it belongs to PAM", "UsePAM")]


# The daemon itself


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a host key. sshd's own empty folder is made as its start script makes it, and stays: others may use it."""
    daemons.need(HERE, "sshd")
    daemons.need(HERE, "ssh-keygen")
    if os.getuid():
        pytest.skip("sshd tests its configuration for root alone")
    folder = tmp_path_factory.mktemp("sshd")
    HERE.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return folder


def takes(folder: Path, chars: str) -> bool:
    """Whether sshd takes a file."""
    file = folder / "sshd_config"
    file.write_bytes(chars.encode("utf-8", "surrogateescape"))
    return HERE.run("/usr/sbin/sshd", "-t", "-h", str(folder / "key"), "-f", str(file)).returncode == 0


def says(folder: Path) -> dict[str, list[str]]:
    """What counts by the file that sshd took."""
    done = HERE.run("/usr/sbin/sshd", "-T", "-h", str(folder / "key"), "-f", str(folder / "sshd_config"))
    said: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        said.setdefault(name, []).append(value)
    return said


@pytest.mark.daemon
@pytest.mark.parametrize("chars", [*ACCEPTED, *(chars for chars, _, _ in REFUSED)])
def test_sshd_says_the_same(chars: str, sshd: Path) -> None:
    assert takes(sshd, chars + "\n") == (not problems(chars + "\n"))


def values(found: SshdConfig, name: str) -> str:
    return (found.value(name) or "").lower().replace("prohibit-password", "without-password")


@pytest.mark.daemon
def test_what_counts_is_what_sshd_says(sshd: Path) -> None:
    chars = FIXTURE.replace("Include", "#Include").replace("ListenAddress", "#ListenAddress")
    assert takes(sshd, chars)
    said = says(sshd)
    found = config(chars)
    assert [str(port) for port in found.ports] == said["port"]
    for name in DEFAULTS:
        if name not in ("logingracetime", "usedns", "clientaliveinterval"):
            assert values(found, name) == " ".join(said[name]).lower(), name
    assert [word for setting in found.written("allowusers") for word in (t.value for t in setting.arguments)] == said[
        "allowusers"
    ]


@pytest.mark.daemon
def test_flags_and_defaults_of_random_files_are_sshds(sshd: Path) -> None:
    """The first statement counts, Match blocks aside; random spellings of keyword and value."""
    rng = random.Random(7)
    flags = [name for name, keyword in KEYWORDS.items() if keyword.shape == "yes|no" and name not in NEWER]
    for _ in range(40):
        lines: list[str] = []
        for _ in range(rng.randrange(1, 8)):
            name = rng.choice(flags)
            written = rng.choice((KEYWORDS[name].name, name, name.upper()))
            lines.append(
                f"{written}{rng.choice((' ', ' = ', '=', chr(9)))}{rng.choice(('yes', 'no', 'YES', chr(34) + 'no' + chr(34)))}"
            )
            if rng.random() < 0.15:
                lines.append(rng.choice(("Match User nobody-here", "Match all")))
        chars = "\n".join(lines) + "\n"
        taken = takes(sshd, chars)
        assert taken == (not problems(chars)), chars
        if taken:
            said = says(sshd)
            found = config(chars)
            for name in {KEYWORDS[each].name.lower() for each in flags}:
                if name in said and found.value(name) is not None:
                    assert values(found, name) == said[name][0], (name, chars)


@pytest.mark.daemon
def test_sshd_agrees_on_spoilt_files(sshd: Path) -> None:
    """Seeded mutants of the fixture, a word or a mark put in or cut out: taken and refused alike."""
    rng = random.Random(8)
    base = FIXTURE.replace("Include", "#Include").replace("ListenAddress", "#ListenAddress")
    marks = [" ", '"', "'", "=", "#", "\\", "\n", "no", "yes", "\t", "Match all\n", "Port 22\n", "x", "0", ":", ","]
    for _ in range(120):
        at = rng.randrange(len(base))
        mutant = base[:at] + rng.choice((*marks, "")) + base[at + rng.choice((0, 0, 1, 3)) :]
        assert takes(sshd, mutant) == (not problems(mutant)), mutant[max(at - 30, 0) : at + 30]


# The tree


def test_blocks_hold_what_stands_below_them() -> None:
    statements = tree(FIXTURE).statements
    blocks = [statement for statement in statements if statement.kind == "match"]
    assert [len(block.body) for block in blocks] == [3, 1]
    [criteria] = [[[t.value for t in each.leaves()] for each in block.node.nodes("criterion")] for block in blocks[:1]]
    assert criteria == [["User", "backup,back up"], ["Address", "203.0.113.0/24"]]
    assert [s.kind for s in statements][:4] == ["include", "setting", "setting", "setting"]


def test_a_refused_match_line_is_a_block_all_the_same() -> None:
    found = config("Match Usr a\n PasswordAuthentication yes\nMatch User b\n PasswordAuthentication yes\n")
    assert found.settings == ()
    assert [setting.span.line for setting in found.conditional] == [4]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["Match ", "all\n", "Port ", "22", "=", '"', "'", "\\", "#", "\n", " ", "\r", "\f", "User a", "Include x\n"]
            ),
            st.text(max_size=3),
        )
    )
)
def test_any_text_comes_back(parts: list[str]) -> None:
    data = "".join(parts).encode("utf-8", "surrogatepass")
    read = LANGUAGE.parse(Text(PATH, data), nothing)
    assert render(read) == data
    assert all(LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(read))


def test_every_value_is_its_written_characters() -> None:
    """Law 5: an argument put in its place is that argument when the file is read again."""
    for number, setting in enumerate(config(FIXTURE).settings):
        for token in setting.arguments:
            other = token.value.upper() if token.value.upper() != token.value else token.value
            again = config(FIXTURE[: token.start] + f'"{other}"' + FIXTURE[token.end :])
            if len(again.settings) > number:
                assert other in [each.value for each in again.settings[number].arguments] or setting.name == "ciphers"


# The model


def test_the_first_statement_counts_and_includes_stand_in_their_place() -> None:
    found = read_sshd(
        sources(
            {
                PATH: "Include sshd_config.d/*.conf\nPasswordAuthentication yes\nPermitRootLogin no\n",
                "/etc/ssh/sshd_config.d/1.conf": "PasswordAuthentication no\nMatch User a\nPermitRootLogin yes\n",
                "/etc/ssh/sshd_config.d/2.conf": "PermitRootLogin prohibit-password\n",
            }
        )
    )
    assert not found.is_on("PasswordAuthentication")
    assert found.value("permitrootlogin") == "prohibit-password"  # the block ends with its file
    place = found.place("passwordauthentication")
    assert place is not None
    assert place.path == "/etc/ssh/sshd_config.d/1.conf"
    assert [(setting.value, setting.within[0].node.first.value) for setting in found.exceptions("PermitRootLogin")] == [
        ("yes", "match")
    ]


def test_match_all_takes_the_place_of_what_stands_above() -> None:
    found = config("PasswordAuthentication no\nLoginGraceTime 60\nMatch all\nPasswordAuthentication yes\nLoginGraceTime 90\n")
    assert found.is_on("passwordauthentication")
    assert found.value("logingracetime") == "60"
    assert not found.conditional


def test_defaults_and_aliases() -> None:
    found = config("ChallengeResponseAuthentication no\nPermitRootLogin without-password\n")
    assert not found.is_on("KbdInteractiveAuthentication")
    assert found.value("permitrootlogin") == "prohibit-password"
    assert found.is_on("passwordauthentication")
    assert found.value("Banner") is None


def test_what_sshd_t_said_counts() -> None:
    found = config("PasswordAuthentication yes\nPort 22\n", "port 2222\npasswordauthentication no\nlistenaddress [::]:2222\n")
    assert found.ports == (2222,)
    assert not found.is_on("passwordauthentication")


@pytest.mark.parametrize(
    ("chars", "ports"),
    [
        ("", (22,)),
        ("Port 2222\nPort 22\n", (2222, 22)),
        ("Port ssh\n", (22,)),
        ("Port 2222\nListenAddress 203.0.113.9:22\n", (22,)),
        ("Port 2222\nListenAddress 203.0.113.9:22\nListenAddress ::1\n", (22, 2222)),
        ("ListenAddress [2001:db8::9]:2200\n", (2200,)),
        ("Match all\nPort 2222\n", (2222,)),
    ],
)
def test_ports(chars: str, ports: tuple[int, ...]) -> None:
    assert config(chars).ports == ports


def test_without_any_evidence_port_22_is_assumed() -> None:
    found = read_sshd(sources({}))
    assert found.ports == (22,)
    assert found.assumed


def test_a_file_that_includes_itself_ends() -> None:
    found = config("Include sshd_config\nInclude sshd_config\nPort 2222\n")
    assert found.ports == (2222,)
    assert found.refusals
