"""rspamd's settings as they take effect on a host: from which file each comes, workers, keys that sign, packaged values."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from daemons import Root, need, roots, rspamadm

from bench.agreement.ucl import host, same
from mailaudit.checks.rspamd.edits import set_to
from mailaudit.models.rspamd.config import RspamdConfig, Worker, read_rspamd
from mailaudit.models.rspamd.files import variables
from mailaudit.models.rspamd.stock import files
from mailaudit.models.sources import Known, Lacking, NotHere, Sources
from mailaudit.models.ucl.values import Value, as_json
from mailaudit.questions import Answer, Failed, Found, ListFiles, Question, ReadFile, Reason
from mailaudit.snapshot import Snapshot

FIXTURES = Path(__file__).parent / "fixtures/configs/rspamd"
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host root with the fixtures in it."""
    shutil.copytree(FIXTURES, tmp_path / "etc/rspamd")
    return tmp_path


def of(root: Path, **files: str) -> RspamdConfig:
    """The model of a root, with files of /etc/rspamd written into it first."""
    for name, chars in files.items():
        path = root / "etc/rspamd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(chars)
    model = host(root)
    assert model is not None
    return model


def value(model: RspamdConfig, *names: str) -> Value:
    found = model.get(*names)
    assert found is not None
    return found


def worker(model: RspamdConfig, kind: str) -> Worker:
    [found] = [each for each in model.workers if each.kind == kind]
    return found


def test_each_value_knows_where_it_was_decided_and_what_it_overrides(root: Path) -> None:
    model = of(root)
    found = value(model, "dkim_signing", "allow_username_mismatch")
    assert (found.truth, found.span.path, found.span.line) == (False, "/etc/rspamd/override.d/dkim_signing.conf", 2)
    local, packaged = found.before
    assert (local.truth, local.span.path) == (True, "/etc/rspamd/local.d/dkim_signing.conf")
    assert model.is_packaged(packaged)
    assert not model.is_packaged(found)
    assert model.assumed
    assert not model.refusals
    assert not model.not_read


def test_workers(root: Path) -> None:
    model = of(root)
    normal = worker(model, "normal")
    assert [(bind.host, bind.port, bind.is_loopback) for bind in normal.binds] == [
        ("127.0.0.1", 11333, True),
        ("::1", 11333, True),
    ]
    assert [bind.value.span.line for bind in normal.binds] == [1, 2]
    controller = worker(model, "controller")
    assert [bind.is_loopback for bind in controller.binds] == [True]
    assert [before.text for before in controller.binds[0].value.before] == ["*:11334", "localhost:11334"]
    assert [each.text for each in controller.section.all("secure_ip")] == ["127.0.0.1", "203.0.113.9"]
    proxy = worker(model, "rspamd_proxy")
    assert [(bind.path, bind.is_loopback) for bind in proxy.binds] == [("/var/run/rspamd/milter.sock", True)]
    assert [each.is_enabled for each in model.workers] == [True, True, True, False]
    assert worker(model, "fuzzy").file == "worker-fuzzy.inc"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"*:11333"', ("*", 11333, None, False)),
        ('"*v6:11333"', ("*v6", 11333, None, False)),
        ('"127.0.0.1"', ("127.0.0.1", 11333, None, True)),
        ('"127.0.0.1:11400:5"', ("127.0.0.1", 11400, None, True)),
        ('":11400"', ("localhost", 11400, None, True)),  # not all addresses: no host is loopback
        ('"::1"', ("localhost", None, None, True)),  # the same, on a port that the kernel chooses
        ('"localhost:"', ("localhost", None, None, True)),
        ('"systemd:0"', (None, None, None, None)),
        ('"[2001:db8::9]:11333"', ("2001:db8::9", 11333, None, False)),
        ('"203.0.113.9:5000"', ("203.0.113.9", 5000, None, False)),
        ('"mail.example.com:11333"', ("mail.example.com", 11333, None, None)),
        ('"/var/run/rspamd.sock mode=0660"', (None, None, "/var/run/rspamd.sock", True)),
        ('"{= env.BIND =}"', (None, None, None, None)),
    ],
)
def test_sockets(tmp_path: Path, written: str, expected: object) -> None:
    model = of(tmp_path, **{"local.d/worker-normal.inc": f"bind_socket = {written};\n"})
    [bind] = worker(model, "normal").binds
    assert (bind.host, bind.port, bind.path, bind.is_loopback) == expected


