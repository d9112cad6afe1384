"""The keywords of sshd_config(5) as OpenBSD's sshd knows them (servconf.c 1.424): what each takes, and where it may stand."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Token

_FLAG = "yes|no"
_LEVEL = "quiet|fatal|error|info|verbose|debug|debug1|debug2|debug3"
_FACILITY = "daemon|user|auth|" + "|".join(f"local{number}" for number in range(8))
_FORWARDING = "yes|no|all|local|remote"
_TIME = re.compile(r"(?:[0-9]+[smhdwSMHDW]?)+")
_SIGNED = re.compile(r"[-+]?[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_SCALED = re.compile(r"[0-9]+(?:\.[0-9]*)?[BKMGTPEbkmgtpe]?")
_SERVICE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_QOS = re.compile(r"none|af[1-4][123]|cs[0-7]|ef|le|lowdelay|throughput|reliability|[0-9]{1,3}", re.IGNORECASE)
_PENALTY = re.compile(
    r"(?:crash|authfail|noauth|grace-exceeded|refuseconnection|max|min):(?:[0-9]+[smhdwSMHDW]?)+"
    r"|max-sources[46]:[0-9]+|overflow6?:(?:deny-all|permissive)"
)

# Keyword, shape of its arguments, "m" where a Match block may hold it too. A shape in words is one of those words.
_TABLE = f"""
AcceptEnv names m; AddressFamily inet|inet6|any; AllowAgentForwarding {_FLAG} m; AllowGroups words m;
AllowStreamLocalForwarding {_FORWARDING} m; AllowTcpForwarding {_FORWARDING} m; AllowUsers words m;
AuthenticationMethods words m; AuthorizedKeysCommand command m; AuthorizedKeysCommandUser word m; AuthorizedKeysFile words m;
AuthorizedPrincipalsCommand command m; AuthorizedPrincipalsCommandUser word m; AuthorizedPrincipalsFile word m; Banner word m;
CASignatureAlgorithms word m; ChannelTimeout timeouts m; ChrootDirectory word m; Ciphers ciphers; ClientAliveCountMax number m;
ClientAliveInterval time m; Compression yes|delayed|no; DenyGroups words m; DenyUsers words m; DisableForwarding {_FLAG} m;
ExposeAuthInfo {_FLAG} m; FingerprintHash md5|sha1|sha256|sha384|sha512; ForceCommand raw m;
GatewayPorts {_FLAG}|clientspecified m;
HostbasedAcceptedAlgorithms word m; HostbasedAuthentication {_FLAG} m; HostbasedUsesNameFromPacketOnly {_FLAG} m;
HostCertificate word; HostKey word; HostKeyAgent word; HostKeyAlgorithms word; IgnoreRhosts {_FLAG}|shosts-only m;
IgnoreUserKnownHosts {_FLAG}; Include words m; IPQoS qos m; KbdInteractiveAuthentication {_FLAG} m; KexAlgorithms kex;
ListenAddress listen; LoginGraceTime time; LogLevel {_LEVEL} m; LogVerbose words m;
MACs macs; Match words m; MaxAuthTries number m; MaxSessions number m; MaxStartups startups; ModuliFile word;
PasswordAuthentication {_FLAG} m; PermitEmptyPasswords {_FLAG} m; PermitListen words m; PermitOpen words m;
PermitRootLogin {_FLAG}|prohibit-password|without-password|forced-commands-only m; PermitTTY {_FLAG} m;
PermitTunnel {_FLAG}|point-to-point|ethernet m; PermitUserEnvironment word; PermitUserRC {_FLAG} m; PerSourceMaxStartups limit;
PerSourceNetBlockSize netblock; PerSourcePenalties penalties; PerSourcePenaltyExemptList addresses; PidFile word; Port port;
PrintLastLog {_FLAG}; PrintMotd {_FLAG}; PubkeyAcceptedAlgorithms word m; PubkeyAuthentication {_FLAG} m;
PubkeyAuthOptions none|touch-required|verify-required+ m; RDomain word m; RefuseConnection {_FLAG} m; RekeyLimit rekey m;
RequiredRSASize number m; RevokedKeys word m; SecurityKeyProvider word; SetEnv settings m; SshdAuthPath word;
SshdSessionPath word;
StreamLocalBindMask octal m; StreamLocalBindUnlink {_FLAG} m; StrictModes {_FLAG}; Subsystem subsystem m;
SyslogFacility {_FACILITY}; TCPKeepAlive {_FLAG};
TrustedUserCAKeys word m; UnusedConnectionTimeout timeout m; UseDNS {_FLAG}; VersionAddendum raw; X11DisplayOffset number m;
X11Forwarding {_FLAG} m; X11UseLocalhost {_FLAG} m; XAuthLocation word
"""
_NOT_USED = """
ServerKeyBits KeyRegenerationInterval RhostsAuthentication RhostsRSAAuthentication/m RSAAuthentication/m KerberosAuthentication/m
KerberosOrLocalPasswd KerberosTicketCleanup KerberosGetAFSToken KerberosTgtPassing AFSTokenPassing GSSAPIAuthentication/m
GSSAPICleanupCredentials GSSAPIStrictAcceptorCheck GSSAPIDelegateCredentials CheckMail UseLogin Protocol VerifyReverseMapping
ReverseMappingCheck AuthorizedKeysFile2/m UsePrivilegeSeparation
"""
ALIASES = {
    "hostdsakey": "hostkey",
    "hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "dsaauthentication": "pubkeyauthentication",
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "keepalive": "tcpkeepalive",
}
ELSEWHERE = {"usepam": "PAM", "pamservicename": "PAM", "debianbanner": "Debian's sshd", "pamauthenticationviakbdint": "PAM"}
"""Keywords that other systems' sshd has and OpenBSD's refuses, and what they belong to."""
_CIPHERS = (
    "3des-cbc aes128-cbc aes192-cbc aes256-cbc aes128-ctr aes192-ctr aes256-ctr aes128-gcm@openssh.com aes256-gcm@openssh.com"
    " chacha20-poly1305@openssh.com"
)
_MACS = "hmac-sha1 hmac-sha1-96 hmac-sha2-256 hmac-sha2-512 hmac-md5 hmac-md5-96 umac-64@openssh.com umac-128@openssh.com"
_KEX = (
    "diffie-hellman-group1-sha1 diffie-hellman-group14-sha1 diffie-hellman-group14-sha256 diffie-hellman-group16-sha512"
    " diffie-hellman-group18-sha512 diffie-hellman-group-exchange-sha1 diffie-hellman-group-exchange-sha256 ecdh-sha2-nistp256"
    " ecdh-sha2-nistp384 ecdh-sha2-nistp521 curve25519-sha256 curve25519-sha256@libssh.org sntrup761x25519-sha512"
    " sntrup761x25519-sha512@openssh.com mlkem768x25519-sha256"
)
CIPHERS = frozenset(_CIPHERS.split())
MACS = frozenset(_MACS.split()) | {name.removesuffix("@openssh.com") + "-etm@openssh.com" for name in _MACS.split()}
KEX = frozenset(_KEX.split())

Test = Callable[[int, str, int], str]
"""Given an argument's number, its value and how many there are: what is expected instead, or nothing."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword as the man page writes it, the shape of its arguments, and whether a Match block may hold it."""

    name: str
    shape: str
    in_match: bool


