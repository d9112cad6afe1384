"""redis.conf is read as redis reads it: its quoting, its directives, what counts in the end."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import daemons
import pytest
from daemons import HERE
from hostfiles import sources
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.redis import DEFAULTS, PATH, RedisConfig, read_redis
from mailaudit.models.sources import Known, Missing, NotHere
from mailaudit.parsers.redis import LANGUAGE
from mailaudit.parsers.redis_directives import DIRECTIVES, size
from mailaudit.parsers.tree import Tree, gaps, nothing, render
from mailaudit.reports.masking import Mask
from mailaudit.text import Text

FIXTURE = (Path(__file__).parent / "fixtures/configs/redis/etc/redis/redis.conf").read_text()


def tree(chars: str) -> Tree:
    return LANGUAGE.parse(Text.of(PATH, chars), nothing)


def problems(chars: str) -> list[tuple[str, str]]:
    found = (statement.problem for statement in tree(chars).unread())
    return [(problem.message, problem.span.chars) for problem in found if problem is not None]


def config(chars: str, **more: str) -> RedisConfig:
    files = {PATH: chars, **{f"/etc/redis/{name}.conf": text for name, text in more.items()}}
    slot = read_redis(sources(files))
    assert isinstance(slot, Known)
    return slot.value


# Lines: each case was put to redis-server

ACCEPTED = [
    "port 6379",
    "PORT 6379",
    '  port\t"6379"  ',
    "# comment",
    "\t# comment",
    "bind 127.0.0.1 ::1",
    'bind "127.0.0.1 ::1"',
    "bind * -::*",
    'bind ""',
    "bind",
    "protected-mode YES",
    "loglevel Notice",
    "maxmemory 100mb",
    "maxmemory 1GB",
    "maxmemory 0",
    "maxmemory-clients 5%",
    "maxmemory-policy allkeys-lru",
    "unixsocketperm 0770",
    "save 900 1",
    "save 900 1 300 10",
    'save "900 1 300 10"',
    'save ""',
    "save",
    "appendonly no",
    "client-output-buffer-limit normal 0 0 0",
    "client-output-buffer-limit replica 256mb 64mb 60 pubsub 32mb 8mb 60",
    "notify-keyspace-events Ex",
    "notify-keyspace-events ''",
    "slave-read-only no",
    "hash-max-ziplist-entries 512",
    "list-max-ziplist-entries 1",
    "oom-score-adj-values 0 200 800",
    "shutdown-on-sigterm nosave now",
    "latency-tracking-info-percentiles 50 99 99.9",
    'requirepass "a\\x41 \\"b\\" c"',
    "requirepass 'it\\'s'",
    "requirepass a#b",
    "rename-command SHUTDOWN2 x".replace("SHUTDOWN2", "FLUSHALL"),
    "user reader on >s3cret ~cache:* +get",
    "lua-time-limit 5000",
    "slowlog-log-slower-than -1",
    "",
]
REFUSED = [
    ("port", "expected an argument after port, found the end of the line", "port"),
    ("port 65536", 'expected a number from 0 to 65535 after port, found "65536"', "65536"),
    ("port 06379", 'expected a number from 0 to 65535 after port, found "06379"', "06379"),
    ("port 1 2", 'expected the end of the line after port, found "2"', "2"),
    ("port 6379 # as ever", "a comment must stand on a line of its own", "# as ever"),
    ("protected-mode maybe", 'expected yes or no after protected-mode, found "maybe"', "maybe"),
    ("protcted-mode no", 'redis knows no directive "protcted-mode"; protected-mode is meant', "protcted-mode"),
    ("frobnicate 1", 'redis knows no directive "frobnicate"', "frobnicate"),
    ('requirepass "open', "a quote is not closed, or something follows the closing one", '"open'),
    ('requirepass "a"b', "a quote is not closed, or something follows the closing one", '"a"b'),
    ("requirepass it's", "a quote is not closed, or something follows the closing one", "it's"),
    ("maxmemory 1tb", 'expected a size such as 64mb after maxmemory, found "1tb"', "1tb"),
    ("maxmemory -1", 'expected a size such as 64mb after maxmemory, found "-1"', "-1"),
    ("maxmemory-policy lru", "expected volatile-lru, volatile-lfu,", "lru"),
    ("unixsocketperm 999", 'expected a mode in octal (0-777) after unixsocketperm, found "999"', "999"),
    ("save 900", 'expected a number of changes after save, found "900"', "save"),
    ("save 0 1", 'expected a number of seconds after save, found "0"', "0"),
    ("save 900 x", 'expected a number of changes after save, found "x"', "x"),
    ("client-output-buffer-limit normal 0 0", "expected a class, a hard limit, a soft", "client-output-buffer-limit"),
    ("client-output-buffer-limit odd 0 0 0", "expected normal, replica, slave", "odd"),
    ("oom-score-adj-values 1 2", 'expected three numbers after oom-score-adj-values, found "1 2"', "oom-score-adj-values"),
    ("notify-keyspace-events 3", 'expected event classes after notify-keyspace-events, found "3"', "3"),
    ("databases 0", 'expected a number from 1 on after databases, found "0"', "0"),
    ("replicaof host", 'expected a host and a port after replicaof, found "host"', "replicaof"),
    ("sentinel monitor a b 1 2", "sentinel directives are for redis-sentinel alone", "sentinel"),
    ("include", "expected an argument after include, found the end of the line", "include"),
]  # fmt: skip


@pytest.mark.parametrize("chars", ACCEPTED)
def test_what_redis_takes_is_read(chars: str) -> None:
    assert not problems(chars + "\n")


@pytest.mark.parametrize(("chars", "message", "place"), REFUSED)
def test_what_redis_refuses_is_told_at_its_word(chars: str, message: str, place: str) -> None:
    [(said, where)] = problems(chars + "\n")
    assert said.startswith(message)
    assert where == place


# The server itself


def ask(folder: Path, chars: str) -> dict[str, str] | None:
    """What counts by a file, as the server says; None if it refuses the file. The server ends before this returns."""
    file, path = folder / "redis.conf", folder / "s"
    file.write_bytes(chars.encode("utf-8", "surrogateescape"))
    ours = [
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--dir",
        str(folder),
        "--daemonize",
        "no",
        "--logfile",
        "",
        "--appendonly",
        "no",
    ]
    with subprocess.Popen(["redis-server", str(file), *ours], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(1000):
                if server.poll() is not None:
                    return None
                with suppress(FileNotFoundError, ConnectionRefusedError):  # it does not listen yet
                    return everything(path)
                time.sleep(0.005)
        finally:
            server.kill()
            server.wait()
            path.unlink(missing_ok=True)
    raise AssertionError("the server neither ended nor listened")


def everything(path: Path) -> dict[str, str]:
    """The answer to `CONFIG GET *`; nothing if a password is asked for or the command is renamed."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        line.sendall(b"CONFIG GET *\r\n")
        with line.makefile("rb") as answers:
            first = answers.readline()
            if not first.startswith(b"*"):
                return {}
            words = []
            for _ in range(int(first[1:])):
                length = int(answers.readline()[1:])
                words.append(answers.read(length + 2)[:-2].decode("utf-8", "surrogateescape"))
    return dict(zip(words[::2], words[1::2], strict=True))


