"""Faults of pf.conf and of what pf is said to run."""

from __future__ import annotations

from bench.metamorphic.faults import Family, add, drop, edit, gone, mode, owner, said, swap
from mailaudit.questions import Command

PF = "/etc/pf.conf"
PORTS = "{ ssh smtp http submission submissions imaps sieve }"

FAMILIES = [
    Family("PF001", "no pf.conf", gone(PF)),
    Family("PF001", "a port that is no service", edit(PF, "{ ssh smtp http", "{ sshd smtp http", "{ ssh smtp htp")),
    Family("PF001", "a macro that is not defined", edit(PF, "to port $tcp_in", "to port $tcp_<word>")),
    Family("PF001", "a word misspelt", edit(PF, "\npass out\n", "\npas out\n", "\npass owt\n")),
    Family("PF001", "a brace that does not close", edit(PF, "imaps } keep", "imaps keep")),
    Family("PF002", "pf is off", said(Command.PFCTL_INFO, "Enabled", "Disabled")),
    Family(
        "PF003", "a rule that was not loaded", said(Command.PFCTL_RULES, "block return log all\n", "", "block drop log all\n")
    ),
    Family("PF004", "open to others", mode(PF, 0o644, 0o604, 0o666, 0o640, 0o602)),
    Family("PF004", "of another user", owner(PF, "alex:alex", "www:www")),
    Family("PF010", "loopback is not skipped", drop(PF, "set skip on lo")),
    Family("PF011", "another interface is skipped", edit(PF, "skip on lo", "skip on { lo egress }", "skip on { lo vio0 }")),
    Family("PF020", "all that comes in passes", edit(PF, "block log all", "pass log all", "pass in all")),
    Family("PF020", "no default", drop(PF, "block log all")),
    Family("PF021", "nothing goes out", drop(PF, "pass out")),
    Family(
        "PF021",
        "less goes out",
        edit(PF, "\npass out\n", "\npass out proto udp\n", "\npass out proto tcp to port 443\n"),
        "block log all",
    ),
    Family("PF022", "anybody sends mail", drop(PF, "block return out log")),
    Family("PF022", "mail leaves by another account", edit(PF, "user != _smtpd", "user != _<word>", "user = www"), "pass out"),
    Family("PF022", "the order is turned", swap(PF, "pass out", "block return out")),
    Family("PF030", "no ping", edit(PF, "{ echoreq unreach timex }", "{ unreach timex }")),
    Family(
        "PF032",
        "source quench",
        edit(PF, "{ echoreq unreach timex }", "{ echoreq unreach timex squench }", "{ echoreq unreach timex trace }"),
    ),
    Family("PF032", "all of ICMP", edit(PF, "proto icmp  icmp-type  $icmp_in", "proto icmp")),
    Family("PF033", "no neighbours", edit(PF, " neighbrsol neighbradv }", " }", " neighbrsol }", " neighbradv }")),
    Family("PF034", "no ping over IPv6", edit(PF, "{ echoreq unreach toobig", "{ unreach toobig")),
    Family(
        "PF036", "no errors over IPv6", edit(PF, "unreach toobig timex paramprob", "unreach timex paramprob", "timex paramprob")
    ),
    Family("PF035", "routers where none are asked", edit(PF, " neighbradv }", " neighbradv routeradv }")),
    Family("PF040", "no mail comes in", edit(PF, PORTS, "{ ssh http submission submissions imaps sieve }")),
    Family(
        "PF041", "no submission", add(PF, "block in proto tcp to port submission", "block in on egress proto tcp to port 587")
    ),
    Family("PF042", "no IMAP", add(PF, "block in proto tcp to port imaps", "block in on egress proto tcp to port 993")),
    Family("PF044", "no SSH", add(PF, "block in proto tcp to port ssh", "block in on egress inet proto tcp to port 22")),
    Family(
        "PF046",
        "no port 465",
        add(PF, "block in proto tcp to port submissions", "block in on egress inet6 proto tcp to port 465"),
    ),
    Family(
        "PF043", "no port 80", edit(PF, "smtp http submission submissions imaps sieve", "smtp submission submissions imaps sieve")
    ),
    Family("PF047", "no ManageSieve", edit(PF, "imaps sieve }", "imaps }")),
    Family("PF045", "443 for nothing", edit(PF, "smtp http sub", "smtp http https sub")),
    Family(
        "PF048",
        "another port is open",
        edit(PF, "imaps sieve }", "imaps sieve <port> }", "imaps sieve 143 }", "imaps sieve pop3 }"),
    ),
    Family(
        "PF048",
        "another rule",
        add(PF, "pass in proto tcp to port <port>", "pass in on egress inet proto tcp from any to any port <port>"),
    ),
    Family("PF048", "all ports", edit(PF, "proto tcp to port $tcp_in", "proto tcp", "proto tcp to port 1:1024")),
    Family(
        "PF049",
        "a UDP port",
        add(PF, "pass in on egress proto udp to port 161", "pass in proto udp to port <port>", "pass in proto udp"),
    ),
    Family("PF050", "dropped in silence", drop(PF, "set block-policy return")),
    Family("PF050", "too late", swap(PF, "set block-policy return", "pass out")),
    Family("PF051", "nothing is counted", drop(PF, "set loginterface egress")),
    Family("PF051", "nothing is counted", edit(PF, "set loginterface egress", "set loginterface none", "set loginterface lo0")),
    Family("PF052", "blocked in silence", edit(PF, "block log all", "block all")),
    Family("PF053", "no limit", edit(PF, "max-src-conn-rate 30/60, overload <abusers> flush global", "max-src-states 100")),
    Family(
        "PF053", "no limit for the logins", edit(PF, "{ ssh submission submissions imaps } keep", "{ ssh submission imaps } keep")
    ),
    Family("PF054", "mail goes elsewhere", add(PF, "pass in on egress proto tcp to port smtp rdr-to 127.0.0.1 port <port>")),
    Family(
        "PF055",
        "a rule that never decides",
        edit(
            PF,
            "block log all",
            "pass in proto tcp to port <port>\nblock log all",
            "pass in on egress inet proto udp to port <port>\nblock log all",
        ),
    ),
    Family("PF056", "a macro that nothing uses", add(PF, 'old_<word> = "{ 1 2 }"')),
    Family("PF056", "a table that nothing defines", drop(PF, "table <abusers> persist"), "<abusers>"),
]