def _read_table() -> dict[str, Keyword]:
    table: dict[str, Keyword] = {}
    for entry in _TABLE.split(";"):
        name, shape, *match = entry.split()
        table[name.lower()] = Keyword(name, shape, bool(match))
    for word in _NOT_USED.split():
        name, _, match_too = word.partition("/")
        table[name.lower()] = Keyword(name, "any", bool(match_too))
    for alias, meant in ALIASES.items():
        table[alias] = table[meant]
    return table


KEYWORDS = _read_table()


def fault(shape: str, arguments: tuple[Token, ...]) -> tuple[str, Token | None] | None:
    """What is expected instead of the first argument that sshd does not take, and that argument; None for it if one lacks."""
    if shape in ("any", "raw"):
        return None
    if not arguments:
        return _EXPECTED.get(shape, "an argument"), None
    most = _MOST.get(shape, 1)
    for number, token in enumerate(arguments):
        expected = _wrong(shape, number, token.value, len(arguments)) if most is None or number < most else "the end of the line"
        if expected:
            return expected, token
    lacking = _LACKING.get((shape, len(arguments)))
    return (lacking, None) if lacking else None


_LACKING = {("subsystem", 1): "a command after the subsystem's name", ("listen", 2): 'a routing domain after "rdomain"'}
_EXPECTED = {
    "port": "a port",
    "time": "a time",
    "number": "a number",
    "listen": "an address",
    "words": "an argument",
    "startups": "start:rate:full",
}
_MOST: dict[str, int | None] = {
    **dict.fromkeys(("words", "names", "settings", "timeouts", "penalties", "subsystem"), None),
    "none|touch-required|verify-required+": None,
    "qos": 2,
    "rekey": 2,
    "listen": 3,
}


def _wrong(shape: str, number: int, value: str, count: int) -> str:
    """What is expected instead of an argument that does not fit, or nothing."""
    if not value:
        return "an argument that is not empty"
    if "|" in shape:
        choices = shape.rstrip("+").split("|")
        return "" if value.lower() in choices else _one_of(choices)
    test = _TESTS.get(shape)
    return test(number, value, count) if test else ""


def _one_of(choices: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))


def _is_number(value: str, most: int = 2**31 - 1) -> bool:
    return _NUMBER.fullmatch(value) is not None and int(value) <= most


