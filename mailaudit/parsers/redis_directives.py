"""The directives of redis.conf (redis 6.2 to 8.0 and valkey 8.1, config.c): what each takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

_FLAGS = """
activedefrag activerehashing always-show-logo aof-disable-auto-gc aof-load-truncated aof-rewrite-incremental-fsync
aof-timestamp-enabled aof-use-rdb-preamble appendonly cluster-allow-pubsubshard-when-down cluster-allow-reads-when-down
cluster-allow-replica-migration cluster-enabled cluster-replica-no-failover cluster-require-full-coverage
cluster-slot-stats-enabled crash-log-enabled crash-memcheck-enabled daemonize disable-thp dual-channel-replication-enabled
dynamic-hz enable-debug-assert extended-redis-compatibility hide-user-data-from-log import-mode io-threads-do-reads
jemalloc-bg-thread latency-tracking lazyfree-lazy-eviction lazyfree-lazy-expire lazyfree-lazy-server-del
lazyfree-lazy-user-del lazyfree-lazy-user-flush lua-replicate-commands no-appendfsync-on-rewrite protected-mode
rdb-del-sync-files rdb-save-incremental-fsync rdbchecksum rdbcompression repl-disable-tcp-nodelay repl-diskless-sync
repl-rdb-channel replica-announced replica-ignore-disk-write-errors replica-ignore-maxmemory replica-lazy-flush
replica-read-only replica-serve-stale-data set-proc-title stop-writes-on-bgsave-error syslog-enabled tls-cluster
tls-prefer-server-ciphers tls-replication tls-session-caching use-exit-on-panic
"""
_STRINGS = """
aclfile aof-rewrite-cpulist appenddirname appendfilename availability-zone bgsave-cpulist bind-source-addr bio-cpulist
cluster-announce-client-ipv4 cluster-announce-client-ipv6 cluster-announce-hostname cluster-announce-human-nodename
cluster-announce-ip cluster-config-file dbfilename debug-context dir ignore-warnings locale-collate logfile masterauth
masteruser pidfile proc-title-template replica-announce-ip req-res-logfile requirepass server-cpulist syslog-ident
tls-ca-cert-dir tls-ca-cert-file tls-cert-file tls-ciphers tls-ciphersuites tls-client-cert-file tls-client-key-file
tls-client-key-file-pass tls-dh-params-file tls-key-file tls-key-file-pass tls-protocols unixsocket unixsocketgroup
"""
_CHOICES = """
acl-pubsub-default=allchannels|resetchannels appendfsync=everysec|always|no
cluster-preferred-endpoint-type=ip|hostname|unknown-endpoint enable-debug-command=no|yes|local
enable-module-command=no|yes|local enable-protected-configs=no|yes|local log-format=legacy|logfmt
log-timestamp-format=legacy|iso8601|milliseconds loglevel=debug|verbose|notice|warning|nothing
maxmemory-policy=volatile-lru|volatile-lfu|volatile-random|volatile-ttl|allkeys-lru|allkeys-lfu|allkeys-random|noeviction
oom-score-adj=no|yes|relative|absolute propagation-error-behavior=ignore|panic|panic-on-replicas
rdb-version-check=strict|relaxed repl-diskless-load=disabled|on-empty-db|swapdb|flush-before-load
sanitize-dump-payload=no|yes|clients supervised=upstart|systemd|auto|no
syslog-facility=user|local0|local1|local2|local3|local4|local5|local6|local7 tls-auth-clients=no|yes|optional
"""
# Name, and where it is not any number from 0 on, the lowest and the highest.
_NUMBERS = """
acllog-max-len active-defrag-cycle-max:1:99 active-defrag-cycle-min:1:99 active-defrag-cycle-us:0:100000
active-defrag-max-scan-fields:1 active-defrag-threshold-lower:0:1000 active-defrag-threshold-upper:0:1000
active-expire-effort:1:10 auto-aof-rewrite-percentage busy-reply-threshold client-default-resp:2:3
cluster-announce-bus-port:0:65535 cluster-announce-port:0:65535 cluster-announce-tls-port:0:65535 cluster-blacklist-ttl
cluster-compatibility-sample-ratio:0:100 cluster-manual-failover-timeout:1 cluster-migration-barrier cluster-node-timeout
cluster-ping-interval cluster-port:0:65535 cluster-replica-validity-factor commandlog-large-reply-max-len
commandlog-large-request-max-len commandlog-reply-larger-than:-1 commandlog-request-larger-than:-1 databases:1
events-per-io-thread hash-max-listpack-entries hz io-threads:1:128 key-load-delay:-2147483648 latency-monitor-threshold
lfu-decay-time lfu-log-factor list-compress-depth list-max-listpack-size:-2147483648 list-max-ziplist-entries
list-max-ziplist-value loading-process-events-interval-bytes:1024 max-new-connections-per-cycle:1:1000
max-new-tls-connections-per-cycle:1:1000 maxclients:1 maxmemory-eviction-tenacity:0:100 maxmemory-samples:1
min-replicas-max-lag min-replicas-to-write port:0:65535 prefetch-batch-max-size:0:128 rdb-key-save-delay:-2147483648
rdma-completion-vector:-1:1024 rdma-port:0:65535 rdma-rx-size:65536:16777216 repl-backlog-ttl repl-diskless-sync-delay
repl-diskless-sync-max-replicas repl-ping-replica-period:1 repl-timeout:1 replica-announce-port:0:65535 replica-priority
set-max-intset-entries set-max-listpack-entries set-max-listpack-value shutdown-timeout slowlog-log-slower-than:-1
slowlog-max-len socket-mark-id stream-node-max-entries tcp-backlog tcp-keepalive timeout tls-port:0:65535
tls-session-cache-size tls-session-cache-timeout tracking-table-max-keys watchdog-period zset-max-listpack-entries
"""
_SIZES = """
active-defrag-ignore-bytes auto-aof-rewrite-min-size client-query-buffer-limit cluster-link-sendbuf-limit
hash-max-listpack-value hll-sparse-max-bytes maxmemory maxmemory-clients proto-max-bulk-len repl-backlog-size
replica-full-sync-buffer-limit stream-node-max-bytes zset-max-listpack-value
"""
_ALIASES = """
aof_rewrite_cpulist=aof-rewrite-cpulist bgsave_cpulist=bgsave-cpulist bio_cpulist=bio-cpulist server_cpulist=server-cpulist
cluster-slave-no-failover=cluster-replica-no-failover cluster-slave-validity-factor=cluster-replica-validity-factor
commandlog-execution-slower-than=slowlog-log-slower-than commandlog-slow-execution-max-len=slowlog-max-len
hash-max-ziplist-entries=hash-max-listpack-entries hash-max-ziplist-value=hash-max-listpack-value
list-max-ziplist-size=list-max-listpack-size lua-time-limit=busy-reply-threshold min-slaves-max-lag=min-replicas-max-lag
min-slaves-to-write=min-replicas-to-write primaryauth=masterauth primaryuser=masteruser
repl-ping-slave-period=repl-ping-replica-period slave-announce-ip=replica-announce-ip
slave-announce-port=replica-announce-port slave-ignore-maxmemory=replica-ignore-maxmemory slave-lazy-flush=replica-lazy-flush
slave-priority=replica-priority slave-read-only=replica-read-only slave-serve-stale-data=replica-serve-stale-data
slaveof=replicaof zset-max-ziplist-entries=zset-max-listpack-entries zset-max-ziplist-value=zset-max-listpack-value
"""
SECRET = frozenset({"requirepass", "masterauth", "tls-key-file-pass", "tls-client-key-file-pass"})
_SHUTDOWN = ("default", "save", "nosave", "now", "force")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_SIZE = re.compile(r"(?P<number>[0-9]{0,127})(?P<unit>[kmg]?b?)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
_EVENTS = frozenset("Ag$lshzxeKEtmdnovc")

Fault = tuple[str, int | None] | None
"""What is expected, and the number of the argument that stands there instead; None for the number where one lacks."""
Check = Callable[[Sequence[str]], Fault]


def size(value: str) -> int | None:
    """The bytes of a size such as `64mb`, or None."""
    match = _SIZE.fullmatch(value)
    return None if match is None else int(match["number"] or "0") * _UNITS[match["unit"].lower()]


def _one(test: Callable[[str], str]) -> Check:
    """A check of a directive that takes one argument; `test` says what is expected instead of it, or nothing."""

    def check(values: Sequence[str]) -> Fault:
        if not values:
            return "an argument", None
        if len(values) > 1:
            return "the end of the line", 1
        expected = test(values[0])
        return (expected, 0) if expected else None

    return check


def _choice(choices: Sequence[str]) -> Callable[[str], str]:
    expected = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
    return lambda value: "" if value.lower() in choices else expected


def _number(low: int, high: int) -> Callable[[str], str]:
    expected = f"a number from {low} to {high}" if high < 2**63 - 1 else f"a number from {low} on" if low else "a number"

    def test(value: str) -> str:
        return "" if _INTEGER.fullmatch(value) and low <= int(value) <= high else expected

    return test


def _bytes(value: str) -> str:
    return "" if size(value) is not None else "a size such as 64mb"


def _share(value: str) -> str:
    return "" if re.fullmatch(r"[0-9]{1,2}%|100%", value) else _bytes(value) and "a size such as 64mb, or a percentage"


def _mode(value: str) -> str:
    return "" if re.fullmatch(r"0*[0-7]{1,3}", value) else "a mode in octal (0-777)"


def _events(value: str) -> str:
    return "" if set(value) <= _EVENTS else "event classes"


def _words(values: Sequence[str]) -> Sequence[str]:
    """The arguments of a directive that takes several, which may be one string as well."""
    return values[0].split() if len(values) == 1 else values


def _several(values: Sequence[str], at_least: int = 0) -> Fault:
    return ("an argument", None) if len(values) < at_least else None


def _bind(values: Sequence[str]) -> Fault:
    return ("16 addresses at most", 16) if len(_words(values)) > 16 else None


def _save(values: Sequence[str]) -> Fault:
    words = _words(values)
    for number, word in enumerate(words):
        if not re.fullmatch(r"[0-9]{1,100}", word) or (number % 2 == 0 and not int(word)):
            return "a number of changes" if number % 2 else "a number of seconds", number if len(words) == len(values) else 0
    return ("a number of changes", None) if len(words) % 2 else None


def _limits(values: Sequence[str]) -> Fault:
    words = _words(values)
    tests = (_choice(("normal", "replica", "slave", "pubsub")), _bytes, _bytes, _number(0, 2**31 - 1))
    for number, word in enumerate(words):
        expected = tests[number % 4](word)
        if expected:
            return expected, number if len(words) == len(values) else 0
    return ("a class, a hard limit, a soft limit and seconds", None) if len(words) % 4 or not words else None


def _scores(values: Sequence[str]) -> Fault:
    words = _words(values)
    if len(words) != 3:
        return "three numbers", None
    test = _number(-2000, 2000)
    return next(((test(word), number) for number, word in enumerate(words) if test(word)), None)


def _replica_of(values: Sequence[str]) -> Fault:
    words = _words(values)
    if len(words) != 2:
        return "a host and a port", None
    if [word.lower() for word in words] == ["no", "one"]:
        return None
    return ("a port", 1) if _number(0, 65535)(words[1]) else None


def _shutdown(values: Sequence[str]) -> Fault:
    test = _choice(_SHUTDOWN)
    return next(((test(word), number) for number, word in enumerate(_words(values)) if test(word)), _several(values, 1))


def _percentiles(values: Sequence[str]) -> Fault:
    for number, word in enumerate(_words(values)):
        if not re.fullmatch(r"[0-9]{1,2}(?:\.[0-9]*)?|100(?:\.0*)?|\.[0-9]+", word):
            return "a percentage from 0 to 100", min(number, len(values) - 1)
    return None


def _two(values: Sequence[str]) -> Fault:
    return None if len(values) == 2 else ("two arguments", None if len(values) < 2 else 2)


def _checks() -> Iterator[tuple[str, Check]]:
    yield from ((name, _one(_choice(("yes", "no")))) for name in _FLAGS.split())
    yield from ((name, _one(lambda _value: "")) for name in _STRINGS.split())
    yield from ((entry.partition("=")[0], _one(_choice(entry.partition("=")[2].split("|")))) for entry in _CHOICES.split())
    for entry in _NUMBERS.split():
        name, *bounds = entry.split(":")
        yield name, _one(_number(int(bounds[0]) if bounds else 0, int(bounds[1]) if len(bounds) > 1 else 2**63 - 1))
    yield from ((name, _one(_share if name == "maxmemory-clients" else _bytes)) for name in _SIZES.split())
    yield "unixsocketperm", _one(_mode)
    yield "notify-keyspace-events", _one(_events)
    yield from (("bind", _bind), ("rdma-bind", _bind), ("save", _save), ("client-output-buffer-limit", _limits))
    yield from (("oom-score-adj-values", _scores), ("replicaof", _replica_of), ("rename-command", _two))
    yield from ((name, _shutdown) for name in ("shutdown-on-sigint", "shutdown-on-sigterm"))
    yield from ((name, lambda values: _several(values, 1)) for name in ("user", "loadmodule"))
    yield "latency-tracking-info-percentiles", _percentiles
    yield "include", _one(lambda value: "" if value else "a file")


DIRECTIVES: dict[str, Check] = dict(_checks())
ALIASES: dict[str, str] = dict(entry.split("=") for entry in _ALIASES.split())
DIRECTIVES.update({alias: DIRECTIVES[name] for alias, name in ALIASES.items()})