@pytest.mark.parametrize("written", ["unix:/tmp/x.sock", "2001:db8::9", "127.0.0.1:http", "127.0.0.1:11333 x", "a:1,b:2"])
def test_a_socket_that_rspamd_refuses(tmp_path: Path, written: str) -> None:
    """As configtest of 3.4 and 4.1.5 does: `cannot parse bind line`."""
    model = of(tmp_path, **{"local.d/worker-normal.inc": f'bind_socket = "{written}";\n'})
    [bind] = worker(model, "normal").binds
    assert (bind.host, bind.port, bind.path) == (None, None, None)
    assert [(problem.span.path, problem.span.chars) for problem in model.refusals] == [
        ("/etc/rspamd/local.d/worker-normal.inc", f'"{written}"')
    ]


@pytest.mark.parametrize("written", ['a = "{= env.X";', "# {# not closed", "re = '/{=/';", "{= env.A =} {% if"])
def test_a_template_that_is_never_closed_is_refused_wherever_it_stands(tmp_path: Path, written: str) -> None:
    """3.4 and 4.1.5: `cannot call lua jinja_template script`."""
    model = of(tmp_path, **{"local.d/greylist.conf": f"b = 1; # {{= env.A | default('x') =}}\n{written}\n"})
    places = [(each.span.path, each.span.line, each.span.chars[0]) for each in model.refusals]
    assert ("/etc/rspamd/local.d/greylist.conf", 2, "{") in places


@pytest.mark.daemon
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
@pytest.mark.parametrize("written", ["unix:/tmp/x.sock", "2001:db8::9", ":11400", "::1", "./x.sock", "127.0.0.1:11400:5"])
def test_rspamd_refuses_the_sockets_that_we_say_it_refuses(root: Root, shared: Path, tmp_path: Path, written: str) -> None:
    need(root, "rspamadm")
    file = {"local.d/worker-normal.inc": f'bind_socket = "{written}";\n'}
    refused = of(tmp_path / "ours", **file).refusals
    shutil.copytree(tmp_path / "ours/etc/rspamd", shared / "rspamd")
    done = rspamadm(root, f"--var=LOCAL_CONFDIR={root.inside(shared / 'rspamd')}", "configtest")
    assert ("syntax BAD" in done.stdout, "cannot parse bind line" in done.stderr) == (bool(refused), bool(refused))


@pytest.mark.parametrize(("written", "expected"), [("count = 0;", False), ("count = 1;", True), ("enabled = no;", False)])
def test_a_worker_that_is_never_started(tmp_path: Path, written: str, expected: object) -> None:
    assert worker(of(tmp_path, **{"local.d/worker-normal.inc": written}), "normal").is_enabled is expected


def test_the_keys_that_sign(root: Path) -> None:
    dkim = of(root).dkim
    keys = {domain: [(key.selector, key.path) for key in dkim.keys(domain)] for domain in dkim.domains}
    assert keys == {
        "example.com": [("selector0", "/etc/mail/dkim/example.com.key")],
        "example.org": [("rsa", "/etc/mail/dkim/rsa.key"), ("ed", "/etc/mail/dkim/ed25519.key")],
        "example.net": [("old", "/etc/mail/dkim/example.net.key")],
    }
    [fallback] = dkim.keys("nowhere.example")
    assert fallback.fallback
    assert fallback.path == "/etc/mail/dkim/nowhere.example.key"
    assert (dkim.flag("use_esld"), dkim.flag("check_pubkey"), dkim.flag("allow_pubkey_mismatch")) == (False, False, True)
    assert dkim.word("use_domain") == "header"
    assert not dkim.unknown


def test_keys_without_any_file_are_rspamds_own(tmp_path: Path) -> None:
    dkim = of(tmp_path, **{"local.d/redis.conf": ""}).dkim
    assert [(key.selector, key.path) for key in dkim.keys("example.com")] == [("dkim", "/var/rspamd/dkim/example.com.dkim.key")]
    off = of(tmp_path, **{"local.d/dkim_signing.conf": 'try_fallback = false; selector_map = "/etc/mail/selectors";\n'}).dkim
    assert off.keys("example.com") == ()
    assert [each.text for each in off.unknown] == ["/etc/mail/selectors"]


