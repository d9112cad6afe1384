"""What is written from nothing, the real programs take: smtpd, doveconf, sievec, rspamadm, nsd and named's checkers.

OpenBSD's paths and words stand for Debian's where a daemon looks at them; each such stand-in is in `DEBIAN`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import dns.message
import dns.query
import pytest
from daemons import HERE, Root, need, roots, rspamadm
from dns_lab import free_port
from dovecot_running import running
from test_founding import PUBKEY, block, made, record

from mailaudit.founding.files import CHECKLIST
from mailaudit.founding.wish import Wish

pytestmark = pytest.mark.daemon
EVERY = pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
WISHES = {
    "both": Wish("acme-mail.org", "h1", "9.9.9.9", "2620:fe::fe", ("anna", "bob")),
    "ipv4": Wish("corp.acme-mail.org", "h1", "9.9.9.9", None, ("anna",)),
    "ipv6": Wish("xn--bcher-kva.de", "h1", None, "2620:fe::fe"),
}
EACH = pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
DEBIAN = {
    "listen on all": "listen on lo",  # Linux has no address by that name
    "port submission": "port 587",  # the newer root has no /etc/services
    "/usr/local/lib/dovecot/sieve": "SIEVE",
    "/usr/local/lib/dovecot": "/usr/lib/dovecot/modules",
    "user = vmail": "user = mail",
}


@pytest.fixture
def laid(shared: Path) -> Path:
    """A folder that programs of the root can see."""
    folder = shared / "host"
    folder.mkdir()
    return folder


def lay(root: Root, folder: Path, wish: Wish) -> str:
    """Write the files there with secrets as the checklist makes them, a certificate, Debian's paths. Gives its name inside."""
    files = made(wish)
    inside = root.inside(folder)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    subprocess.run(["sh", "-c", block(files[CHECKLIST], "sed -i")], cwd=folder, check=False)
    for file in folder.rglob("*"):
        if file.is_file() and file.name != CHECKLIST:
            text = file.read_text()
            for ours, theirs in DEBIAN.items():
                text = text.replace(ours, theirs.replace("SIEVE", f"{inside}/usr/local/lib/dovecot/sieve"))
            file.write_text(re.sub(r"(?<![\w/])/etc/(?!services)", f"{inside}/etc/", text))
    mail = re.findall(r"acme-client -v (\S+)", files[CHECKLIST])[0]
    key, certificate = folder / f"etc/ssl/private/{mail}.key", folder / f"etc/ssl/{mail}.pem"
    key.parent.mkdir(parents=True)
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", f"/CN={mail}"]
    subprocess.run([*new, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    key.chmod(0o600)
    (folder / "etc/ssl/dovecot").mkdir()
    shutil.copy(PUBKEY.parents[2] / "ssl/dovecot/dh.pem", folder / "etc/ssl/dovecot/dh.pem")
    (folder / "etc/mail/smtpd.conf").chmod(0o600)
    return inside


@EVERY
@EACH
def test_smtpd_takes_its_file(root: Root, laid: Path, wish: Wish) -> None:
    need(root, "smtpd")
    inside = lay(root, laid, wish)
    done = root.run("smtpd", "-n", "-f", f"{inside}/etc/mail/smtpd.conf")
    assert (done.returncode, done.stderr.strip()) == (0, "configuration OK")


@EVERY
@EACH
def test_doveconf_takes_its_files(root: Root, laid: Path, wish: Wish) -> None:
    need(root, "doveconf")
    version = root.run("dovecot", "--version").stdout[:3]
    inside = lay(root, laid, Wish(wish.domain, wish.host, wish.ipv4, wish.ipv6, wish.users, dovecot=version))
    done = root.run("doveconf", "-c", f"{inside}/etc/dovecot/dovecot.conf", "-n")
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("ssl = required", "lmtp", f"{inside}/etc/mail/credentials", "/var/vmail/%"):
        assert said in done.stdout
    other = "2.4" if version == "2.3" else "2.3"
    shutil.rmtree(laid)
    laid.mkdir()
    inside = lay(root, laid, Wish(wish.domain, wish.host, wish.ipv4, wish.ipv6, wish.users, dovecot=other))
    assert root.run("doveconf", "-c", f"{inside}/etc/dovecot/dovecot.conf", "-n").returncode != 0


@EVERY
def test_sievec_compiles_the_scripts(root: Root, laid: Path) -> None:
    need(root, "sievec")
    version = root.run("dovecot", "--version").stdout[:3]
    inside = lay(root, laid, Wish("acme-mail.org", "h1", "9.9.9.9", dovecot=version))
    for name in ("spam-to-junk", "report-spam", "report-ham"):
        done = root.run(
            "sievec", "-c", f"{inside}/etc/dovecot/dovecot.conf", f"{inside}/usr/local/lib/dovecot/sieve/{name}.sieve"
        )
        assert done.returncode == 0, done.stderr
        assert (laid / f"usr/local/lib/dovecot/sieve/{name}.svbin").stat().st_size


@EVERY
@EACH
def test_rspamd_takes_its_files(root: Root, laid: Path, wish: Wish) -> None:
    need(root, "rspamadm")
    inside = lay(root, laid, wish)
    local = f"--var=LOCAL_CONFDIR={inside}/etc/rspamd"
    assert "syntax OK" in rspamadm(root, local, "configtest").stdout
    dumped = rspamadm(root, local, "configdump", "dkim_signing").stdout
    assert f"{inside}/etc/mail/dkim/{wish.domain}.key" in dumped
    assert ("use_esld = false" in dumped) is (wish.domain.count(".") > 1)


@pytest.mark.parametrize("root", [HERE], ids=["installed"])
@pytest.mark.parametrize("checker", ["nsd-checkzone", "named-checkzone"])
@EACH
def test_name_servers_take_the_zone(root: Root, tmp_path: Path, wish: Wish, checker: str) -> None:
    """With SOA and NS of an operator's, and the record of a key."""
    need(root, checker)
    head = f"{wish.domain}. 300 IN SOA ns.operator.net. hostmaster.{wish.domain}. 1 3600 900 604800 300\n"
    zone = tmp_path / "zone"
    text = made(wish)[f"{wish.domain}.zone"]
    zone.write_text(
        f"{head}{wish.domain}. 300 IN NS ns.operator.net.\n{text}" + record(PUBKEY, wish.domain, "selector0", tmp_path)
    )
    done = root.run(checker, wish.domain, str(zone))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"warning|error|ignor", done.stdout + done.stderr)


@pytest.mark.parametrize("root", [HERE], ids=["installed"])
def test_a_name_server_answers_the_zone(root: Root, tmp_path: Path) -> None:
    """On loopback: nsd has it, and says what a panel would."""
    need(root, "nsd")
    wish, port = WISHES["both"], free_port()
    head = f"{wish.domain}. 300 IN SOA ns.operator.net. hostmaster.{wish.domain}. 1 3600 900 604800 300\n"
    zone = head + made(wish)[f"{wish.domain}.zone"] + record(PUBKEY, wish.domain, "selector0", tmp_path)
    (tmp_path / "zone").write_text(zone)
    (tmp_path / "nsd.conf").write_text(
        f'server:\n port: {port}\n ip-address: 127.0.0.1\n username: ""\n zonesdir: "{tmp_path}"\n database: ""\n'
        f' pidfile: "{tmp_path}/nsd.pid"\n xfrdfile: "{tmp_path}/xfrd.state"\n zonelistfile: "{tmp_path}/zone.list"\n'
        f'remote-control:\n control-enable: no\nzone:\n name: "{wish.domain}"\n zonefile: "{tmp_path}/zone"\n'
    )
    said = subprocess.DEVNULL
    daemon = subprocess.Popen(["nsd", "-d", "-c", f"{tmp_path}/nsd.conf"], stdout=said, stderr=said)
    try:
        answers = {}
        for owner, kind in (
            ("@", "MX"),
            ("@", "TXT"),
            ("@", "CAA"),
            ("mail", "AAAA"),
            ("h1", "A"),
            ("selector0._domainkey", "TXT"),
        ):
            query = dns.message.make_query(wish.domain if owner == "@" else f"{owner}.{wish.domain}", kind)
            answers[owner, kind] = [str(data) for rrset in _asked(query, port).answer for data in rrset]
    finally:
        daemon.terminate()
        daemon.wait(10)
    assert answers["@", "MX"] == ["0 mail.acme-mail.org."]
    assert answers["@", "TXT"] == ['"v=spf1 ip4:9.9.9.9 ip6:2620:fe::fe ~all"']
    assert set(answers["@", "CAA"]) == {
        '0 issue "letsencrypt.org"', '0 issuewild ";"', '0 iodef "mailto:caareport@acme-mail.org"',
    }  # fmt: skip
    assert (answers["mail", "AAAA"], answers["h1", "A"]) == (["2620:fe::fe"], ["9.9.9.9"])
    assert answers["selector0._domainkey", "TXT"] == [record(PUBKEY, wish.domain, "selector0", tmp_path).split("\t")[3].strip()]


def _asked(query: dns.message.Message, port: int) -> dns.message.Message:
    for _ in range(100):
        try:
            return dns.query.tcp(query, "127.0.0.1", port=port, timeout=2)
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nsd does not answer")


ALONE = {
    r"^protocols = .*\n": "",  # no port is opened
    r"^ssl = .*\n": "",
    r"^ssl_(?:server_)?(?:cert|key|dh)\w* = .*\n": "",
    r"/usr/local/lib/dovecot/sieve": "/nowhere",
    r"/usr/local/lib/dovecot": "/usr/lib/dovecot/modules",
    r"/etc/mail/credentials": "USERS",
    r"user = vmail": "user = mail",
}
"""What of local.conf is otherwise where Dovecot runs by itself: no ports, no TLS, Debian's paths."""


@EVERY
def test_a_running_dovecot_finds_users_and_their_mail(root: Root) -> None:
    need(root, "doveadm")
    family = root.run("dovecot", "--version").stdout[:3]
    files = made(Wish("acme-mail.org", "h1", "9.9.9.9", users=("anna", "bob"), dovecot=family))
    text = files["etc/dovecot/conf.d/15-mailboxes.conf"] + files["etc/dovecot/local.conf"]
    for ours, theirs in ALONE.items():
        text = re.sub(ours, theirs, text, flags=re.MULTILINE)
    users = re.sub(r"\{\{masked:[^}]*\}\}", "x", files["etc/mail/credentials"])
    with running(root, family, text, users) as dovecot:
        for user in ("anna", "bob"):
            field = dovecot.field(f"{user}@acme-mail.org")
            assert (field["uid"], field["gid"], field["home"]) == ("2000", "2000", f"/var/vmail/acme-mail.org/{user}/home")
            if family == "2.3":
                assert field["mail"] == f"maildir:/var/vmail/acme-mail.org/{user}"
            else:
                assert field["mail_path"] == f"/var/vmail/acme-mail.org/{user}"
        assert not dovecot.field("nobody@acme-mail.org")


def test_each_stand_in_is_needed() -> None:
    text = "\n".join([*made(WISHES["both"]).values(), *made(Wish("a.org", "b", "9.9.9.9", dovecot="2.4")).values()])
    assert [ours for ours in DEBIAN if ours in text] == list(DEBIAN)
