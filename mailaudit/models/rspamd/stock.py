"""The configuration that rspamd's package brings along, as far as rules ask about it: it stands in for the host's own.

Values: rspamd 3.4 to 3.12, conf/ of its sources; 4.1.5 differs in nothing that a rule asks about. Modules of which no rule asks
are there with their includes alone, those that came with 4 among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from mailaudit.text import Text, encode

_LOCAL = '.include(try=true,priority=1,duplicate=merge) "$LOCAL_CONFDIR/local.d/{name}"'
_OVERRIDE = '.include(try=true,priority=10) "$LOCAL_CONFDIR/override.d/{name}"'
_DYNAMIC = '.include(try=true,priority=5) "$DBDIR/dynamic/{name}"'

_MODULES: dict[str, str] = {
    "arc": (
        "allow_envfrom_empty = true; allow_hdrfrom_mismatch = true; allow_hdrfrom_multiple = false;"
        ' allow_username_mismatch = false; selector = "arc"; sign_authenticated = false; sign_inbound = true;'
        ' sign_local = false; symbol_sign = "ARC_SIGNED"; try_fallback = true; use_domain = "recipient"; use_esld = true;'
        ' use_redis = false; key_prefix = "ARC_KEYS";'
    ),
    "dkim": "dkim_cache_size = 2k; dkim_cache_expire = 1d; time_jitter = 6h; trusted_only = false; skip_multi = false;",
    "dkim_signing": (
        "allow_envfrom_empty = true; allow_hdrfrom_mismatch = false; allow_hdrfrom_multiple = false;"
        ' allow_username_mismatch = false; selector = "dkim"; sign_authenticated = true; sign_local = true;'
        ' symbol = "DKIM_SIGNED"; try_fallback = true; use_domain = "header"; use_esld = true; use_redis = false;'
        ' key_prefix = "DKIM_KEYS";'
    ),
    "greylist": (
        'expire = 1d; timeout = 5min; key_prefix = "rg"; max_data_len = 10k; message = "Try again later";'
        ' action = "soft reject"; ipv4_mask = 19; ipv6_mask = 64;'
        ' whitelist_domains_url = ["$LOCAL_CONFDIR/local.d/greylist-whitelist-domains.inc",'
        ' "$LOCAL_CONFDIR/local.d/maps.d/greylist-whitelist-domains.inc"];'
    ),
    "history_redis": 'key_prefix = "rs_history"; nrows = 200; compress = true; subject_privacy = false;',
    "milter_headers": "use = [];",
    "ratelimit": 'whitelisted_rcpts = "postmaster,mailer-daemon";',
    "replies": 'expire = 86400; key_prefix = "rr"; message = "Message is reply to one we originated"; symbol = "REPLY";',
    "spf": "spf_cache_size = 2k; spf_cache_expire = 1d;",
}
_OTHER_MODULES = (
    "aliases",
    "antivirus",
    "asn",
    "aws_s3",
    "bayes_expiry",
    "bimi",
    "chartable",
    "clickhouse",
    "contextal",
    "dcc",
    "dmarc",
    "elastic",
    "emails",
    "external_relay",
    "external_services",
    "force_actions",
    "forged_recipients",
    "fuzzy_check",
    "gpt",
    "hfilter",
    "http_headers",
    "known_senders",
    "maillist",
    "metadata_exporter",
    "metric_exporter",
    "mid",
    "mime_types",
    "multimap",
    "mx_check",
    "neural",
    "once_received",
    "p0f",
    "phishing",
    "rbl",
    "redis",
    "regexp",
    "reputation",
    "rspamd_update",
    "spamassassin",
    "spamtrap",
    "surbl",
    "trie",
    "url_redirector",
    "url_suspect",
    "whitelist",
)
_FORMER_NAMES = {"milter_headers": "rmilter_headers", "neural": "fann_redis"}  # files of these names are included, too
_GROUPS = (
    "antivirus",
    "content",
    "excessb64",
    "excessqp",
    "external_services",
    "fuzzy",
    "headers",
    "hfilter",
    "mime_types",
    "mua",
    "mx",
    "neural",
    "phishing",
    "policies",
    "rbl",
    "senderscore",
    "statistics",
    "subject",
    "surbl",
    "url_suspect",
    "whitelist",
)
_WORKERS = {
    "normal": ("normal", 11333, "", "mime = true;"),
    "controller": (
        "controller",
        11334,
        "",
        'count = 1; password = "q1"; secure_ip = "127.0.0.1"; secure_ip = "::1"; static_dir = "$WWWDIR";',
    ),
    "rspamd_proxy": (
        "proxy",
        11332,
        "",
        (
            'milter = yes; timeout = 120s; upstream "local" { default = yes; hosts = "localhost"; } count = 1; max_retries = 5;'
            ' discard_on_reject = false; quarantine_on_reject = false; spam_header = "X-Spam";'
            ' reject_message = "Spam message rejected";'
        ),
    ),
    "fuzzy": ("fuzzy", 11335, "count = -1;", 'backend = "redis"; expire = 90d; allow_update = ["localhost"];'),
}
_OPTIONS = (
    'filters = "chartable,dkim,regexp,fuzzy_check"; one_shot = false; cache_file = "$DBDIR/symbols.cache";'
    ' map_watch_interval = 5min; map_file_watch_multiplier = 0.1; dynamic_conf = "$DBDIR/rspamd_dynamic";'
    ' history_file = "$DBDIR/rspamd.history"; check_all_filters = false; dns_max_requests = 64; max_lua_urls = 1024;'
    ' max_urls = 10240; max_recipients = 1024; dns { timeout = 1s; sockets = 16; retransmits = 5; } tempdir = "/tmp";'
    ' url_tld = "${SHAREDIR}/effective_tld_names.dat";'
    ' classify_headers = ["User-Agent", "X-Mailer", "Content-Type", "X-MimeOLE"];'
    ' control_socket = "$DBDIR/rspamd.sock mode=0600"; history_rows = 200; explicit_modules = ["settings", "bayes_expiry"];'
    ' allow_raw_input = true; words_decay = 600; rrd = "${DBDIR}/rspamd.rrd"; stats_file = "${DBDIR}/stats.ucl";'
    " local_addrs = [192.168.0.0/16, 10.0.0.0/8, 172.16.0.0/12, fd00::/8, 169.254.0.0/16, fe80::/10];"
    ' hs_cache_dir = "${DBDIR}/"; task_timeout = 8s; soft_reject_on_timeout = false;'
)
_ACTIONS = "reject = 15; add_header = 6; greylist = 4;"
_BAYES = (
    'tokenizer { name = "osb"; } cache {} new_schema = true; store_tokens = false; signatures = false; min_tokens = 11;'
    ' backend = "redis"; min_learns = 200; statfile { symbol = "BAYES_HAM"; spam = false; }'
    ' statfile { symbol = "BAYES_SPAM"; spam = true; }'
    ' learn_condition = "return require(\\"lua_bayes_learn\\").can_learn";'
)
_COMMUNIGATE = "sign_networks = [127.2.4.7];"


@dataclass(frozen=True)
class Packaged(Text):
    """A file as the package brings it: nothing of it was read on the host."""


def _section(header: str, settings: str, *includes: str) -> str:
    inside = "".join(f"    {line}\n" for line in (settings, *includes) if line)
    return f"{header} {{\n{inside}}}\n"


def _files(name: str) -> tuple[str, str]:
    return _LOCAL.format(name=name), _OVERRIDE.format(name=name)


def _module(name: str) -> str:
    names = (*filter(None, (_FORMER_NAMES.get(name),)), name)
    includes = [line for each in names for line in (_DYNAMIC.format(name=f"{each}.conf"), *_files(f"{each}.conf"))]
    return _section(name, _MODULES.get(name, ""), *includes)


def _main() -> str:
    def part(header: str, before: str, file: str) -> str:
        return _section(header, before, f'.include "$CONFDIR/{file}"', *_files(file))

    workers = [
        part(f'worker "{kind}"', f'bind_socket = "localhost:{port}"; {before}'.rstrip(), f"worker-{file}.inc")
        for kind, (file, port, before, _) in _WORKERS.items()
    ]
    return "".join(
        (
            '.include "$CONFDIR/common.conf"\n',
            part("options", 'pidfile = "$RUNDIR/rspamd.pid";', "options.inc"),
            '.include(try=true; duplicate=merge) "$CONFDIR/cgp.inc"\n',
            _LOCAL.format(name="cgp.inc") + "\n",
            _section("lang_detection", "", *_files("lang_detection.inc")),
            part("logging", 'type = "file"; filename = "$LOGDIR/rspamd.log";', "logging.inc"),
            *workers,
        )
    )


_COMMON = "".join(
    (
        'lua = "$RULESDIR/rspamd.lua"\n',
        *(
            f'.include "$CONFDIR/{name}.conf"\n'
            for name in ("metrics", "actions", "groups", "composites", "statistic", "modules", "settings")
        ),
        '.include(try=true) "$LOCAL_CONFDIR/rspamd.conf.local"\n',
        '.include(try=true,priority=10) "$LOCAL_CONFDIR/rspamd.conf.local.override"\n',
        '.include(try=true,priority=10) "$LOCAL_CONFDIR/rspamd.conf.override"\n',
        'modules { path = "${PLUGINSDIR}"; fallback_path = "${SHAREDIR}/lua"; try_path = "${LOCAL_CONFDIR}/plugins.d/"; }\n',
    )
)


def _statistic() -> str:
    local, override = (
        f'.include(try=true; priority={priority}) "$LOCAL_CONFDIR/{folder}/{{name}}"'
        for priority, folder in ((1, "local.d"), (10, "override.d"))
    )
    bayes = _section('classifier "bayes"', _BAYES, *(line.format(name="classifier-bayes.conf") for line in (local, override)))
    return bayes + "".join(line.format(name="statistic.conf") + "\n" for line in (local, override))


@cache
def files() -> dict[str, str]:
    """All packaged files by their path below rspamd's folder."""
    groups = (_section(f'group "{name}"', "", *_files(f"{name}_group.conf")) for name in _GROUPS)
    found = {
        "rspamd.conf": _main(),
        "common.conf": _COMMON,
        "options.inc": _OPTIONS,
        "cgp.inc": f"arc {{ {_COMMUNIGATE} }}\ndkim_signing {{ {_COMMUNIGATE} }}\noptions {{ local_addrs = [127.2.4.7]; }}\n",
        "logging.inc": 'level = "info"; log_re_cache = true; color = false; log_usec = false; debug_modules = [];',
        "actions.conf": _section("actions", _ACTIONS, *_files("actions.conf")),
        "metrics.conf": _section("metric", 'name = "default";', *_files("metrics.conf")),
        "groups.conf": "".join(groups) + "\n".join((*_files("groups.conf"), "")),
        "composites.conf": _section("composites", "", *_files("composites.conf")),
        "settings.conf": _section("settings", "", *_files("settings.conf")),
        "statistic.conf": _statistic(),
        "modules.conf": "".join(
            f'.include({how}glob=true) "${{CONFDIR}}/{folder}/*.conf"\n'
            for how, folder in (("", "modules.d"), ("try=true, ", "modules.local.d"))
        ),
    }
    found |= {f"worker-{file}.inc": settings for file, _, _, settings in _WORKERS.values()}
    found |= {f"modules.d/{name}.conf": _module(name) for name in sorted((*_MODULES, *_OTHER_MODULES))}
    return found


@cache
def packaged(folder: str, name: str) -> Packaged | None:
    """The packaged file of a name below rspamd's folder, if the package has one."""
    content = files().get(name)
    return None if content is None else Packaged(f"{folder}/{name}", encode(content))
