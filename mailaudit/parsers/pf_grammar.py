"""The grammar of pf.conf(5) over token kinds: rules, anchors, options, tables, queues, antispoof.

Source: pfctl's parse.y 1.719 (2025-09). Lists are matched as one regular expression each, for a list may have 100,000 items; what
an item is made of is told again by the model, which reads the tokens of a list one by one.
"""

from __future__ import annotations

import pyparsing as pp

from mailaudit.parsers.grammar import Grammar, Kinds, node

_KEYWORDS = """
af-to all allow-opts anchor antispoof any bandwidth binat-to bitmask block block-policy burst code debug default delay
divert-packet divert-reply divert-to drop dup-to file fingerprints flags floating flows flush for fragment from global group
hostid icmp-type icmp6-type if-bound in include inet inet6 keep label least-states limit load log loginterface match matches
max max-mss max-pkt-rate max-src-conn max-src-conn-rate max-src-nodes max-src-states min min-ttl modulate nat-to no no-df
no-route no-sync on once optimization os out overload parent pass pflow port prio probability proto qlimit quantum queue quick
random random-id rdomain rdr-to reassemble received-on reply-to return return-icmp return-icmp6 return-rst round-robin route
route-to rtable rule ruleset-optimization scrub set skip sloppy source-hash source-track state state-defaults state-policy
static-port sticky-address syncookies synproxy table tag tagged timeout to tos ttl urpf-failed user weight
"""
KEYWORDS = frozenset(_KEYWORDS.split())
NESTING = 8  # lists of addresses in lists of addresses; macros make two of them

KINDS = Kinds()
_NL = "«newline»*"
_S = "«string»"
_N = "«number»"
_SN = "[«string»«number»]"
_UNARY = "(?:«=»|«!=»|«<=»|«<»|«>=»|«>»)"
_BINARY = "[«<>»«><»]"
_DYNAMIC = f"«(»{_S}«)»"
HOST = rf"(?:{_S}(?:«/»{_N}|«-»{_S})?|{_N}«/»{_N}|{_DYNAMIC}(?:«/»{_N})?|«<»{_S}«>»|«route»{_S})"
PEER = f"(?:«!»?(?:{HOST}|«no-route»|«urpf-failed»))"
INTERFACE = f"(?:{_S}|«any»|«rdomain»{_N})"


def _word(kind: str) -> pp.ParserElement:
    return KINDS.token(kind)


def _items(item: str) -> str:
    """Items with or without commas between them; a newline may stand after an item, never after a comma."""
    return f"{_NL}(?:{item}{_NL}(?:«,»(?![«newline»«,»«}}»]))?)+"


def _nested(item: str, depth: int) -> str:
    return item if depth == 0 else f"(?:{item}|«{{»{_items(_nested(item, depth - 1))}«}}»)"


def _one_or_list(kind: str, item: str, name: str) -> pp.ParserElement:
    """A node of the tokens of one item, or of a list in braces."""
    return node(kind, (_listed(item, name) | KINDS.pattern(item, name)).set_name(name))


def _listed(item: str, name: str) -> pp.ParserElement:
    """A list in braces; where it is broken, the place of the token that does not fit."""
    whole = KINDS.pattern(f"«{{»{_items(item)}«}}»", name)
    begun = KINDS.pattern(f"«{{»{_NL}(?:{item}{_NL}«,»?)*", name)
    return whole | begun - pp.NoMatch().set_name(name)


def _after(keyword: str, *rest: pp.ParserElement, kind: str = "") -> pp.ParserElement:
    """A node that begins with a keyword: once that is there the rest must follow."""
    return node(kind or keyword, _word(keyword) - pp.And(list(rest)))


def _flag(keyword: str) -> pp.ParserElement:
    return node(keyword, _word(keyword))


def _number_after(keyword: str) -> pp.ParserElement:
    return _after(keyword, KINDS.token("number", "a number"))


