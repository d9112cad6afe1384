"""The words of Sieve that Pigeonhole knows: commands and tests, what they take, and the extension that each comes with.

Source: RFC 5228 and the documents of the extensions, compared word by word with `sievec` of Pigeonhole 0.5.19, 2.4.1 and 2.4.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

DEFAULT = frozenset(
    "fileinto reject envelope encoded-character vacation subaddress comparator-i;ascii-numeric "  # noqa: SIM905
    "comparator-i;octet comparator-i;ascii-casemap comparator-i;unicode-casemap relational regex imap4flags "
    "copy include variables body enotify environment mailbox date index ihave duplicate mime foreverypart "
    "extracttext".split()
)
"""The extensions that every user's script may require where no setting says otherwise."""
OPTIONAL = frozenset(
    "vacation-seconds imapflags notify mboxmetadata servermetadata spamtest spamtestplus virustest editheader special-use "  # noqa: SIM905
    "vnd.dovecot.report vnd.dovecot.duplicate vnd.dovecot.environment vnd.dovecot.debug".split()
)
"""Those that a setting has to turn on."""
PLUGINS = {
    "sieve_imapsieve": frozenset({"imapsieve", "vnd.dovecot.imapsieve"}),
    "sieve_extprograms": frozenset({"vnd.dovecot.pipe", "vnd.dovecot.filter", "vnd.dovecot.execute"}),
}
"""Those that come with a plugin. Imapsieve's are on once it is loaded, the programs' have to be turned on as well."""
ELSEWHERE = frozenset({"ereject", "fcc", "extlists"})
"""Those that some versions of Pigeonhole know and others do not."""
KNOWN = DEFAULT | OPTIONAL | ELSEWHERE | frozenset().union(*PLUGINS.values())
ONLY_OLD = frozenset({"imapflags", "notify", "vnd.dovecot.duplicate"})
"""The deprecated ones, which went with 2.4."""
ONLY_NEW = frozenset({"comparator-i;unicode-casemap"})
"""What 2.3 does not know."""
ALWAYS_NEW = frozenset({"comparator-i;octet", "comparator-i;ascii-casemap", "comparator-i;unicode-casemap"})
"""What 2.4 has whatever is set."""
CONFLICTS = (("imapflags", "imap4flags"), ("notify", "enotify"), ("vnd.dovecot.duplicate", "duplicate"))
"""Pairs that no script may require together: the deprecated one, and the one in its place."""

GONE = frozenset({"import", "export"})
"""The commands that Pigeonhole 2.4 no longer knows."""
CORE_COMPARATORS = frozenset({"i;octet", "i;ascii-casemap"})
UNICODE = "i;unicode-casemap"
RELATIONS = frozenset({"gt", "ge", "lt", "le", "eq", "ne"})
ADDRESS_HEADERS = frozenset(
    "from to cc bcc sender reply-to resent-from resent-to resent-cc resent-bcc resent-sender resent-reply-to errors-to "  # noqa: SIM905
    "delivered-to x-original-to return-receipt-to mail-followup-to mail-reply-to apparently-to for-comment for-handling "
    "for-approval abuse-reports-to x-beenthere x-complaints-to".split()
)
"""The header fields that the address test may ask about."""
ENVELOPE_PARTS = frozenset({"from", "to", "auth", "orig_to"})


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged argument: the extension it comes with, the type of its parameter, and what it excludes.

    Types are `string`, `strings` (a list, or one string) and `number`. At most one tag of a `family` may be given. `after` is the
    tag without which it may not be.
    """

    name: str
    extension: str = ""
    parameter: str = ""
    family: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A command or a test.

    `extensions` are those of which one must be required, none for the core. `arguments` are the types of the positional ones,
    from which the first `optional` may be left out; if `last_optional`, it is the last one. `tests` is 0, 1 or 2 (a list).
    """

    name: str
    extensions: tuple[str, ...]
    is_command: bool
    is_test: bool
    arguments: tuple[str, ...] = ()
    optional: str = ""
    tests: int = 0
    has_block: bool = False
    tags: dict[str, Tag] = field(default_factory=dict)

    def counts(self) -> tuple[int, int]:
        """The least and greatest numbers of positional arguments."""
        return len(self.arguments) - bool(self.optional), len(self.arguments)


