"""A mail host of real daemons, the DNS that it needs and an auditor beside it, in namespaces of this machine.

What runs (docs/decisions has the reasons):

- `world` has 203.0.113.9 and 2001:db8::9, the mail host: sshd (22), OpenSMTPD 7.6 with filter-rspamd and table-passwd (25, 465,
  587), Dovecot with Pigeonhole (993, 4190), rspamd and redis (loopback), a stand-in of httpd (80); all under the files of
  examples/corrected, but for what `tree.SUBSTITUTIONS` lists. Every other port is closed. It has the name servers too (nsd at
  198.51.100.53 and .54, 2001:db8:53::53 and ::54: the zones of `zones.ZONES`, signed from a root of their own) and a validating
  resolver (unbound at 192.0.2.53).
- `auditor` is 192.0.2.77 and 2001:db8:77::77, mx.example.org by its PTR; it has a resolv.conf, an SSH key, known_hosts, and a
  home in which mailaudit runs.

How it is used:

    kit = Kit(folder)                             # keys, certificates, zones, files: once for a session (fixture `lab_kit`)
    with running(kit, room) as lab: ...           # a second or two; `delay=0.05` for a wire with 50 ms each way (fixture `lab`)
    lab.scan().verdicts                           # mailaudit scan mail.example.com --format json, as the auditor types it
    lab.mailaudit("snapshot", "mail.example.com", "-o", "there")    # in the auditor's home, which is lab.home
    lab.run("openssl", "s_client", ...)           # any command as the auditor
    lab.host.do("ls", "/var/vmail")               # root on the mail host
    lab.host.path("/etc/pf.conf").write_text(...)       # the host's files, from outside
    lab.space.seen(lab.home / "there")            # a path of the namespaces, from outside
    lab.space.log("smtpd")                        # what a daemon wrote
    with lab.under(Variant("PTR missing", records={"9.113.0.203.in-addr.arpa. PTR": ()}, expected={"DNS020": "fail"})): ...

A `Variant` is data: see `variants.Variant` for all that it can say. `under` changes zones, files, daemons, faults, restarts only
what reads them, and afterwards makes all of it as it was. In a test:

    def test_variant(lab: Lab, base: dict[str, str], variant: Variant) -> None:
        check(lab, base, variant)                 # exactly the expected verdicts differ; code and budget as said

Whatever happens, nothing is left: all processes and mounts are in namespaces whose first process ends with the test process.
"""

from lab.certificates import Certificate
from lab.kit import Kit
from lab.running import Lab, Scan, check, running
from lab.space import missing
from lab.variants import BASE, Variant

__all__ = ["BASE", "Certificate", "Kit", "Lab", "Scan", "Variant", "check", "missing", "running"]