def test_modules_that_are_loaded(root: Path) -> None:
    model = of(root)
    assert {name: model.is_enabled(name) for name in ("spf", "dkim", "dmarc", "greylist", "nonesuch")} == {
        "spf": True,
        "dkim": True,
        "dmarc": True,
        "greylist": False,  # rspamd.conf.override says so
        "nonesuch": False,
    }
    for written, expected in (("0", True), ("null", True), ('"false"', False), ("off", False), ('"nope"', None)):
        assert of(root, **{"local.d/dmarc.conf": f"enabled = {written};"}).is_enabled("dmarc") is expected  # configdump -m
    of(root, **{"local.d/options.inc": 'filters = "regexp";', "local.d/dmarc.conf": ""})
    assert {name: of(root).is_enabled(name) for name in ("dkim", "dkim_signing", "arc", "spf")} == {
        "dkim": False,
        "dkim_signing": False,  # its Lua needs the module of C
        "arc": False,
        "spf": True,
    }


def test_thresholds_and_numbers(root: Path) -> None:
    model = of(root)
    assert [value(model, "actions", name).number for name in ("reject", "add_header", "greylist")] == [12, 5.5, None]
    assert value(model, "redis", "timeout").number == 0.5
    assert [each.text for each in value(model, "redis").all("servers")] == ["127.0.0.1", "203.0.113.9:6379"]
    assert value(model, "settings", "authenticated", "authenticated").truth is True


def test_secrets_are_known_and_the_stock_password_is_none(root: Path) -> None:
    assert dict.fromkeys(secret for _, secret in of(root).secrets).keys() == {"$2$abcdefghijklmnop$qrstuvwxyz"}


def test_a_file_that_no_module_includes_is_named(root: Path) -> None:
    model = of(root, **{"local.d/dkim_singing.conf": "enabled = false;\n", "local.d/list.map": "x\n"})
    assert model.unused == ("/etc/rspamd/local.d/dkim_singing.conf",)
    assert "/etc/rspamd/local.d/more-settings.inc" in model.own


def test_a_file_that_rspamd_refuses(root: Path) -> None:
    model = of(root, **{"local.d/redis.conf": 'servers = "127.0.0.1"\ntimeout 1s; x\npassword = "secret-word";\n'})
    assert [(problem.span.path, problem.span.line) for problem in model.refusals] == [("/etc/rspamd/local.d/redis.conf", 2)]
    assert ("rspamd", "secret-word") in model.secrets


def test_the_hosts_own_packaged_files_come_first(root: Path) -> None:
    include = '.include(try=true,priority=1,duplicate=merge) "$LOCAL_CONFDIR/local.d/dkim_signing.conf"'
    model = of(root, **{"modules.d/dkim_signing.conf": f"dkim_signing {{ use_esld = false; {include} }}\n"})
    assert value(model, "dkim_signing", "allow_username_mismatch").truth is True  # override.d is not included there
    assert model.get("spf") is None
    assert "/etc/rspamd/modules.d/dkim_signing.conf" not in model.packaged


def test_nothing_of_rspamd_is_no_model(tmp_path: Path) -> None:
    assert host(tmp_path) is None
    assert isinstance(read_rspamd(Sources(Snapshot("h", "t", {}))), NotHere)


def test_a_folder_that_cannot_be_looked_into_is_no_pass() -> None:
    answers: dict[Question, Answer] = {
        ListFiles("/etc/rspamd/*"): Found(("/etc/rspamd/rspamd.conf",)),
        ListFiles("/etc/rspamd/local.d/*"): Failed(Reason.UNREADABLE, "permission denied"),
    }
    slot = read_rspamd(Sources(Snapshot("h", "t", answers, recorded=True)))
    assert isinstance(slot, Lacking)
    assert slot.reason is Reason.UNREADABLE


def test_freebsds_folder() -> None:
    path = "/usr/local/etc/rspamd/local.d/redis.conf"
    answers: dict[Question, Answer] = {
        ListFiles("/usr/local/etc/rspamd/local.d/*"): Found((path,)),
        ReadFile(path): Found(b'servers = "127.0.0.1";\n'),
    }
    slot = read_rspamd(Sources(Snapshot("h", "t", answers)))
    assert isinstance(slot, Known)
    assert value(slot.value, "redis", "servers").span.path == path
    assert slot.value.local("x") == "/usr/local/etc/rspamd/local.d/x"


@pytest.mark.parametrize("example", ["as-published", "corrected"])
def test_the_examples(example: str) -> None:
    model = host(EXAMPLES / example)
    assert model is not None
    assert not model.refusals
    [key] = model.dkim.keys("example.com")
    assert (key.path, key.fallback) == ("/etc/mail/dkim/example.com.key", False)


