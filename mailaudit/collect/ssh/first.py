"""What every live host is asked, whatever is known of it: that goes with the login, while the program is imported.

A test holds it against what the models ask when nothing is known. Metadata, from which no question follows, waits for the models.
"""

from __future__ import annotations

from mailaudit.collect.ssh.commands import COMMANDS
from mailaudit.questions import Command, ListFiles, Question, ReadFile, RunCommand

_LATER = (
    Command.SMTPCTL_HOSTS,
    Command.DOVECOT_VERSION,
    Command.RSPAMADM_CONFIGDUMP,
)
_READ = [
    "/etc/acme-client.conf",
    "/etc/crontab",
    "/etc/daily.local",
    "/etc/doas.conf",
    "/etc/dovecot/dovecot.conf",
    "/etc/httpd.conf",
    "/etc/login.conf",
    "/etc/mail/aliases",
    "/etc/mail/credentials",
    "/etc/mail/mailname",
    "/etc/mail/senders",
    "/etc/mail/smtpd.conf",
    "/etc/mail/virtuals",
    "/etc/master.passwd",
    "/etc/monthly.local",
    "/etc/mygate",
    "/etc/myname",
    "/etc/passwd",
    "/etc/pf.conf",
    "/etc/rc.conf.local",
    "/etc/redis/redis.conf",
    "/etc/services",
    "/etc/shells",
    "/etc/smtpd.conf.bak",
    "/etc/ssh/sshd_config",
    "/etc/weekly.local",
    "/var/cron/tabs/root",
]
_LISTED = [
    "/etc/hostname.*",
    "/etc/login.conf.d/*",
    "/etc/rspamd/*",
    "/etc/rspamd/local.d/*",
    "/etc/rspamd/modules.d/*",
    "/etc/rspamd/override.d/*",
    "/etc/rspamd/scores.d/*",
    "/usr/local/etc/rspamd/*",
    "/usr/local/etc/rspamd/local.d/*",
    "/usr/local/etc/rspamd/modules.d/*",
    "/usr/local/etc/rspamd/override.d/*",
    "/usr/local/etc/rspamd/scores.d/*",
    "/var/cron/tabs/*",
    "/var/db/rspamd/dynamic/*",
    "/var/rspamd/dynamic/*",
]
_FILES: tuple[Question, ...] = (*map(ReadFile, _READ), *map(ListFiles, _LISTED))
_COMMANDS: tuple[Question, ...] = tuple(RunCommand(each) for each in COMMANDS if each not in (*_LATER, Command.IFCONFIG))
FIRST: tuple[tuple[Question, ...], ...] = ((RunCommand(Command.IFCONFIG),), _FILES, _COMMANDS)
"""In the order in which they are waited for.

What tells the host's addresses comes first: its ports are what takes longest. Files raise the next questions, commands few.
"""
