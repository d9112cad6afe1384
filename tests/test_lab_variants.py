"""One thing at a time is otherwise than it should be: the right verdict and code, within the budget, from real daemons."""

from __future__ import annotations

import pytest
from lab import BASE, Certificate, Lab, Variant, check

pytestmark = pytest.mark.daemon

OTHER_KEY = f"mail.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}\n"
VARIANTS = (
    BASE,
    Variant("PTR missing", {"DNS014": "fail"}, records={"9.113.0.203.in-addr.arpa. PTR": ()}),
    Variant("certificate has expired", {"TLS002": "fail", "ACME015": "fail"}, certificate=Certificate(since=-100, until=-10)),
    Variant("certificate is for another name", {"TLS003": "fail"}, certificate=Certificate(("www.example.com",))),
    Variant(
        "key is not the certificate's",
        {"TLS005": "fail", "CROSS005": "not-applicable", "HOST036": "fail"},
        other_key=True,
        restart=False,
    ),
    Variant(
        "SPF twice",
        {"DNS020": "fail"},
        records={"example.com. TXT": ('"v=spf1 ip4:203.0.113.9 ip6:2001:db8::9 ~all"', '"v=spf1 mx -all"')},
    ),
    Variant("zone is bogus", {"DNS001": "fail"}, code=4, blinds=True, bogus=("example.com.",)),
    Variant(
        "the system's resolver says SERVFAIL",
        code=4,
        says=("mail.example.com",),
        servers={"192.0.2.66": "servfail"},
        resolvers=("192.0.2.66",),
    ),
    Variant("port 25 never speaks", code=4, blinds=True, ports={25: "silent"}),
    Variant(
        "587 takes logins without TLS",
        {"SMTPD023": "fail"},
        edits={"/etc/mail/smtpd.conf": (("submission tls-require", "submission tls"),)},
    ),
    Variant("doas refuses", code=4, blinds=True, files={"/etc/doas.conf": "permit persist :wheel\n"}),
    Variant("host key has changed", code=4, says=("has changed",), known_hosts=OTHER_KEY),
)


@pytest.fixture(scope="module")
def base(lab: Lab) -> dict[str, str]:
    found = lab.scan()
    assert found.verdicts, found.errors
    return found.verdicts


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_variant(lab: Lab, base: dict[str, str], variant: Variant) -> None:
    check(lab, base, variant)
