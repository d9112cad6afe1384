"""One thing at a time is otherwise than it should be: the right verdict and code, within the budget, from real daemons."""

from __future__ import annotations

import pytest
from lab import BASE, Certificate, Lab, Variant, check
from lab.certificates import public_der, rsa_key
from lab.zones import dkim_text, strings

pytestmark = pytest.mark.daemon

OTHER_KEY = f"mail.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}\n"
V4 = "9.113.0.203.in-addr.arpa. PTR"
V6 = "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR"
SPF = '"v=spf1 ip4:203.0.113.9 ip6:2001:db8::9 ~all"'
DKIM = "selector0._domainkey.example.com. TXT"
DMARC = '"v=DMARC1; p=quarantine; rua=mailto:dmarcreport@example.com"'
SMTPD = "/etc/mail/smtpd.conf"
NO_DMARC = {"DNS040": "fail", **dict.fromkeys(("DNS041", "DNS042", "DNS043", "DNS044"), "not-applicable")}
SILENT = dict.fromkeys(("CROSS022", "CROSS092", "TLS010", "TLS014", "TLS015"), "unknown")
ODD = ("--resolver", "192.0.2.66")


def including(number: int) -> dict[str, tuple[str, ...]]:
    """An SPF record that asks for so many others."""
    names = [f"_spf{each}.example.org" for each in range(number)]
    whole = "v=spf1 ip4:203.0.113.9 ip6:2001:db8::9 " + " ".join(f"include:{each}" for each in names) + " ~all"
    return {"example.com. TXT": (strings(whole),), **{f"{each}. TXT": ('"v=spf1 ip4:192.0.2.1 -all"',) for each in names}}