_STRING = KINDS.token("string", "a name")
_NUMBER = KINDS.token("number", "a number")
_STRINGS = KINDS.pattern(f"{_S}+", "a name")
_EITHER = KINDS.pattern(_SN, "a name or number")
_COMMA = KINDS.pattern("«,»?", "a comma")

PORT = "a port name or number"
_port_items = f"(?:{_UNARY}{_SN}|{_SN}(?:{_BINARY}{_SN})?)"
_port = node("port", _word("port") - _one_or_list("ports", _port_items, PORT).set_name(PORT))
_address = "(?:«any»|" + PEER + ")"
_peers = _one_or_list("hosts", _nested(_address, NESTING), 'an address, table, interface or "any"')
_side = (_peers + pp.Opt(_port)) | _port
_interfaces = _one_or_list("interfaces", f"(?:«!»?{INTERFACE})", "an interface or interface group")
_on = _after("on", _interfaces)
_family = node("family", _word("inet") | _word("inet6"))
_proto = _after("proto", _one_or_list("protocols", _SN, "a protocol name or number"))
_os = _after("os", _one_or_list("systems", _S, "the name of an operating system"))
_fromto = _flag("all") | (
    pp.Opt(_after("from", _side.copy().set_name('an address, table, interface, "any" or "port"')))
    + pp.Opt(_os)
    + pp.Opt(_after("to", _side.copy().set_name('an address, table, interface, "any" or "port"')))
)
_direction = node("direction", _word("in") | _word("out"))
_quick = _flag("quick")
_log_option = f"(?:«all»|«matches»|«user»|«to»{_S}+)"
_log = node(
    "log",
    _word("log") + pp.Opt(_word("(") - KINDS.pattern(f"{_log_option}(?:«,»?{_log_option})*", "a log option") + _word(")")),
)
_logquick = pp.Opt((_log + pp.Opt(_quick)) | (_quick + pp.Opt(_log)))

_pool_option = (
    _flag("bitmask")
    | _flag("random")
    | node("source-hash", _word("source-hash") + pp.Opt(_STRINGS))
    | _flag("round-robin")
    | _flag("least-states")
    | _flag("static-port")
    | _flag("sticky-address")
)
_pool_host = f"{HOST}(?:«weight»{_N})?"
_targets = _one_or_list("targets", _pool_host, "an address, table or interface")
_pool = _targets + pp.Opt(_after("port", _EITHER, kind="target-port")) + pp.ZeroOrMore(_pool_option)
_route = _targets + pp.ZeroOrMore(_pool_option)

_state_option = (
    _number_after("max")
    | _flag("no-sync")
    | _number_after("max-src-states")
    | _number_after("max-src-conn")
    | _after("max-src-conn-rate", _NUMBER, _word("/"), _NUMBER)
    | _number_after("max-src-nodes")
    | node(
        "overload",
        _word("overload")
        - pp.And([_word("<"), _STRING, _word(">"), pp.Opt(node("flush", _word("flush") + pp.Opt(_word("global"))))]),
    )
    | node("source-track", _word("source-track") + pp.Opt(_word("global") | _word("rule")))
    | _flag("if-bound")
    | _flag("floating")
    | _flag("sloppy")
    | _flag("pflow")
    | node("timeout", _STRING + _NUMBER)
).set_name("a state option")
_state_options = _state_option + pp.ZeroOrMore(_word(",") - _state_option | _state_option)
_in_parentheses = pp.Opt(_word("(") - pp.And([_state_options, _word(")")]))
_keep = node(
    "state",
    (_word("no") - _word("state"))
    | ((_word("keep") | _word("modulate") | _word("synproxy")) - pp.And([_word("state"), _in_parentheses])),
)

