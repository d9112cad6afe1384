# Runs when a message is copied or moved into Junk. Compile as root: sievec.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

if environment :matches "imap.user" "*" {
    set "username" "${1}";
}

pipe :copy "learn-spam.sh" [ "${username}" ];
