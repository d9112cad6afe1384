# Runs when a message is copied or moved out of Junk. Compile as root: sievec.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

if environment :matches "imap.mailbox" "*" {
    set "mailbox" "${1}";
}

# Spam thrown away is still spam.
if string :is "${mailbox}" ["Trash", "Junk"] {
    stop;
}

if environment :matches "imap.user" "*" {
    set "username" "${1}";
}

pipe :copy "learn-ham.sh" [ "${username}" ];
