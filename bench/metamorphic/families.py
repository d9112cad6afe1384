"""All families of faults, all ways of rewriting, and the rules that no single fault of the example can break."""

from __future__ import annotations

from bench.metamorphic import (
    faults_dovecot,
    faults_host,
    faults_loading,
    faults_more,
    faults_pf,
    faults_smtpd,
    rewrites_dovecot,
    rewrites_host,
    rewrites_pf,
    rewrites_smtpd,
)

FAMILIES = [
    *faults_pf.FAMILIES,
    *faults_smtpd.FAMILIES,
    *faults_dovecot.FAMILIES,
    *faults_host.FAMILIES,
    *faults_more.FAMILIES,
    *faults_loading.FAMILIES,
]
WAYS = [*rewrites_pf.WAYS, *rewrites_smtpd.WAYS, *rewrites_dovecot.WAYS, *rewrites_host.WAYS]
NOT_COVERED = {
    "ABUSE003": "the credentials are the only file of passwords, and CRED008 and CRED009 speak of them",
    "ABUSE010": "it is asked for by name only",
    "ABUSE007": "redis and rspamd listen on loopback: it takes two changes, and PF048 and RSPAMD002 speak of each",
    "CROSS051": "smtpd files nothing itself: Dovecot delivers",
    "CROSS005": "the pair is the one that the daemons read, of which TLS005 tells",
    "DKIM010": "example.com is no subdomain",
    "RSPAMD005": "the example holds none of the package's own files",
    "PF031": "what goes out keeps state, and the kinds are listed too: it takes two changes",
    "PF037": "no DHCPv6 client is at work here",
    "SMTPD056": "no command delivers: Dovecot does",
    "SMTPD052": "the rule for the domain stands first: it takes two changes",
    "TLS016": "a weak key would need another certificate",
    **{
        f"POLICY00{number}": "the example has no policy; tests/test_policy.py changes a host that has one"
        for number in range(1, 8)
    },
}
"""Rules that no single change of the corrected example can break, and why."""
