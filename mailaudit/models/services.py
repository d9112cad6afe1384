"""Service names: ports by name, from the host's services(5), else the names that OpenBSD ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from mailaudit.models.sources import Model, Sources
from mailaudit.parsers.nearest import swapped
from mailaudit.parsers.tree import Statement, Tree

PATH = "/etc/services"
NOT_NAMES = {  # what people write for a service, by the program's name or by another system's services file
    "sshd": "ssh",
    "smtpd": "smtp",
    "httpd": "http",
    "imapd": "imap",
    "dns": "domain",
    "named": "domain",
    "ssmtp": "smtps",
    "urd": "submissions",
    "managesieve": "sieve",
    "imap4": "imap",
    "imap3": "imap",
    "imap4s": "imaps",
    "imapssl": "imaps",
    "ftpd": "ftp",
    "ntpd": "ntp",
    "pop": "pop3",
    "mysqld": "mysql",
}
_STOCK = """
tcpmux 1/tcp; echo 7/tcp,udp; discard 9/tcp,udp sink null; systat 11/tcp users; daytime 13/tcp,udp; netstat 15/tcp;
qotd 17/tcp quote; chargen 19/tcp,udp ttytst source; ftp-data 20/tcp; ftp 21/tcp; ssh 22/tcp; telnet 23/tcp; smtp 25/tcp mail;
time 37/tcp,udp timserver; rlp 39/udp resource; nameserver 42/tcp name; whois 43/tcp nicname; tacacs 49/tcp,udp;
domain 53/tcp,udp; mtp 57/tcp; bootps 67/udp; bootpc 68/udp; tftp 69/udp; gopher 70/tcp; rje 77/tcp netrjs; finger 79/tcp;
http 80/tcp www; link 87/tcp ttylink; kerberos 88/tcp,udp kerberos-sec; supdup 95/tcp; hostnames 101/tcp hostname;
iso-tsap 102/tcp tsap; csnet-ns 105/tcp cso-ns; rtelnet 107/tcp; pop2 109/tcp postoffice; pop3 110/tcp;
sunrpc 111/tcp,udp portmap rpcbind portmapper; auth 113/tcp authentication tap ident; sftp 115/tcp; uucp-path 117/tcp;
nntp 119/tcp readnews untp; ntp 123/tcp,udp; netbios-ns 137/tcp,udp; netbios-dgm 138/tcp,udp; netbios-ssn 139/tcp,udp;
imap 143/tcp imap2; snmp 161/udp; snmp-trap 162/udp snmptrap; xdmcp 177/udp; bgp 179/tcp; irc 194/tcp,udp; smux 199/tcp;
ipx 213/tcp,udp; rpki-rtr 323/tcp; rpki-rtr-tls 324/tcp; ldap 389/tcp,udp; svrloc 427/tcp,udp; https 443/tcp,udp; snpp 444/tcp;
microsoft-ds 445/tcp,udp; kpasswd 464/tcp,udp; submissions 465/tcp smtps; photuris 468/tcp,udp; isakmp 500/tcp,udp; exec 512/tcp;
biff 512/udp comsat; login 513/tcp; who 513/udp whod; shell 514/tcp cmd; syslog 514/udp; printer 515/tcp spooler; talk 517/udp;
ntalk 518/udp; route 520/udp router routed; ripng 521/udp; timed 525/udp timeserver; tempo 526/tcp newdate; courier 530/tcp rpc;
conference 531/tcp chat; netnews 532/tcp readnews; netwall 533/udp; uucp 540/tcp uucpd; klogin 543/tcp; kshell 544/tcp krcmd;
rtsp 554/tcp,udp; dhcpv6-client 546/udp; dhcpv6-server 547/udp; remotefs 556/tcp rfs_server rfs; nntps 563/tcp snntp;
submission 587/tcp msa; ipp 631/tcp,udp; ldaps 636/tcp,udp; ldp 646/tcp,udp; hunt 26740/udp; silc 706/tcp,udp;
kerberos-adm 749/tcp,udp; kerberos-iv 750/tcp,udp kdc; krb_prop 754/tcp hprop; domain-s 853/tcp,udp; rsync 873/tcp;
telnets 992/tcp; imaps 993/tcp; pop3s 995/tcp; socks 1080/tcp; openvpn 1194/tcp,udp; ms-sql-s 1433/tcp,udp; ms-sql-m 1434/tcp,udp;
ingreslock 1524/tcp; l2tp 1701/tcp,udp; pptp 1723/tcp; radius 1812/udp; radacct 1813/udp; ssdp 1900/udp; hsrp 1985/udp;
nfsd 2049/tcp,udp nfs; cvspserver 2401/tcp; eklogin 2105/tcp; ekshell 2106/tcp; gpsd 2947/tcp; iscsi 3260/tcp; mysql 3306/tcp,udp;
rdp 3389/tcp; svn 3690/tcp,udp; epmd 4369/tcp; sieve 4190/tcp; rwhois 4321/tcp; krb524 4444/tcp,udp; ipsec-nat-t 4500/udp;
iax 4569/udp; vxlan 4789/udp; sip 5060/tcp,udp; sips 5061/tcp; xmpp-client 5222/tcp; xmpp-server 5269/tcp; canna 5680/tcp;
mdns 5353/udp; nat-pmp 5351/udp; postgresql 5432/tcp; amqp 5672/tcp; x11 6000/tcp; cvsup 5999/tcp; sane-port 6566/tcp;
ircd 6667/tcp; ircs 6697/tcp ircs-u; bbs 7000/tcp; font-service 7100/tcp xfs;
spamd 8025/tcp; spamd-sync 8025/udp; spamd-cfg 8026/tcp;
dhcpd-sync 8067/udp; http-alt 8080/tcp webcache; puppet 8140/tcp; git 9418/tcp; bacula-dir 9101/tcp; bacula-fd 9102/tcp;
bacula-sd 9103/tcp; quake 26000/udp; rfb 5900/tcp vnc; wnn4 22273/tcp
"""


@dataclass(frozen=True)
class Services(Model):
    """Ports by service name and protocol, as getservbyname(3) finds them: names and further names alike."""

    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def port(self, name: str, protocol: str = "") -> int | None:
        """The port of a name; without a protocol as pfctl asks: tcp, else udp."""
        for each in (protocol,) if protocol else ("tcp", "udp"):
            found = self.ports.get((name, each))
            if found is not None:
                return found
        return None

    def name(self, port: int, protocol: str = "tcp") -> str | None:
        """The first name of a port."""
        for (name, of), number in self.ports.items():
            if number == port and of == protocol:
                return name
        return None

    def meant(self, name: str) -> str | None:
        """The known service that an unknown name most likely means."""
        said = NOT_NAMES.get(name.lower(), name.lower())
        if self.port(said) is not None:
            return said
        known = sorted({each for each, _ in self.ports if self.port(each) is not None})
        near = get_close_matches(said, known, n=1, cutoff=0.8)
        return near[0] if near else swapped(said, known)


def read_services(sources: Sources) -> Services:
    """The host's services, or the stock ones where /etc/services is not there."""
    found = sources.tree(PATH, "services")
    if isinstance(found, Tree):
        return Services(trees=(found,), ports=_ports(found))
    return Services(ports=_stock(), assumed=("OpenBSD's own service names, for /etc/services is not there",))


def _ports(tree: Tree) -> dict[tuple[str, str], int]:
    ports: dict[tuple[str, str], int] = {}
    for statement in tree.statements:
        if statement.kind == "service":
            _add(ports, statement)
    return ports


def _add(ports: dict[tuple[str, str], int], statement: Statement) -> None:
    name, port, protocol, *further = (token.value for token in statement.node.leaves())
    for each in (name, *further):
        ports.setdefault((each, protocol), int(port))


def _stock() -> dict[tuple[str, str], int]:
    ports: dict[tuple[str, str], int] = {}
    for entry in _STOCK.replace("\n", " ").split(";"):
        name, place, *further = entry.split()
        port, _, protocols = place.partition("/")
        for each in (name, *further):
            for protocol in protocols.split(","):
                ports.setdefault((each, protocol), int(port))
    return ports
