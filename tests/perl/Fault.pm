package Fault;

# Faults for tests of the applier: `-MFault=kill,N` kills it and all of its kind right before its Nth call that changes a file system;
# `worker,N` kills that process alone; `full,N` lets that call and all later ones that need room fail; `count` prints how many there were.
use strict;
use warnings;
use POSIX ();

my ($what, $at) = ('', 0);
my $calls = 0;
sub import { (undef, $what, $at) = @_; $at //= 0 }

sub due {
    my ($needs_room) = @_;
    $calls++;
    return 0 if $calls < $at || !$at;
    if ($calls == $at && $what eq 'kill') { kill 'KILL', 0; sleep 10 }
    if ($calls == $at && $what eq 'worker') { kill 'KILL', $$; sleep 10 }
    if ($what eq 'full' && $needs_room) { $! = POSIX::ENOSPC(); return 1 }
    return 0;
}

BEGIN {
    no warnings 'once';
    *CORE::GLOBAL::rename = sub ($$) { due(0) ? 0 : CORE::rename($_[0], $_[1]) };
    *CORE::GLOBAL::link = sub ($$) { due(1) ? 0 : CORE::link($_[0], $_[1]) };
    *CORE::GLOBAL::unlink = sub (@) { due(0) ? 0 : CORE::unlink(@_) };
    *CORE::GLOBAL::mkdir = sub ($;$) { due(1) ? 0 : CORE::mkdir($_[0], $_[1] // 0777) };
    *CORE::GLOBAL::rmdir = sub ($) { due(0) ? 0 : CORE::rmdir($_[0]) };
    *CORE::GLOBAL::chmod = sub (@) { my ($mode, @of) = @_; due(0) ? 0 : CORE::chmod($mode, @of) };
    *CORE::GLOBAL::chown = sub (@) { my ($user, $group, @of) = @_; due(0) ? 0 : CORE::chown($user, $group, @of) };
    *CORE::GLOBAL::syswrite = sub (*$;$$) {
        return undef if due(1);
        return @_ > 2 ? CORE::syswrite($_[0], $_[1], $_[2], $_[3] // 0) : CORE::syswrite($_[0], $_[1]);
    };
}

END { print STDOUT "count $$ $calls\n" if $what eq 'count' }

1;