@pytest.mark.daemon
@pytest.mark.parametrize("chars", [*ACCEPTED, *(chars for chars, _, _ in REFUSED)])
def test_redis_says_the_same(chars: str, tmp_path: Path) -> None:
    daemons.need(HERE, "redis-server")
    assert (ask(tmp_path, chars + "\n") is not None) == (not problems(chars + "\n"))


@pytest.mark.daemon
def test_what_counts_is_what_redis_says(tmp_path: Path) -> None:
    daemons.need(HERE, "redis-server")
    chars = "\n".join(line for line in FIXTURE.splitlines() if line.split(" ")[0] not in ("rename-command", "requirepass", "dir"))
    chars += "\nmaxmemory 512mb\nsave 60 1\nloglevel verbose\nbind 127.0.0.1\n"
    said = ask(tmp_path, chars)
    assert said
    found = config(chars)
    for name in (
        "bind",
        "save",
        "maxmemory-policy",
        "protected-mode",
        "appendfsync",
        "databases",
        "dbfilename",
        "replica-read-only",
        "loglevel",
    ):
        assert found.value(name) == said[name], name
    assert str(found.most_memory) == said["maxmemory"]


@pytest.mark.daemon
def test_defaults_are_those_of_redis(tmp_path: Path) -> None:
    daemons.need(HERE, "redis-server")
    said = ask(tmp_path, "")
    assert said
    overridden = {"port", "unixsocket", "dir"}
    assert {name: said[name] for name in DEFAULTS if name not in overridden} == {
        name: value for name, value in DEFAULTS.items() if name not in overridden
    }


@pytest.mark.daemon
def test_redis_agrees_on_spoilt_files(tmp_path: Path) -> None:
    """Seeded mutants of single directives: taken and refused alike."""
    daemons.need(HERE, "redis-server")
    rng = random.Random(9)
    marks = [" ", '"', "'", "\\", "#", "0", "-", "x", "\t", "mb", "\\x", " #", "no", '""']
    lines = [line for line in (*FIXTURE.splitlines(), *ACCEPTED) if line and not line.startswith(("dir", "rename", "user", "#"))]
    for _ in range(60):
        line = rng.choice(lines)
        at = rng.randrange(len(line) + 1)
        mutant = line[:at] + rng.choice((*marks, "")) + line[at + rng.choice((0, 0, 1)) :] + "\n"
        assert (ask(tmp_path, mutant) is not None) == (not problems(mutant)), mutant


