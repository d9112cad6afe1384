"""The checks: facts in, findings out; pure. Each module is named here, none is discovered."""

from __future__ import annotations

from mailaudit.checks import (  # noqa: F401  importing a module declares its rules
    acme,
    acme_files,
    acme_renewal,
    agreement,
    agreement_challenge,
    agreement_ports,
    agreement_users,
    aliases,
    credentials,
    credentials_fields,
    credentials_files,
    dkim,
    dkim_signing,
    dovecot,
    dovecot_listeners,
    dovecot_users,
    host_access,
    host_limits,
    host_packages,
    host_services,
    host_system,
    host_users,
    host_vmail,
    httpd,
    pf,
    pf_policy,
    pf_ports,
    rspamd,
    sieve,
    sieve_scripts,
    smtpd,
    smtpd_actions,
    smtpd_listeners,
    smtpd_routing,
    tls,
    tls_files,
    virtuals,
    virtuals_targets,
)
from mailaudit.checks.registry import REGISTRY, Declared

CHECKS: dict[str, Declared] = REGISTRY