def _listen(number: int, value: str, _count: int) -> str:
    if number:
        return "" if value == "rdomain" or number == 2 else '"rdomain" or the end of the line'
    host, port = value, ""
    ok = True
    if value.startswith("["):
        host, closed, port = value[1:].partition("]")
        ok = bool(closed) and (not port or (port[0] == ":" and _is_port(port[1:])))
    elif value.count(":") == 1:
        host, _, port = value.partition(":")
        ok = _is_port(port)
    ok = ok and (":" not in host or _is_address(host))
    return "" if ok else "an address, address:port or [address]:port"


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_port(value: str) -> bool:
    return (_is_number(value, 65535) and int(value) > 0) or _SERVICE.fullmatch(value) is not None


def _port(_number: int, value: str, _count: int) -> str:
    return "" if _is_port(value) else "a port (1-65535)"


def _scanned(value: str, most: int) -> list[int]:
    """The numbers between colons that a value begins with, at most so many; as sscanf(3) has it, what follows does not count."""
    found: list[int] = []
    at = 0
    while len(found) < most:
        match = _SIGNED.match(value, at + len(found[:1]))
        if match is None or (found and value[at : at + 1] != ":"):
            break
        found.append(int(match[0]))
        at = match.end()
    return found


def _startups(_number: int, value: str, _count: int) -> str:
    numbers = _scanned(value, 3)
    if len(numbers) not in (1, 3):
        return "start:rate:full"
    if len(numbers) == 3 and (numbers[0] > numbers[2] or not 1 <= numbers[1] <= 100):
        return "start:rate:full with a rate from 1 to 100 and full not below start"
    return "" if numbers[0] > 0 else "a number above 0"


def _netblock(_number: int, value: str, _count: int) -> str:
    numbers = _scanned(value, 2)
    ok = bool(numbers) and all(0 <= number <= most for number, most in zip(numbers, (32, 128), strict=False))
    return "" if ok else "bits for IPv4 (0-32), or with a colon and bits for IPv6 (0-128)"


def _rekey(number: int, value: str, _count: int) -> str:
    if number:
        return "" if value == "none" or _TIME.fullmatch(value) else 'a time or "none"'
    if value == "default":
        return ""
    return (
        "" if _SCALED.fullmatch(value) and value not in {str(few) for few in range(1, 16)} else 'a number of bytes, or "default"'
    )


def networks(value: str) -> str:
    """What is expected of a list of addresses, networks and patterns, or nothing where it is one (addr_match_list())."""
    for each in value.split(","):
        address, slash, bits = each.removeprefix("!").partition("/")
        if not address:
            return "an address, a network or a pattern between commas"
        if slash and not _is_number(bits, 128):
            continue
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            continue  # a pattern
        if slash and (int(bits) > parsed.max_prefixlen or int(parsed) & ((1 << (parsed.max_prefixlen - int(bits))) - 1)):
            return f'a network whose address has no bits beyond its mask (not "{each}")'
    return ""


def _names(what: str, known: frozenset[str]) -> Test:
    def test(_number: int, value: str, _count: int) -> str:
        if value.startswith("-"):
            return ""
        unknown = [name for name in value.lstrip("+^").split(",") if name not in known]
        return f'{what} that sshd knows (it does not know "{brief(unknown[0])}")' if unknown else ""

    return test


def _penalty(_number: int, value: str, count: int) -> str:
    if value.lower() in ("yes", "no"):
        return "" if count == 1 else f'"{value}" alone'
    return "" if _PENALTY.fullmatch(value) else "a penalty and its time, such as authfail:5s"


def _matches(pattern: re.Pattern[str], expected: str, *others: str) -> Test:
    def test(_number: int, value: str, _count: int) -> str:
        return "" if value.lower() in others or pattern.fullmatch(value) else expected

    return test


_TESTS: dict[str, Test] = {
    "addresses": lambda _number, value, _count: networks(value),
    "ciphers": _names("ciphers", CIPHERS),
    "macs": _names("MACs", MACS),
    "kex": _names("key exchange methods", KEX),
    "command": _matches(re.compile(r"/.*", re.DOTALL), 'a command by its absolute path, or "none"', "none"),
    "limit": _matches(_NUMBER, 'a number or "none"', "none"),
    "listen": _listen,
    "names": _matches(re.compile(r"[^=]+"), 'a variable without "="'),
    "netblock": _netblock,
    "number": _matches(_NUMBER, "a number"),
    "octal": _matches(re.compile(r"0*[0-7]{1,3}(?![0-7]).*", re.DOTALL), "an octal mode"),
    "penalties": _penalty,
    "port": _port,
    "qos": _matches(_QOS, "a DSCP class, a number or none"),
    "rekey": _rekey,
    "settings": _matches(re.compile(r"[^=]*=.*", re.DOTALL), "NAME=value"),
    "startups": _startups,
    "time": _matches(_TIME, "a time such as 120 or 2m"),
    "timeout": _matches(_TIME, 'a time such as 5m, or "none"', "none"),
    "timeouts": _matches(re.compile(rf"[^=]+=(?:{_TIME.pattern})"), 'type=time, or "none"', "none"),
}
