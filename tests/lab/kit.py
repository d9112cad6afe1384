"""What is made once for a test session: keys, certificates, signed zones, the mail host's files."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lab.certificates import Authority, Certificate, pem_key, public_der, public_pem, rsa_key
from lab.tree import USER, lay_out
from lab.zones import Signer, base_records


@dataclass
class Kit:
    """Keys and files of a session, in a folder."""

    folder: Path
    authority: Authority = field(default_factory=Authority)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tls, self.account, self.dkim = rsa_key(), rsa_key(), rsa_key()
        self.signer = Signer(self.folder / "zones")
        self.records = base_records(public_der(self.dkim))
        for name in ("client", "host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name)], check=True)

    @cached_property
    def tree(self) -> Path:
        """The mail host's files, with owners and modes."""
        made = self.folder / "tree"
        lay_out(
            made,
            {
                "/etc/ssl/mail.example.com.pem": self.authority.sign(Certificate(), self.tls),
                "/etc/ssl/private/mail.example.com.key": pem_key(self.tls),
                "/etc/ssl/private/letsencrypt.key": pem_key(self.account),
                "/etc/ssl/certs/ca-certificates.crt": self.authority.root,
                "/etc/mail/dkim/example.com.key": pem_key(self.dkim),
                "/etc/mail/dkim/example.com.pubkey": public_pem(self.dkim),
                "/etc/ssh/ssh_host_ed25519_key": (self.folder / "host").read_bytes(),
                "/etc/ssh/ssh_host_ed25519_key.pub": (self.folder / "host.pub").read_bytes(),
                f"/home/{USER}/.ssh/authorized_keys": (self.folder / "client.pub").read_bytes(),
            },
        )
        return made