# Tags: name, then `=string` and the like for a parameter, `@extension`, `/family`, `>tag` for the one it needs.
_SETS = {
    "+match": "is/match contains/match matches/match regex@regex/match count=string@relational/match "
    "value=string@relational/match list@extlists/match comparator=string",
    "+part": "all/part localpart/part domain/part user@subaddress/part detail@subaddress/part",
    "+index": "index=number@index last@index>index",
    "+mime": "mime@mime anychild@mime>mime",
    "+field": "type@mime/field>mime subtype@mime/field>mime contenttype@mime/field>mime param=strings@mime/field>mime",
    "+modifier": "lower/40 upper/40 lowerfirst/30 upperfirst/30 quotewildcard length encodeurl@enotify",
    "+flags": "flags=strings@imap4flags",
}
# word, extensions, kind (c command, t test), arguments (s string, l list, n number, ? before or after the optional one),
# tests (- none, 1, * list), block (- or b), tags and sets (+) of tags
_WORDS = """
require       -                     c  l    - -
if            -                     c  -    1 b
elsif         -                     c  -    1 b
else          -                     c  -    - b
stop          -                     c  -    - -
keep          -                     c  -    - -  +flags
discard       -                     c  -    - -
redirect      -                     c  s    - -  copy@copy list@extlists
true          -                     t  -    - -
false         -                     t  -    - -
not           -                     t  -    1 -
anyof         -                     t  -    * -
allof         -                     t  -    * -
exists        -                     t  l    - -  +mime
size          -                     t  n    - -  over/size under/size
header        -                     t  ll   - -  +match +index +mime +field
address       -                     t  ll   - -  +match +part +index +mime
fileinto      fileinto              c  s    - -  +flags copy@copy create@mailbox specialuse=string@special-use
envelope      envelope              t  ll   - -  +match +part
reject        reject                c  s    - -
ereject       ereject               c  s    - -
vacation      vacation              c  s    - -  days=number/period seconds=number@vacation-seconds/period subject=string
vacation      vacation              c  s    - -  from=string addresses=strings mime handle=string fcc=string@fcc
setflag       imap4flags|imapflags  c  ?sl  - -
addflag       imap4flags|imapflags  c  ?sl  - -
removeflag    imap4flags|imapflags  c  ?sl  - -
hasflag       imap4flags            t  ?ll  - -  +match
mark          imapflags             c  -    - -
unmark        imapflags             c  -    - -
set           variables             c  ss   - -  +modifier
string        variables             t  ll   - -  +match
body          body                  t  l    - -  +match raw/body text/body content=strings/body
include       include               c  s    - -  personal/place global/place once optional
return        include               c  -    - -
global        include               c  l    - -
import        include               c  l    - -
export        include               c  l    - -
notify        enotify               c  s    - -  from=string importance=string options=strings message=string fcc=string@fcc
notify        notify                c  -    - -  method=string id=string options=strings message=string
notify        notify                c  -    - -  low/priority normal/priority high/priority
denotify      notify                c  -    - -  is=string/match contains=string/match matches=string/match
denotify      notify                c  -    - -  low/priority normal/priority high/priority
valid_notify_method       enotify   t  l    - -
notify_method_capability  enotify   t  ssl  - -  +match
environment   environment           t  sl   - -  +match
mailboxexists mailbox               t  l    - -
metadata      mboxmetadata          t  ssl  - -  +match
metadataexists  mboxmetadata        t  sl   - -
servermetadata  servermetadata      t  sl   - -  +match
servermetadataexists servermetadata t  l    - -
date          date                  t  ssl  - -  +match +index zone=string/zone originalzone/zone
currentdate   date                  t  sl   - -  +match zone=string
ihave         ihave                 t  l    - -
error         ihave                 c  s    - -
duplicate     duplicate|vnd.dovecot.duplicate t - - - handle=string header=string/id uniqueid=string/id seconds=number last
foreverypart  foreverypart          c  -    - b  name=string
break         foreverypart          c  -    - -  name=string
extracttext   extracttext           c  s    - -  first=number +modifier
addheader     editheader            c  ss   - -  last
deleteheader  editheader            c  ll?  - -  +match index=number last>index
spamtest      spamtest|spamtestplus t  s    - -  +match percent@spamtestplus
virustest     virustest             t  s    - -  +match
specialuse_exists special-use       t  ?sl  - -
valid_ext_list extlists             t  l    - -
pipe          vnd.dovecot.pipe      c  sl?  - -  copy@copy try
filter        vnd.dovecot.filter    ct sl?  - -
execute       vnd.dovecot.execute   ct sl?  - -  input=string/input pipe/input output=string
debug_log     vnd.dovecot.debug     c  s    - -
report        vnd.dovecot.report    c  sss  - -  headers_only
"""
_TYPES = {"s": "string", "l": "strings", "n": "number"}


@cache
def words() -> dict[str, tuple[Word, ...]]:
    """All words by name; two of a name belong to different extensions."""
    found: dict[tuple[str, str], Word] = {}
    for line in _WORDS.strip().splitlines():
        name, extensions, kinds, arguments, tests, block, *tags = line.split()
        given = {tag.name: tag for word in tags for tag in _tags(word)}
        known = found.get((name, extensions))
        if known is not None:
            known.tags.update(given)
            continue
        found[name, extensions] = Word(
            name,
            () if extensions == "-" else tuple(extensions.split("|")),
            "c" in kinds,
            "t" in kinds,
            tuple(_TYPES[each] for each in arguments if each in _TYPES),
            "first" if arguments.startswith("?") else "last" if arguments.endswith("?") else "",
            {"-": 0, "1": 1, "*": 2}[tests],
            block == "b",
            given,
        )
    by_name: dict[str, tuple[Word, ...]] = {}
    for (name, _), word in found.items():
        by_name[name] = (*by_name.get(name, ()), word)
    return by_name


def _tags(written: str) -> list[Tag]:
    """The tags of a set, or the one tag that is written out."""
    return [_tag(each) for each in _SETS.get(written, written).split()]


def _tag(written: str) -> Tag:
    rest, _, after = written.partition(">")
    rest, _, family = rest.partition("/")
    rest, _, extension = rest.partition("@")
    name, _, parameter = rest.partition("=")
    return Tag(name, extension, parameter, family or name, after)
