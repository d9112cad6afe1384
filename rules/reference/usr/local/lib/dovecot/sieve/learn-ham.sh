#!/bin/sh
# Message on stdin, the user's address in $1; one store of words serves all users.
exec /usr/local/bin/rspamc -h 127.0.0.1:11334 learn_ham
