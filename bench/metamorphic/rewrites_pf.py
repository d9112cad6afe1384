"""pf.conf written otherwise."""

from __future__ import annotations

from bench.metamorphic.faults_pf import PF, PORTS
from bench.metamorphic.rewrites import Way, commented, continued, listed, moved, one_of, replaced, shuffled, trailing

ICMP4 = "pass in quick inet  proto icmp  icmp-type  $icmp_in\n"
ICMP6 = "pass in quick inet6 proto icmp6 icmp6-type $icmpv6_in\n"
LISTENERS = "pass in on egress proto tcp to port $tcp_in\n"
THROTTLED = "pass in on egress proto tcp to port { ssh submission submissions imaps } keep state"

WAYS = [
    Way("a macro inlined", PF, replaced(PF, (f'tcp_in    = "{PORTS}"\n', ""), ("$tcp_in", PORTS))),
    Way(
        "a macro inlined",
        PF,
        replaced(PF, ('icmp_in   = "{ echoreq unreach timex }"\n', ""), ("$icmp_in", "{ echoreq unreach timex }")),
    ),
    Way(
        "a macro introduced",
        PF,
        replaced(PF, ("# Filled by", 'ext = "egress"\n# Filled by'), (LISTENERS, LISTENERS.replace("egress", "$ext"))),
    ),
    Way(
        "a macro of one word",
        PF,
        replaced(PF, ('icmp_in   = "{ echoreq unreach timex }"', 'ping = "echoreq"\nicmp_in   = "{" $ping "unreach timex }"')),
    ),
    Way(
        "a macro in a macro",
        PF,
        replaced(
            PF,
            ("# Filled by", 'mail = "smtp http"\nall_in = "{ ssh" $mail "submission submissions imaps sieve }"\n# Filled by'),
            ("$tcp_in", "$all_in"),
            (f'tcp_in    = "{PORTS}"\n', ""),
        ),
    ),
    Way(
        "numbers for ports",
        PF,
        one_of(
            PF,
            PORTS,
            "{ 22 25 80 587 465 993 4190 }",
            "{ 22, 25, 80, 587, 465, 993, 4190 }",
            "{ ssh 25 www 587 smtps 993 sieve }",
        ),
    ),
    Way("numbers for ports", PF, replaced(PF, ("{ ssh submission submissions imaps } keep", "{ 22 587 465 993 } keep"))),
    Way("numbers for kinds of ICMP", PF, replaced(PF, ("{ echoreq unreach timex }", "{ 8 3 11 }"))),
    Way(
        "numbers for kinds of ICMPv6",
        PF,
        replaced(PF, ("{ echoreq unreach toobig timex paramprob neighbrsol neighbradv }", "{ 128 1 2 3 4 135 136 }")),
    ),
    Way(
        "a number for the protocol",
        PF,
        one_of(PF, "proto tcp to port $tcp_in", "proto 6 to port $tcp_in", "proto { tcp } to port $tcp_in"),
    ),
    Way("numbers for ICMP", PF, replaced(PF, ("proto icmp6", "proto 58"), ("proto icmp ", "proto 1 "))),
    Way("another name of ICMPv6", PF, replaced(PF, ("proto icmp6", "proto ipv6-icmp"))),
    Way("a list in another order", PF, listed(PF, "ssh smtp http submission submissions imaps sieve"), loads=True),
    Way("a list in another order", PF, listed(PF, "toobig timex paramprob neighbrsol neighbradv"), loads=True),
    Way(
        "a list split into two rules",
        PF,
        replaced(
            PF,
            (
                LISTENERS,
                LISTENERS.replace("$tcp_in", "{ ssh smtp http submission }")
                + LISTENERS.replace("$tcp_in", "{ submissions imaps sieve }"),
            ),
            (f'tcp_in    = "{PORTS}"\n', ""),
        ),
        loads=True,
    ),
    Way(
        "a rule for each port",
        PF,
        replaced(
            PF,
            (LISTENERS, "".join(LISTENERS.replace("$tcp_in", port) for port in PORTS.strip("{} ").split())),
            (f'tcp_in    = "{PORTS}"\n', ""),
        ),
        loads=True,
    ),
    Way(
        "one family after the other",
        PF,
        replaced(PF, (LISTENERS, LISTENERS.replace("egress", "egress inet") + LISTENERS.replace("egress", "egress inet6"))),
        loads=True,
    ),
    Way("both families in a list of rules", PF, replaced(PF, ("pass out\n", "pass out inet\npass out inet6\n")), loads=True),
    Way("rules for ICMP in another order", PF, replaced(PF, (f"{ICMP4}{ICMP6}", f"{ICMP6}{ICMP4}")), loads=True),
    Way(
        "rules for ICMP above all",
        PF,
        replaced(PF, (f"{ICMP4}{ICMP6}", ""), ("block log all\n", f"{ICMP4}{ICMP6}block log all\n")),
        loads=True,
    ),
    Way(
        "the throttle first, and quick",
        PF,
        replaced(
            PF,
            (LISTENERS, ""),
            (THROTTLED, LISTENERS.replace("$tcp_in", "{ smtp http sieve }") + THROTTLED),
            (f'tcp_in    = "{PORTS}"\n', ""),
        ),
        loads=True,
    ),
    Way(
        "what goes out first",
        PF,
        replaced(PF, ("\npass out\n", "\n"), ("block log all\n", "block log all\npass out\n")),
        loads=True,
    ),
    Way("settings in another order", PF, shuffled(PF, "set ")),
    Way("macros in another order", PF, shuffled(PF, "icmp_in ", "icmpv6_in ", "tcp_in ")),
    Way(
        "defaults written out",
        PF,
        one_of(
            PF,
            LISTENERS,
            LISTENERS.replace("\n", " flags S/SA keep state\n"),
            LISTENERS.replace(" to port", " from any to any port"),
            LISTENERS.replace("\n", " keep state\n"),
        ),
    ),
    Way(
        "defaults written out",
        PF,
        one_of(
            PF,
            "\npass out\n",
            "\npass out all\n",
            "\npass out from any to any\n",
            "\npass out all flags S/SA\n",
            "\npass out keep state\n",
        ),
    ),
    Way("defaults written out", PF, replaced(PF, ("block log all", "block log from any to any"))),
    Way(
        "the policy in each rule",
        PF,
        replaced(PF, ("block log all", "block return log all"), ("block in quick on egress", "block return in quick on egress")),
    ),
    Way(
        "more defaults",
        PF,
        replaced(
            PF,
            (
                "set skip on lo\n",
                "set skip on lo\nset optimization normal\nset limit states 100000\nset ruleset-optimization basic\n",
            ),
        ),
    ),
    Way("a list of one", PF, one_of(PF, "set skip on lo\n", "set skip on { lo }\n", "set skip on lo0\n", 'set skip on "lo"\n')),
    Way(
        "quotes",
        PF,
        replaced(PF, ("block-policy return", "block-policy return"), ("loginterface egress", 'loginterface "egress"')),
    ),
    Way(
        "quotes",
        PF,
        replaced(PF, ("pass in on egress proto tcp to port $tcp_in", 'pass in on "egress" proto "tcp" to port $tcp_in')),
    ),
    Way(
        "commas", PF, replaced(PF, ("{ ssh submission submissions imaps } keep", "{ ssh, submission, submissions, imaps } keep"))
    ),
    Way(
        "options in another order",
        PF,
        replaced(
            PF,
            (
                "(max-src-conn-rate 30/60, overload <abusers> flush global)",
                "(overload <abusers> flush global, max-src-conn-rate 30/60)",
            ),
        ),
    ),
    Way("the tracking written out", PF, replaced(PF, ("(max-src-conn-rate", "(source-track rule, max-src-conn-rate"))),
    Way("a number for the user's port", PF, replaced(PF, ("to port smtp user", "to port 25 user"))),
    Way("equal tests", PF, replaced(PF, ("to port smtp user", "to port = smtp user"))),
    Way(
        "options of the table",
        PF,
        one_of(PF, "table <abusers> persist", "table <abusers> persist counters", "table <abusers> persist {}"),
    ),
    Way("rules in an included file", PF, moved(PF, f"{ICMP4}{ICMP6}", "/etc/pf.icmp.conf", 'include "/etc/pf.icmp.conf"\n')),
    Way(
        "macros in an included file",
        PF,
        moved(PF, f'tcp_in    = "{PORTS}"\n', "/etc/pf.macros.conf", 'include "/etc/pf.macros.conf"\n'),
    ),
    Way(
        "rules in an anchor",
        PF,
        replaced(PF, (LISTENERS, "anchor in on egress {\n\tpass in proto tcp to port $tcp_in\n}\n")),
        loads=True,
    ),
    Way("comments", PF, commented(PF)),
    Way(
        "comments behind",
        PF,
        replaced(PF, ("block log all\n", "block log all # all\n"), ("\npass out\n", "\npass out# as it is\n")),
    ),
    Way("blanks", PF, trailing(PF)),
    Way("a line carried on", PF, continued(PF, "pass in", "block", "set")),
    Way(
        "a list over lines",
        PF,
        replaced(PF, (f'tcp_in    = "{PORTS}"', 'tcp_in = "{ ssh smtp http \\\n\tsubmission submissions imaps sieve }"')),
    ),
    Way(
        "lists over lines",
        PF,
        replaced(PF, ("{ ssh submission submissions imaps } keep", "{ ssh\n\tsubmission # 587\n\tsubmissions\n\timaps } keep")),
    ),
]