@pytest.mark.daemon
def test_every_directive_of_the_server_is_known(tmp_path: Path) -> None:
    daemons.need(HERE, "redis-server")
    said = ask(tmp_path, "")
    assert said
    assert not set(said) - set(DIRECTIVES)


# The tree


def test_quoting() -> None:
    [statement] = tree(r"""requirepass "a\x41\n\"\'\\" """ + "\n").statements
    assert statement.node.leaves()[1].value == "aA\n\"'\\"
    [statement] = tree("user x 'it\\'s' ab\"c d\"\n").statements
    assert [token.value for token in statement.node.leaves()[1:]] == ["x", "it's", "abc d"]


def test_half_a_character_in_hexadecimal_is_kept() -> None:
    [statement] = tree('requirepass "\\xc3\\xa9\\xff"\n').statements
    assert statement.node.leaves()[1].value == "é\udcff"


def test_a_comment_behind_a_directive_is_refused_and_read_past() -> None:
    [statement] = tree("port 6379 # as ever\n").statements
    assert statement.problem is not None
    assert (statement.problem.mend, [token.value for token in statement.node.leaves()]) == ("", ["port", "6379"])


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["port ", "requirepass ", '"', "'", "\\", "\\x4", "#", "\n", " ", "\r", "\v", "save ", "0", "include "]
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
        for position, token in enumerate(setting.arguments):
            again = config(FIXTURE[: token.start] + f'"{token.value.upper()}"' + FIXTURE[token.end :].replace('\\"', ""))
            if len(again.settings) == len(config(FIXTURE).settings) and '"' not in token.value:
                assert again.settings[number].arguments[position].value == token.value.upper()


# The model


def test_the_last_statement_counts_but_where_they_add_up() -> None:
    found = config("port 1\nport 2\nsave 900 1\nsave 300 10\nbind 127.0.0.1\nbind ::1\nslave-read-only no\n")
    assert found.port == 2
    assert found.value("save") == "900 1 300 10"
    assert found.addresses == ("::1",)
    assert found.value("replica-read-only") == "no"
    assert config('save 900 1\nsave ""\n').value("save") == ""
    place = found.place("port")
    assert place is not None
    assert place.line == 2


def test_includes_stand_in_their_place() -> None:
    found = config("port 1\ninclude /etc/redis/more.conf\nloglevel notice\n", more="port 2\nloglevel debug\n")
    assert found.port == 2
    assert found.value("loglevel") == "notice"
    assert [tree.text.path for tree in found.trees] == [PATH, "/etc/redis/more.conf"]


def test_an_include_that_is_not_there_is_refused_but_a_pattern_is_not() -> None:
    assert [problem.message for problem in config("include /etc/redis/no.conf\n").refusals] == ["/etc/redis/no.conf is not there"]
    assert not config("include /etc/redis/no*.conf\n").refusals
    assert config("include no.conf\n").not_read  # relative to where redis was started


@pytest.mark.parametrize(
    ("chars", "loopback", "protected"),
    [
        ("", False, True),
        ("bind 127.0.0.1 -::1\n", True, True),
        ("bind localhost\n", True, True),
        ("bind 203.0.113.9 127.0.0.1\nprotected-mode no\n", False, False),
        ("protected-mode no\nrequirepass long\n", False, True),
        ("port 0\n", True, True),
        ("port 0\ntls-port 6380\n", False, True),
        ('bind ""\n', True, True),
    ],
)
def test_who_can_reach_it(chars: str, loopback: bool, protected: bool) -> None:
    found = config(chars)
    assert (found.only_loopback, found.protected) == (loopback, protected)


def test_socket_and_memory() -> None:
    found = config(FIXTURE)
    assert found.socket is not None
    assert (found.socket.value, found.most_memory) == ("/var/run/redis/redis.sock", 256 * 2**20)
    assert [size(each) for each in ("1k", "1kb", "10", "2G", "x")] == [1000, 1024, 10, 2 * 10**9, None]


def test_passwords_are_masked_however_they_are_written() -> None:
    chars = 'requirepass "a\\x41 long \\"secret\\""\nuser reader on >s3cretword ~x\nmasterauth other words here\n'
    chars += "primaryauth hunter2hunter\n"
    found = config(chars)
    shown = Mask(found.secrets)(chars)
    for secret in ("long", "secret", "s3cretword", "other", "words", "hunter2hunter"):
        assert secret not in shown, shown


def test_without_the_file() -> None:
    assert isinstance(read_redis(sources({})), NotHere | Missing)