CERTIFICATES = (
    Variant("certificate has expired", {"TLS002": "fail", "ACME015": "fail"}, certificate=Certificate(since=-100, until=-10)),
    Variant("certificate is for another name", {"TLS003": "fail"}, certificate=Certificate(("www.example.com",))),
    Variant("certificate comes without its chain", {"TLS006": "fail"}, certificate=Certificate(chain=False)),
    Variant(
        "key is not the certificate's",
        {"TLS005": "fail", "CROSS005": "not-applicable", "HOST036": "fail", "SMTPD055": "not-applicable"},
        other_key=True,
        restart=False,
    ),
)
NAMES = (
    Variant("PTR missing", {"DNS014": "fail"}, records={V4: ()}),
    Variant("PTR missing for IPv6 alone", {"DNS015": "fail"}, records={V6: ()}),
    Variant(
        "PTR is a generic name",
        {"DNS014": "fail", "DNS018": "not-applicable"},
        records={
            V4: ("203-0-113-9.dyn.example.org.",),
            "203-0-113-9.dyn.example.org. A": ("203.0.113.9",),
        },
    ),
    Variant(
        "PTR is an alias",
        {"DNS017": "fail", "CROSS091": "fail"},
        records={V4: ("front.example.com.",), "front.example.com. CNAME": ("host7.example.com.",)},
    ),
    Variant(
        "MX is an alias",
        {"DNS006": "fail", "CROSS003": "not-applicable"},
        records={"example.com. MX": ("0 mx.example.com.",), "mx.example.com. CNAME": ("mail.example.com.",)},
    ),
    Variant(
        "CAA forbids the authority",
        {"CROSS070": "fail", "DNS010": "fail"},
        records={"example.com. CAA": ('0 issue "other.example.org"',)},
    ),
)
SENDING = (
    Variant("SPF twice", {"DNS020": "fail"}, records={"example.com. TXT": (SPF, '"v=spf1 mx -all"')}),
    Variant("SPF asks for too much", {"DNS023": "fail"}, records=including(11)),
    Variant(
        "SPF asks for what is not there",
        {"DNS023": "fail"},
        records={
            "example.com. TXT": (
                '"v=spf1 ip4:203.0.113.9 ip6:2001:db8::9 a:no1.example.com a:no2.example.com a:no3.example.com ~all"',
            )
        },
    ),
    Variant("SPF without IPv6", {"DNS021": "fail"}, records={"example.com. TXT": ('"v=spf1 ip4:203.0.113.9 ~all"',)}),
    Variant("DKIM key is another", {"CROSS040": "fail"}, records={DKIM: (dkim_text(public_der(rsa_key())),)}),
    Variant(
        "DKIM key is cut off",
        {"DNS032": "fail", "CROSS040": "not-applicable"},
        records={DKIM: (dkim_text(public_der(rsa_key()))[:200] + '"',)},
    ),
    Variant(
        "DKIM key is behind a wildcard",
        {"DNS030": "fail", "DNS011": "fail", "CROSS040": "not-applicable"},
        records={DKIM: (), "*.example.com. TXT": ('"v=spf1 -all"',)},
    ),
    Variant("DMARC missing", NO_DMARC, records={"_dmarc.example.com. TXT": ()}),
    Variant("DMARC twice", NO_DMARC, records={"_dmarc.example.com. TXT": (DMARC, '"v=DMARC1; p=none"')}),
)
LISTENERS = (
    Variant(
        "25 has no STARTTLS",
        {"SMTPD022": "fail", "TLS010": "not-applicable"},
        edits={SMTPD: (("all tls pki mail.example.com", "all"),)},
    ),
    Variant("587 takes logins without TLS", {"SMTPD023": "fail"}, edits={SMTPD: (("submission tls-require", "submission tls"),)}),
    Variant("587 takes passwords in clear", {"TLS011": "fail"}, ports={587: "in-clear"}),
    Variant("open relay", {"SMTPD044": "fail"}, edits={SMTPD: (("match from local for any", "match from any for any"),)}),
    Variant("25 never speaks", SILENT, code=4, ports={25: "silent"}),
    Variant("25 greets without end", SILENT, code=4, ports={25: "endless"}),
    Variant("25 sends rubbish", SILENT, code=4, ports={25: "junk"}),
    Variant("25 sends one byte a second", SILENT, code=4, ports={25: "drip"}),
    Variant("25 resets the handshake", SILENT, code=4, ports={25: "reset-in-tls"}),
    Variant("25 is busy", {"TLS010": "unknown", "TLS014": "unknown"}, code=4, ports={25: "busy"}),
    Variant("a firewall swallows 993", {"CROSS022": "unknown", "TLS012": "not-applicable"}, code=4, ports={993: "drop"}),
)
RESOLVING = (
    Variant("zone is bogus", {"DNS001": "fail"}, code=4, blinds=True, bogus=("example.com.",)),
    Variant(
        "the system's resolver says SERVFAIL",
        code=4,
        says=("mail.example.com",),
        servers={"192.0.2.66": "servfail"},
        resolvers=("192.0.2.66",),
    ),
    Variant("resolver says SERVFAIL", code=4, blinds=True, servers={"192.0.2.66": "servfail"}, arguments=ODD),
    Variant("resolver is dead", code=4, blinds=True, servers={"192.0.2.66": "silent"}, arguments=ODD),
    Variant("resolver takes two seconds", code=0, blinds=True, servers={"192.0.2.66": "slow:2"}, arguments=ODD),
    Variant(
        "the first of two resolvers is dead",
        code=0,
        servers={"192.0.2.66": "silent"},
        arguments=(*ODD, "--resolver", "192.0.2.53"),
    ),
    Variant(
        "a name server is lame",
        {"DNS012": "fail"},
        servers={"198.51.100.66": "refused"},
        records={
            "example.com. NS": ("ns1.exampleregistrar.com.", "ns2.exampleregistrar.com.", "ns3.exampleregistrar.com."),
            "ns3.exampleregistrar.com. A": ("198.51.100.66",),
        },
    ),
)
LOGIN = (
    Variant("doas refuses", code=4, blinds=True, files={"/etc/doas.conf": "permit persist :wheel\n"}),
    Variant("host key has changed", code=4, says=("has changed",), known_hosts=OTHER_KEY),
    Variant("host key is not known", code=4, says=("is not known",), known_hosts=""),
    Variant(
        "a file vanishes between two looks",  # stat(1) has seen it, cat(1) finds it gone
        {"SMTPD001": "fail", "SMTPD033": "unknown"},
        files={"/etc/mail/senders": None},
        edits={
            "/usr/bin/stat": (
                (
                    "my $format",
                    "if ($ARGV[-1] eq '/etc/mail/senders') { print \"100644:root:wheel:9:1:\\n\"; exit 0 }\nmy $format",
                ),
            )
        },
        restart=False,
    ),
)
VARIANTS = (BASE, *CERTIFICATES, *NAMES, *SENDING, *LISTENERS, *RESOLVING, *LOGIN)


@pytest.fixture(scope="module")
def base(lab: Lab) -> dict[str, str]:
    found = lab.scan()
    assert found.verdicts, found.errors
    return found.verdicts


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_variant(lab: Lab, base: dict[str, str], variant: Variant) -> None:
    check(lab, base, variant)
