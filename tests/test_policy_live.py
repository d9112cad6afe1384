"""A policy of a live host: what the real sshd lets be measured, and the host is as its own policy has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ssh_host import running
from test_ssh_live import CANARIES, mailaudit, tree_of

from mailaudit.settings import parse_settings

MORE = "chmod 600 /etc/mail/credentials; printf 'permit nopass auditor as root cmd /bin/cat args /etc/pf.conf' > /etc/doas.conf"


@pytest.mark.daemon
def test_a_live_host_is_as_its_own_policy_has_it(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    redis = tree / "etc/redis/redis.conf"
    redis.write_text(redis.read_text() + CANARIES["etc/redis/redis.conf"].splitlines()[1] + "\n")
    policy = tmp_path / "policy.toml"
    with running(tmp_path, tree, more=MORE) as host:
        made = mailaudit(host.home, "policy", "new", "--from", host.target, "--offline", "-o", policy)
        assert made.returncode == 4, made.stderr  # the credentials are closed to it
        assert "expectations of" in made.stdout
        found = parse_settings(policy.read_bytes()).site.policy
        assert {"pf", "smtpd", "dovecot", "filters", "system"} <= {each.subject for each in found}
        assert "canary" not in policy.read_text()
        scanned = mailaudit(
            host.home, "scan", host.target, "--offline", "--config", policy, "--select", "POLICY", "--format", "json"
        )
        report = json.loads(scanned.stdout)
        assert not [each["message"] for each in report["hosts"][0]["results"] if each["verdict"] == "fail"]
        changed = policy.read_text().replace("4190]", "4191]", 1)
        policy.write_text(changed)
        scanned = mailaudit(host.home, "scan", host.target, "--offline", "--config", policy, "--select", "POLICY001")
        assert scanned.returncode == 4  # the credentials are closed to it
        assert "More: 4190; missing: 4191." in " ".join(scanned.stdout.split())