_scrub_option = (
    _flag("no-df") | _number_after("min-ttl") | _number_after("max-mss") | _after("reassemble", _STRING) | _flag("random-id")
).set_name("a scrub option")
_queue_names = node("queue-names", _STRING | (_word("(") - pp.And([_STRING, pp.Opt(_word(",") - _STRING | _STRING), _word(")")])))
_prio = node(
    "set-prio",
    _word("prio")
    - (_NUMBER | _word("(") - pp.And([_NUMBER, _COMMA, _NUMBER, _word(")")])).set_name("a number, or two in parentheses"),
)
_setting = (_prio | _after("queue", _queue_names) | _after("tos", _EITHER, kind="set-tos") | _number_after("delay")).set_name(
    '"prio", "queue", "tos" or "delay"'
)
_set_in_rule = node(
    "set-in-rule",
    _word("set") - ((_word("(") - pp.And([_setting, pp.ZeroOrMore(_word(",") - _setting | _setting), _word(")")])) | _setting),
)

_id_items = f"(?:{_UNARY}{_SN}|{_SN}(?:{_BINARY}{_SN})?)"
_icmp_items = f"(?:{_SN}(?:«code»{_SN})?)"
_flags_of_tcp = node(
    "flags",
    _word("flags")
    - (_word("any") | (_word("/") - _STRING) | (_STRING - pp.And([_word("/"), _STRING]))).set_name("TCP flags like S/SA"),
)
_tagged = node("tagged", pp.Opt(_word("!")) + _word("tagged") - _STRINGS)
_interface = node("interface", KINDS.pattern(INTERFACE, "an interface"))
_received_on = node("received-on", pp.Opt(_word("!")) + _word("received-on") - _interface)
_af_to = node(
    "af-to",
    _word("af-to")
    - pp.And([_family, node("nat-target", _word("from") - _pool), pp.Opt(node("rdr-target", _word("to") - _pool))]),
)

_filter_option = (
    _flag("fragment")
    | _flags_of_tcp
    | _keep
    | _after("label", _STRING)
    | _after("icmp-type", _one_or_list("icmp", _icmp_items, "an ICMP type"))
    | _after("icmp6-type", _one_or_list("icmp", _icmp_items, "an ICMPv6 type"))
    | _after("user", _one_or_list("users", _id_items, "a user name or number"))
    | _after("group", _one_or_list("groups", _id_items, "a group name or number"))
    | _flag("allow-opts")
    | _after("queue", _queue_names)
    | _after("tag", _STRINGS)
    | _tagged
    | _received_on
    | _after("probability", _EITHER)
    | _number_after("rtable")
    | _number_after("prio")
    | _after("tos", _EITHER)
    | _after("divert-to", _STRING, _word("port"), _EITHER)
    | _flag("divert-reply")
    | _after("divert-packet", _word("port"), _EITHER)
    | _after("scrub", _word("("), _scrub_option, pp.ZeroOrMore(_word(",") - _scrub_option | _scrub_option), _word(")"))
    | _after("nat-to", _pool)
    | _after("rdr-to", _pool)
    | _after("binat-to", _pool)
    | _af_to
    | _after("route-to", _route)
    | _after("reply-to", _route)
    | _after("dup-to", _route)
    | _flag("once")
    | _after("max-pkt-rate", _NUMBER, _word("/"), _NUMBER)
    | _set_in_rule
)
_filter = pp.ZeroOrMore(_filter_option)

_block_how = node(
    "how",
    _word("drop")
    | _word("return")
    | (_word("return-rst") + pp.Opt(_word("(") - pp.And([_word("ttl"), _NUMBER, _word(")")])))
    | (_word("return-icmp6") + pp.Opt(_word("(") - pp.And([_EITHER, _word(")")])))
    | (_word("return-icmp") + pp.Opt(_word("(") - pp.And([_EITHER, pp.Opt(_word(",") - _EITHER | _EITHER), _word(")")]))),
)
_action = node("action", _word("pass") | _word("match") | (_word("block") + pp.Opt(_block_how)))
_rule = node("rule", _action, pp.Opt(_direction), _logquick, pp.Opt(_on), pp.Opt(_family), pp.Opt(_proto), _fromto, _filter)
_anchor = node(
    "anchor",
    _word("anchor") + pp.Opt(node("name", _STRING)),
    pp.Opt(_direction),
    pp.Opt(_quick),
    pp.Opt(_on),
    pp.Opt(_family),
    pp.Opt(_proto),
    _fromto,
    _filter,
    pp.Opt(_word("{")),
)