def test_a_fix_writes_into_the_sites_own_files_where_the_packaged_ones_say_it(tmp_path: Path) -> None:
    folder = tmp_path / "etc/rspamd"
    for name, chars in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(chars)
    (folder / "actions.conf").write_text(files()["actions.conf"].replace("reject = 15", "reject = 5"))
    (folder / "override.d").mkdir()
    (folder / "override.d/dkim_signing.conf").write_text("try_fallback = true; domain { d.example { selector = s; } }\n")
    model = of(tmp_path)
    assert not model.packaged
    [password] = [each.section.get("password") for each in model.workers if each.kind == "controller"]
    for name, value_, path in (
        ("worker-controller.inc", password, ("password",)),
        ("actions.conf", model.get("actions", "reject"), ("reject",)),
        ("dkim_signing.conf", model.dkim.value("use_esld"), ("use_esld",)),
    ):
        [edit] = set_to(model, value_, name, path, "new")
        assert (edit.path, model.is_packaged(value(model, "actions", "reject"))) == (f"/etc/rspamd/local.d/{name}", False)
    [edit] = set_to(model, model.dkim.value("try_fallback"), "dkim_signing.conf", ("try_fallback",), to=False)
    assert edit.path == "/etc/rspamd/override.d/dkim_signing.conf"
    (folder / "actions.conf").write_text("actions { reject = 5; }\n")  # includes nothing any more
    [edit] = set_to(of(tmp_path), of(tmp_path).get("actions", "reject"), "actions.conf", ("reject",), 15)
    assert edit.path == "/etc/rspamd/actions.conf"


SINCE = {  # what newer releases package otherwise; no rule asks for any of it
    "arc": ("sign_networks", "sign_symbol", "symbol_sign"),
    "classifier": ("learn_condition",),
    "dkim_signing": ("sign_networks",),
    "history_redis": ("key_prefix",),
    "logging": ("log_format",),
    "options": ("check_all_filters", "enable_mime_utf", "hs_cache_dir", "local_addrs", "maps", "url_tld"),
    "worker": ("allow_file_and_shm_inputs", "timeout", "token_bucket"),
}


def without(value: Any, names: tuple[str, ...]) -> Any:
    """A value without settings of these names, and without null."""
    if isinstance(value, list):
        return [without(each, names) for each in value]
    if isinstance(value, dict):
        return {name: without(each, names) for name, each in value.items() if name not in names and each is not None}
    return value


@pytest.mark.daemon
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_what_we_take_for_packaged_is_what_the_package_brings(root: Root, shared: Path, tmp_path: Path) -> None:
    """The fixtures on our packaged files, against the fixtures on Debian's."""
    need(root, "rspamadm")
    local = root.inside(shutil.copytree(FIXTURES, shared / "rspamd"))
    shutil.copytree(FIXTURES, tmp_path / "host/etc/rspamd")
    dumped: Any = json.loads(rspamadm(root, f"--var=LOCAL_CONFDIR={local}", "configdump", "-j", "-C").stdout)
    paths = variables("/etc/rspamd")
    debian = {
        "LOGDIR": "/var/log/rspamd",
        "DBDIR": "/var/lib/rspamd",
        "SHAREDIR": "/usr/share/rspamd",
        "LOCAL_CONFDIR": local,
    }
    written = json.dumps(as_json(of(tmp_path / "host").root, emitted=True))
    written = written.replace("/var/run/rspamd/rspamd.pid", "/run/rspamd/rspamd.pid").replace('"localhost:', '"127.0.0.1:')
    for name, path in debian.items():
        written = written.replace(paths[name], path)
    ours: Any = json.loads(written)
    dumped["worker"] = json.loads(json.dumps(dumped["worker"]).replace('"localhost:', '"127.0.0.1:'))
    dumped["worker"] = [each for each in dumped["worker"] if "hs_helper" not in each]  # listens on nothing
    whole = "actions arc classifier custom dkim dkim_signing dmarc greylist history_redis logging milter_headers options"
    for name in (*whole.split(), "ratelimit", "redis", "replies", "settings", "spf", "worker"):
        mine, theirs = (without(each[name], SINCE.get(name, ())) for each in (ours, dumped))
        assert same(mine, theirs), (name, mine, theirs)
    assert dumped.keys() - ours.keys() == set()


def test_the_public_key_of_a_fuzzy_storage_is_no_secret(root: Path) -> None:
    key = "icy63itbhhni8bq15ntp5n5symuixf73s1kpjh6skaq4e7nx5fiy"
    model = of(root, **{"modules.d/fuzzy_check.conf": f'fuzzy_check {{ rule "rspamd.com" {{ encryption_key = "{key}"; }} }}\n'})
    assert any(key in tree.text.chars for tree in model.trees)
    assert key not in dict(model.secrets).values()