_table_item = f"(?:{PEER}(?:«weight»{_N})?)"
_entries = node(
    "entries",
    KINDS.pattern(f"«{{»{_NL}«}}»", "a list of addresses") | _listed(_nested(_table_item, NESTING), 'an address or "}"'),
)
_table = node(
    "table",
    _word("table")
    - pp.And([_word("<"), _STRING, _word(">")])
    + pp.ZeroOrMore(node("table-option", _STRING) | _entries | _after("file", _STRING)),
)

_bandwidth = KINDS.pattern(f"{_SN}(?:«burst»{_SN}«for»{_S})?", "a bandwidth")
_curve = pp.Opt(_word(",")) + (_after("min", _bandwidth) | _after("max", _bandwidth))
_queue_option = (
    _after("bandwidth", _bandwidth, pp.Opt(_curve + pp.Opt(_curve)))
    | _after("parent", _STRING)
    | _flag("default")
    | _number_after("qlimit")
    | _number_after("flows")
    | _number_after("quantum")
).set_name('"bandwidth", "parent", "default", "qlimit", "flows" or "quantum"')
_queue = node("queue", _word("queue") - pp.And([_STRING, pp.Opt(_on), pp.OneOrMore(_queue_option)]))

_spoofed = f"(?:{INTERFACE}|«(»{INTERFACE}«)»)"
_antispoof = node(
    "antispoof",
    _word("antispoof")
    - pp.And(
        [
            _logquick,
            _word("for"),
            _one_or_list("interfaces", _spoofed, "an interface"),
            pp.Opt(_family),
            pp.ZeroOrMore(_after("label", _STRING) | _number_after("rtable")),
        ]
    ),
)

_pairs = f"(?:{_S}{_N})"
_syncookie_options = KINDS.pattern(f"«(»{_S}{_S}(?:«,»?{_S}{_S})*«)»", "(start N%, end N%)")
_option = (
    _after("reassemble", node("value", _word("no") | _STRING), pp.Opt(_word("no-df")))
    | _after("optimization", node("value", _STRING))
    | _after("ruleset-optimization", node("value", _STRINGS))
    | _after("timeout", _one_or_list("values", _pairs, "a timeout and a number"))
    | _after("limit", _one_or_list("values", _pairs, "a limit and a number"))
    | _after("loginterface", node("value", (_STRING | _word("all")).set_name("an interface or interface group")))
    | _after("hostid", node("value", _EITHER))
    | _after("block-policy", node("value", (_word("drop") | _word("return")).set_name('"drop" or "return"')))
    | _after("fingerprints", node("value", _STRING))
    | _after("state-policy", node("value", (_word("if-bound") | _word("floating")).set_name('"if-bound" or "floating"')))
    | _after("debug", node("value", _STRING | _word("debug")))
    | node("skip", _word("skip") + pp.Opt(_on))
    | _after("state-defaults", _state_options)
    | _after("syncookies", node("value", _STRING), pp.Opt(_syncookie_options))
).set_name('an option, like "skip" or "block-policy"')
_set = node("set", _word("set") - _option)

_macro = node("macro", _STRING + _word("=") - KINDS.pattern(f"{_SN}+", "a value in quotes"))
_include = node("include", _word("include") - _STRING)
_load = node("load", _word("load") - pp.And([_word("anchor"), _STRING, _word("from"), _STRINGS]))

GRAMMAR = Grammar(
    KINDS,
    (_rule | _set | _table | _anchor | _macro | _antispoof | _queue | _include | _load).set_name("a statement of pf.conf(5)"),
)
