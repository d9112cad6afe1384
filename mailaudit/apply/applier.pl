#!/usr/bin/perl -T
# mailaudit-apply: carries out a plan of mailaudit on this host as one transaction, and takes it back. It is all of mailaudit that
# runs as root. It takes a plan from standard input, writes, changes and runs nothing but what the lists below name, follows no
# link, and works only in directories where nobody but root may write. Needs the perl of OpenBSD's base system, nothing else.
#
#   run           check a plan on a copy, put it in place; restore all unless `reached` and `keep` come in time
#   reached N     a new connection to the host works
#   keep N        run N is as it should be
#   cancel N      it is not
#   rollback [N]  restore what was there before run N: one that was cut off, or the last that was kept
#   history       what was done
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Fcntl qw(:DEFAULT :flock :mode);
use IO::Handle;
use POSIX ();
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

my $STATE = '/var/mailaudit';
my $MOST_BYTES = 64 * 1024 * 1024;    # of a plan, and of the copies of a configuration
my $MOST_FILE = 16 * 1024 * 1024;
my $SECONDS = 60;                     # of one command
my $KEPT_RUNS = 100;

# What may be written; what may get another mode or owner, be made or removed; and what may not, whatever the others say.
my $WRITE = qr{^(?:
    /etc/(?: pf\.conf | httpd\.conf | acme-client\.conf | login\.conf | rc\.conf\.local | doas\.conf | newsyslog\.conf | ntpd\.conf
           | sysctl\.conf | myname | hosts | resolv\.conf | crontab | (?:daily|weekly|monthly)\.local | hostname\.\w+ | pf[.-][\w.-]+
           | ssh/sshd_config(?:\.d/.+)? | (?:pf|mail|dovecot|rspamd|redis|nsd|login\.conf\.d)/.+ )
  | /var/(?: nsd/(?:etc|zones)/.+ | unbound/etc/.+ | cron/tabs/root | dovecot/.+ )
  | /usr/local/lib/dovecot/.+ )$}x;
my $OWN = qr{^(?: /etc/.+ | /var/.+ | /usr/local/(?:lib|libexec|share)/.+ )$}x;
my $NEVER = qr{^(?: /etc/(?:s?pwd\.db | (?:master\.)?passwd | group | g?shadow | sudoers | soii\.key | random\.seed | ssh/ssh_host.*)-?
  | /var/mailaudit(?:/.*)? | /usr/local/libexec/mailaudit-apply | .*/\.mailaudit-[^/]* )$}x;
my $PATH = qr{((?:/[A-Za-z0-9_.,:\@%+=~-]+)+)};
my $NAME = qr{([A-Za-z_][A-Za-z0-9_-]{0,30})};

# What may be run: the words, and the file that it makes of another, which is put back like the rest.
my @RUNS = (
    [qr{^newaliases$}, sub { (['/usr/bin/newaliases'], '/etc/mail/aliases.db') }],
    [qr{^cap_mkdb /etc/login\.conf$}, sub { (['/usr/bin/cap_mkdb', '/etc/login.conf'], '/etc/login.conf.db') }],
    [qr{^makemap $PATH$}, sub { my $at = allowed($1, $WRITE); (['/usr/sbin/makemap', $at], "$at.db") }],
    [qr{^sievec $PATH$}, sub {
        my $at = allowed($1, $WRITE);
        (['/usr/local/bin/sievec', $at], $at =~ s/(?:\.sieve)?\z/.svbin/r) }],
    [qr{^rcctl (enable|disable) $NAME$}, sub { (['/usr/sbin/rcctl', $1, $2], '/etc/rc.conf.local') }],
    [qr{^smtpctl update table ([A-Za-z0-9_.:-]+)$}, sub { (['/usr/sbin/smtpctl', 'update', 'table', $1], '') }],
    [qr{^rcctl (reload|restart|start) $NAME$}, sub { (['/usr/sbin/rcctl', $1, $2], '') }],
    [qr{^pfctl -f /etc/pf\.conf$}, sub { (['/sbin/pfctl', '-f', '/etc/pf.conf'], '') }],
);

# The checkers: whose files ask for them, what is copied for them, and their words for a configuration below a directory.
my @CHECKS = (
    ['pf', qr{^/etc/pf}, sub { beginning_with('pf') }, sub { ('/sbin/pfctl', '-nf', "$_[0]/etc/pf.conf") }],
    ['httpd', qr{^/etc/httpd}, sub { beginning_with('httpd') }, sub { ('/usr/sbin/httpd', '-n', '-f', "$_[0]/etc/httpd.conf") }],
    ['acme-client', qr{^/etc/acme}, sub { beginning_with('acme') },
        sub { ('/usr/sbin/acme-client', '-n', '-f', "$_[0]/etc/acme-client.conf", handle("$_[0]/etc/acme-client.conf")) }],
    ['rspamd', qr{^/etc/rspamd/}, sub { '/etc/rspamd' }, sub {
        ('/usr/local/bin/rspamadm', map({ "--var=$_=$_[0]/etc/rspamd" } 'CONFDIR', 'LOCAL_CONFDIR'),
         'configtest', '-c', "$_[0]/etc/rspamd/rspamd.conf") }],
    ['dovecot', qr{^/etc/dovecot/}, sub { '/etc/dovecot' },
        sub { ('/usr/local/bin/doveconf', '-n', '-c', "$_[0]/etc/dovecot/dovecot.conf") }],
    ['smtpd', qr{^/etc/mail/}, sub { '/etc/mail' }, sub { ('/usr/sbin/smtpd', '-n', '-f', "$_[0]/etc/mail/smtpd.conf") }],
    ['sshd', qr{^/etc/ssh/}, sub { ('/etc/ssh/sshd_config', '/etc/ssh/sshd_config.d') },
        sub { ('/usr/sbin/sshd', '-t', '-f', "$_[0]/etc/ssh/sshd_config") }],
    ['doas', qr{^/etc/doas\.conf$}, sub { '/etc/doas.conf' }, sub { ('/usr/bin/doas', '-C', "$_[0]/etc/doas.conf") }],
);

my $caller = $ENV{DOAS_USER} // $ENV{SUDO_USER} // getpwuid($<) // $<;
%ENV = (PATH => '/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin', LC_ALL => 'C');
umask 077;
STDOUT->autoflush(1);
my ($lock, $journal, $taking_back, $beside);
exit main(@ARGV);

sub main {
    my ($word, $written) = @_;
    my %commands = (run => \&begin, rollback => \&rollback, history => \&history);
    for my $at (qw(reached keep cancel)) { $commands{$at} = sub { mark($at, @_) } }
    my $command = $commands{$word // ''};
    my ($number) = ($written // '') =~ /^([0-9]{1,6})$/;
    my $is_odd = defined $written && !defined $number;    # else a slip of the pen rolls back the last run
    if (!eval { die "no such command\n" unless $command; die "$written is no number of a run\n" if $is_odd; prepared(); $command->($number); 1 }) {
        report('end', 'refused', said($@));
        return 1;
    }
    return 0;
}

# --- telling -------------------------------------------------------------------------------------------------------------------

# One line of what a program or a system says.
sub said {
    my $text = shift // '';
    $text =~ s/[^\x20-\x7e]+/ /g;
    $text =~ s/^ +| +$//g;
    return substr($text, 0, 600);
}

sub report { local $SIG{PIPE} = 'IGNORE'; print STDOUT join(' ', grep { length } @_), "\n" }
sub now { return clock_gettime(CLOCK_MONOTONIC) }

# A step is in the journal, and the journal on the disk, before it is done.
sub note {
    my $line = said(join(' ', grep { length } @_));
    my $written = syswrite($journal, time . " $line\n");
    die "the journal cannot be written: $!\n" unless defined $written && $journal->sync;
    report($line);
}

# --- the state directory -------------------------------------------------------------------------------------------------------

sub prepared {
    die "only root can do that\n" if $> != 0;
    for my $at ($STATE, "$STATE/runs") {
        mkdir $at or $!{EEXIST} or die "$at cannot be made: $!\n";
        my @stat = lstat $at;
        die "$at is not a directory of root's alone\n" unless S_ISDIR($stat[2]) && $stat[4] == 0 && !($stat[2] & 077);
    }
}

sub locked {
    sysopen($lock, "$STATE/lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600) or die "$STATE/lock cannot be opened: $!\n";
    return 1 if flock($lock, LOCK_EX | LOCK_NB);
    my $holder = <$lock> // '';
    die 'another run is at work: ' . ($holder || 'it has just begun') . "\n";
}

sub hold {
    my ($number, $who) = @_;
    truncate($lock, 0) and seek($lock, 0, 0) and syswrite($lock, said("run $number by $who since " . stamp(time)));
}

sub stamp { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

sub runs {
    opendir(my $directory, "$STATE/runs") or die "$STATE/runs: $!\n";
    return sort { $a <=> $b } map { /^([0-9]{1,6})$/ ? $1 : () } readdir $directory;
}

# A run as it lies on the disk: its plan, what was there before, the lines of its journal.
sub load {
    my ($number) = @_;
    my $run = { number => $number, at => "$STATE/runs/$number" };
    my $plan = slurp("$run->{at}/plan");
    $taking_back = 1;    # an account may be gone since
    @$run{qw(by steps read wait trial)} = @{ parse($plan) }{qw(by steps read wait trial)} if defined $plan;
    $run->{journal} = journal_of($number);
    for (split /\n/, slurp("$run->{at}/before") // '') {
        if (m{^parent $PATH$}) { push @{ $run->{parents} }, $1 }
        elsif (m{^(\w+) absent$}) { $run->{before}{$1} = { absent => 1 } }
        elsif (m{^(\w+) ([0-9]+) ([0-9]+) ([0-9]+) (-|[0-9a-f]{64})$}) {
            $run->{before}{$1} = { mode => $2, uid => $3, gid => $4, digest => $5 };
        }
    }
    return $run;
}

sub journal_of { my ($number) = @_; return [map { /^([0-9]+) (.*)$/ ? [$1, $2] : () } split /\n/, slurp("$STATE/runs/$number/journal") // ''] }

sub is_ended { my ($run) = @_; my $last = $run->{journal}[-1]; return $last && $last->[1] =~ /^end / }

# --- the plan ------------------------------------------------------------------------------------------------------------------

sub allowed {
    my ($path, $list) = @_;
    die "$path is no path that is written\n" if $path =~ m{/\.\.?(?:/|$)} || $path !~ $list || $path =~ $NEVER;
    return $path;
}

sub parse {
    my ($bytes) = @_;
    my $plan = { by => '', steps => [], read => [], wait => [60, 180], trial => 0 };
    my ($at, $first, $ended) = (0, 1, 0);
    while ((my $end = index($bytes, "\n", $at)) >= 0) {
        my $line = substr($bytes, $at, $end - $at);
        $at = $end + 1;
        my $step;
        if ($first) { die "the plan is for another version of this program\n" if $line ne 'mailaudit 1'; $first = 0; next }
        elsif ($line eq 'end') { $ended = $at == length $bytes; last }
        elsif ($line =~ /^by ([\x20-\x7e]{1,100})$/) { $plan->{by} = $1 }
        elsif ($line =~ /^wait ([0-9]{1,4}) ([0-9]{1,4})$/) { $plan->{wait} = [$1, $2] }
        elsif ($line eq 'trial') { $plan->{trial} = 1 }
        elsif ($line =~ m{^read (-|[0-9a-f]{64}) $PATH$}) { push @{ $plan->{read} }, { digest => $1, path => $2 } }
        elsif ($line =~ m{^seen ([0-9]+) ([0-9]+) $PATH$}) { push @{ $plan->{read} }, { size => $1, time => $2, path => $3 } }
        elsif ($line =~ m{^file (-|[0-9a-f]{64}) ([0-7]{4}) ([0-9]{1,8}) $PATH$}) {
            $step = { kind => 'file', old => $1, mode => oct $2, path => allowed($4, $WRITE) };
            my ($length) = ($3);
            die "the plan was cut off\n" if $at + $length + 1 > length $bytes;
            $step->{data} = substr($bytes, $at, $length);
            $step->{new} = sha256_hex($step->{data});
            $at += $length + 1;
        }
        elsif ($line =~ m{^remove ([0-9a-f]{64}) $PATH$}) { $step = { kind => 'remove', old => $1, path => allowed($2, $WRITE) } }
        elsif ($line =~ m{^(mode|dir) (=|[01]?[0-7]{3}) (=|$NAME) (=|$NAME) $PATH$}) {
            $step = { kind => $1, mode => mode_of($2), path => allowed($7, $OWN) };
            @$step{qw(uid gid)} = (owner($4, sub { getpwnam $_[0] }), owner($6, sub { getgrnam $_[0] }));
        }
        elsif ($line =~ /^run ([\x20-\x7e]{1,400})$/) { $step = command($1) }
        else { die 'the plan cannot be read at: ' . said(substr($line, 0, 100)) . "\n" }
        if ($step) { $step->{key} = 's' . @{ $plan->{steps} }; push @{ $plan->{steps} }, $step }
    }
    die "the plan was cut off\n" unless $ended;
    my %seen;
    for (grep { $_->{kind} =~ /^(?:file|remove)$/ } @{ $plan->{steps} }) { die "$_->{path} is written twice\n" if $seen{ $_->{path} }++ }
    return $plan;
}

sub mode_of {
    my ($written) = @_;
    return undef if $written eq '=';
    my $mode = oct $written;
    die "mode $written lets everybody write\n" if $mode & 02 && !($mode & 01000);
    return $mode;
}

sub owner {
    my ($name, $find) = @_;
    return undef unless defined $name;
    my $id = $find->($name) // ($taking_back ? -1 : undef);
    die "there is no user or group $name\n" unless defined $id;
    return $id;
}

sub command {
    my ($line) = @_;
    for (@RUNS) {
        my ($pattern, $words) = @$_;
        next unless $line =~ $pattern;
        my ($run, $product) = $words->();
        my $name = $run->[0] =~ s{.*/}{}r;
        return { kind => 'run', words => $run, path => $product, line => join(' ', $name, @$run[1 .. $#$run]) };
    }
    die 'this is none of the commands that are run: ' . said($line) . "\n";
}

# --- files ---------------------------------------------------------------------------------------------------------------------

# The directories above a path: all of them directories, root's, and closed to other writers, so that nothing moves underneath.
# Gives those that are wanting.
sub parents {
    my ($path) = @_;
    my ($at, @missing) = ('');
    my @names = split m{/}, $path;
    pop @names;
    for my $name (@names) {
        $at = $at eq '/' || $at eq '' ? "/$name" : "$at/$name" if length $name;
        my $here = length $at ? $at : '/';
        my @stat = lstat $here;
        if (!@stat) { die "$here: $!\n" unless $!{ENOENT}; push @missing, $here; next }
        die "$path is not written: $here is a symbolic link\n" if S_ISLNK($stat[2]);
        die "$path is not written: $here is no directory\n" unless S_ISDIR($stat[2]);
        die "$path is not written: others than root may write in $here\n" if $stat[4] != 0 || ($stat[2] & 022 && !($stat[2] & 01000));
    }
    return @missing;
}

# The content and the metadata of a regular file; nothing where there is none.
sub look {
    my ($path) = @_;
    my @stat = lstat $path;
    if (!@stat) { return if $!{ENOENT} || $!{ENOTDIR}; die "$path: $!\n" }
    die "$path is a symbolic link\n" if S_ISLNK($stat[2]);
    die "$path is no regular file\n" unless S_ISREG($stat[2]);
    die "$path has another name too: it is a hard link\n" if $stat[3] > 1 && !-e beside($path, 'old') && !-e beside($path, 'new');
    my $data = slurp($path) // die "$path: $!\n";
    return { mode => $stat[2] & 07777, uid => $stat[4], gid => $stat[5], data => $data, digest => sha256_hex($data) };
}

sub slurp {
    my ($path) = @_;
    sysopen(my $file, $path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) or return undef;
    die "$path is over the most that is read\n" if -s $file > $MOST_BYTES;
    binmode $file;
    local $/;
    my $data = <$file>;
    return $data // '';
}

# The name of what lies beside a file for as long as a run goes on: no pattern of an include matches it.
sub beside { my ($path, $what) = @_; return $path =~ s{([^/]+)\z}{.mailaudit-$beside-$what-$1}r }

sub write_new {
    my ($path, $data, $mode, $uid, $gid) = @_;
    sysopen(my $file, $path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600) or die "$path cannot be written: $!\n";
    binmode $file;
    for (my $at = 0; $at < length $data;) {
        my $written = syswrite($file, $data, 1 << 20, $at) // die "$path cannot be written: $!\n";
        $at += $written;
    }
    if (defined $mode) {
        chown($uid, $gid, $file) or die "$path cannot be given its owner: $!\n";
        chmod($mode, $file) or die "$path cannot be given its mode: $!\n";
    }
    $file->sync && close $file or die "$path cannot be written: $!\n";
}

sub sync_directory {
    my ($path) = @_;
    my $directory = $path =~ s{/[^/]+\z}{}r || '/';
    sysopen(my $handle, $directory, O_RDONLY) or die "$directory: $!\n";
    $handle->sync or die "$directory: $!\n";
}

sub move { my ($from, $to) = @_; rename($from, $to) or die "$to cannot be written: $!\n"; sync_directory($to) }

sub remove_tree {
    my ($path) = @_;
    my @stat = lstat $path or return;
    if (S_ISDIR($stat[2])) {
        opendir(my $directory, $path) or return;
        for (readdir $directory) { next if /^\.\.?$/; /^(.+)$/s and remove_tree("$path/$1") }
        rmdir $path;
    } else { unlink $path }
}

# --- programs ------------------------------------------------------------------------------------------------------------------

# The status of a program and what it said; no status where it is not there, -1 where it came to no end.
sub program {
    my ($run, @words) = @_;
    return (undef, "$words[0] is not there") unless -x $words[0];
    my $output = "$run->{at}/output";
    unlink $output;
    my $child = fork // die "no process: $!\n";
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM PIPE);
        setpgrp;
        chdir '/';
        umask 022;
        POSIX::close($_) for 3 .. 255; # what a login shell left open a daemon would keep, and the connection with it
        open(STDIN, '<', '/dev/null') and (open(STDOUT, '>', $output) or open(STDOUT, '>', '/dev/null')) and open(STDERR, '>&', \*STDOUT)
            and exec { $words[0] } @words;
        POSIX::_exit(127);
    }
    my $until = now() + $SECONDS;
    while (waitpid($child, POSIX::WNOHANG()) != $child) {
        if (now() > $until) { kill 'KILL', -$child; waitpid($child, 0); return (-1, 'it did not come to an end') }
        sleep 0.02;
    }
    my $status = $? & 127 ? -1 : $? >> 8;
    my @lines = split /\n/, eval { slurp($output) } // '';
    return ($status, said(join(' | ', @lines > 4 ? @lines[-4 .. -1] : @lines) =~ s/\Q$run->{at}\E\/(?:tree|asis)//gr));
}

sub beginning_with {
    my ($name) = @_;
    opendir(my $directory, '/etc') or die "/etc: $!\n";
    return map { m{^(\Q$name\E[\w.-]*)$} ? "/etc/$1" : () } readdir $directory;
}

# acme-client wants to be told one of its domains, even where it only reads its configuration.
sub handle { my ($path) = @_; return (slurp($path) // '') =~ /^\s*domain\s+"?([A-Za-z0-9*][A-Za-z0-9*._-]*)/m ? $1 : 'localhost' }

# A copy of what some checkers read, with other content in some files; the names of all that is copied lead into the copy.
sub copy {
    my ($to, $roots, $content) = @_;
    my (%data, %mode, %seen);
    my $size = 0;
    my @todo = @$roots;
    while (defined(my $at = shift @todo)) {
        my @stat = stat $at or next;
        next if S_ISDIR($stat[2]) && $seen{"$stat[0]:$stat[1]"}++;
        $mode{$at} = $stat[2] & 0777;    # by itself: what stands in one statement with a file's content is tainted
        if (S_ISDIR($stat[2])) {
            opendir(my $directory, $at) or die "$at: $!\n";
            push @todo, map { $_ ne '.' && $_ ne '..' && m{^(.+)$}s ? "$at/$1" : () } readdir $directory;
        } elsif (S_ISREG($stat[2])) {
            die "the configuration is too large to be copied\n" if ($size += $stat[7]) > $MOST_BYTES || keys %mode > 20_000;
            $data{$at} = slurp_through($at);
        }
    }
    for (keys %$content) { if (defined $content->{$_}) { $data{$_} = $content->{$_} } else { delete $data{$_} } }
    my $names = join '|', map { quotemeta } sort { length $b <=> length $a } @$roots, keys %$content;
    for my $at (sort keys %data) {
        my $data = $data{$at};
        $data =~ s{(?<![\w./-])($names)(?![\w-]|\.\w)}{$to$1}g unless $data =~ /\0/;
        my $made = $to;
        mkdir $made;
        for (split m{/}, $at =~ s{/[^/]+\z}{}r) { $made .= "/$_" if length; mkdir $made }
        write_new("$to$at", $data, $mode{$at} // 0600, 0, 0);
    }
}

sub slurp_through { my ($path) = @_; open(my $file, '<', $path) or return ''; binmode $file; local $/; return <$file> // '' }

# --- a run ---------------------------------------------------------------------------------------------------------------------

sub begin {
    binmode STDIN;
    my $bytes = '';
    while (my $got = read(STDIN, $bytes, 1 << 20, length $bytes)) { die "the plan is too large\n" if length $bytes > $MOST_BYTES }
    my $plan = parse($bytes);
    locked();
    my @runs = runs();
    for (@runs) { die "run $_ was cut off; roll it back first: rollback $_\n" unless is_ended({ journal => journal_of($_) }) }
    my $number = ($runs[-1] // 0) + 1;
    my $who = $caller . (length $plan->{by} ? " ($plan->{by})" : '');
    hold($number, $who);
    remove_tree("$STATE/runs/$_") for @runs > $KEPT_RUNS ? @runs[0 .. @runs - $KEPT_RUNS - 1] : ();
    my $run = { %$plan, number => $number, at => "$STATE/runs/$number", before => {}, parents => [], journal => [] };
    $beside = $number;
    mkdir $run->{at} or die "$run->{at}: $!\n";
    eval {
        open_journal($run);
        note('begin', $number, 'by', $who);
        write_new("$run->{at}/plan.new", $bytes);
        move("$run->{at}/plan.new", "$run->{at}/plan");
        remember($run);
        1;
    } or do { my $why = $@; forget($run); eval { note('end refused', $why); 1 } or remove_tree($run->{at}); die $why };
    detached($run, sub { carry_out($run) });
}

sub open_journal {
    my ($run) = @_;
    sysopen($journal, "$run->{at}/journal", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600)
        or die "the journal cannot be written: $!\n";
}

# Do it in a session of its own, which a lost connection does not end, under a guard that restores all if it is killed.
sub detached {
    my ($run, $do) = @_;
    pipe(my $read, my $write) or die "no pipe: $!\n";
    my $guard = fork // die "no process: $!\n";
    if (!$guard) {
        close $read;
        POSIX::setsid();
        $SIG{$_} = 'IGNORE' for qw(HUP INT PIPE);
        open(STDIN, '<', '/dev/null');
        open(STDERR, '>', '/dev/null');
        open(STDOUT, '>&', $write);
        STDOUT->autoflush(1);
        close $write;
        my $worker = fork // POSIX::_exit(1);
        if (!$worker) { $SIG{TERM} = sub { die "the host is going down\n" }; $do->(); POSIX::_exit(0) }
        $SIG{TERM} = 'IGNORE';
        waitpid($worker, 0);
        my $left = load($run->{number});
        put_back($left, 'it ended before its time') unless is_ended($left);
        POSIX::_exit(0);
    }
    close $write;
    while (my $line = <$read>) { print STDOUT $line or last }
}

# Before anything is done: each file is what was read, and is kept; nothing stands in the way.
sub remember {
    my ($run) = @_;
    for my $each (@{ $run->{read} }) {
        my ($path, $found) = ($each->{path});
        die "$path is no path that is looked at\n" if $path =~ m{/\.\.?(?:/|$)|/private/|shadow|master\.passwd};
        if (defined $each->{digest}) {
            my @stat = stat $path;
            $found = @stat ? S_ISREG($stat[2]) ? sha256_hex(slurp_through($path)) : '' : '-';
            die "$path was changed since it was read\n" if $found ne $each->{digest};
        } else {
            my @stat = stat $path;
            die "$path was changed since it was read\n" if !@stat || $stat[7] != $each->{size} || $stat[9] != $each->{time};
        }
    }
    mkdir "$run->{at}/old";
    my %parents;
    my @lines;
    for my $step (@{ $run->{steps} }) {
        next unless length $step->{path};
        my ($path, $key) = @$step{qw(path key)};
        $parents{$_}++ or push @{ $run->{parents} }, $_ for parents($path);
        my $before;
        if ($step->{kind} =~ /^(?:mode|dir)$/) {
            $before = stood($path, $step->{kind});
            my $is_made = grep { $_->{path} eq $path && $_->{kind} =~ /^(?:file|dir)$/ } @{ $run->{steps} };
            die "$path is not there\n" unless $before || $is_made;
        }
        else {
            $before = look($path);
            if (exists $step->{old}) {
                die "$path was not there when it was read, and is now\n" if $before && $step->{old} eq '-';
                die "$path is gone since it was read\n" if !$before && $step->{old} ne '-';
                die "$path was changed since it was read\n" if $before && $before->{digest} ne $step->{old};
            }
            write_new("$run->{at}/old/$key", $before->{data}) if $before;
        }
        $run->{before}{$key} = $before // { absent => 1 };
        push @lines, $before ? "$key $before->{mode} $before->{uid} $before->{gid} " . ($before->{digest} // '-') : "$key absent";
    }
    write_new("$run->{at}/before", join('', map { "$_\n" } (map { "parent $_" } @{ $run->{parents} }), @lines));
    sync_directory("$run->{at}/$_") for qw(old/x x);
}

sub stood {
    my ($path, $kind) = @_;
    my @stat = lstat $path;
    if (!@stat) { return if $!{ENOENT}; die "$path: $!\n" }
    die "$path is a symbolic link\n" if S_ISLNK($stat[2]);
    die "$path is no directory\n" if $kind eq 'dir' && !S_ISDIR($stat[2]);
    die "$path has another name too: it is a hard link\n" if S_ISREG($stat[2]) && $stat[3] > 1;
    return { mode => $stat[2] & 07777, uid => $stat[4], gid => $stat[5] };
}

sub carry_out {
    my ($run) = @_;
    my $begun = 0;
    if (eval { judge($run); $begun = 1; put_in_place($run); 1 }) { note('end kept'); return }
    my $why = $@;
    $SIG{TERM} = 'IGNORE';
    if (!$begun) { tidy($run); forget($run); eval { note('end refused', $why); 1 } or report('end', 'refused', said($why)); return }
    put_back($run, $why);
}

# The daemons' own checkers judge a copy. One that refuses the copy as it is, though not the files in place, cannot judge a copy.
sub judge {
    my ($run) = @_;
    my %content = map { $_->{path} => $_->{data} } grep { $_->{kind} =~ /^(?:file|remove)$/ } @{ $run->{steps} };
    my @asked = grep { my $of = $_->[1]; grep { $_ =~ $of } keys %content } @CHECKS;
    return unless @asked;
    my @roots = map { $_->[2]->() } @asked;
    my ($tree, $asis) = map { "$run->{at}/$_" } qw(tree asis);
    copy($tree, \@roots, \%content);
    for (@asked) {
        my ($name, undef, undef, $words) = @$_;
        my ($status, $text) = program($run, $words->($tree));
        if (!defined $status) { note('check', $name, 'nothing:', $text); next }
        my ($before) = program($run, $words->(''));
        $run->{accepted}{$name} = $before == 0;
        if ($status == 0) { note('check', $name, 'accepts'); next }
        copy($asis, \@roots, {}) unless -d $asis;
        my ($unchanged, $said) = program($run, $words->($asis));
        die "$name refuses the changed files: $text\n" if $unchanged == 0;
        note('check', $name, $before == 0 ? 'nothing: it cannot judge a copy:' : 'as-before:', $before == 0 ? $said : $text);
    }
    remove_tree($asis);
    remove_tree($tree) unless $run->{trial};
}

sub put_in_place {
    my ($run) = @_;
    my @steps = @{ $run->{steps} };
    if ($run->{trial}) {
        note('step', 'trial', 'pfctl -f', "$run->{at}/tree/etc/pf.conf");
        must($run, '/sbin/pfctl', '-f', "$run->{at}/tree/etc/pf.conf");
        wait_for($run, 'reached', $run->{wait}[0]);
        remove_tree("$run->{at}/tree");
    }
    for (@{ $run->{parents} }) { note('step', 'parent', $_); mkdir $_, 0755 or die "$_ cannot be made: $!\n"; chmod 0755, $_; sync_directory($_) }
    for my $step (grep { $_->{kind} eq 'file' } @steps) {
        my $before = $run->{before}{ $step->{key} };
        note('stage', $step->{key}, $step->{path});
        my @as = $before->{absent} ? ($step->{mode}, 0, 0) : @$before{qw(mode uid gid)};
        write_new(beside($step->{path}, 'new'), $step->{data}, @as);
    }
    for my $step (grep { !is_taken_up($_) } @steps) {
        note('step', $step->{key}, $step->{kind}, $step->{line} // $step->{path});
        my %do = (file => \&do_file, remove => \&do_remove, mode => \&do_mode, dir => \&do_dir, run => \&do_run);
        $do{ $step->{kind} }->($run, $step);
    }
    note('written');
    judge_in_place($run);
    for my $step (grep { is_taken_up($_) } @steps) { note('step', $step->{key}, 'run', $step->{line}); do_run($run, $step) }
    wait_for($run, 'reached', $run->{wait}[0]);
    wait_for($run, 'keep', $run->{wait}[1]);
    tidy($run);
}

sub is_taken_up { my ($step) = @_; return $step->{kind} eq 'run' && !length $step->{path} }

sub judge_in_place {
    my ($run) = @_;
    for (@CHECKS) {
        my ($name, undef, undef, $words) = @$_;
        next unless $run->{accepted}{$name};
        my ($status, $text) = program($run, $words->(''));
        die "$name refuses the files in place: $text\n" if $status;
    }
}

sub wait_for {
    my ($run, $mark, $seconds) = @_;
    note('waiting', $mark, $seconds);
    my $until = now() + $seconds;
    while (!-e "$run->{at}/$mark") {
        die "it was cancelled\n" if -e "$run->{at}/cancel";
        die $mark eq 'reached' ? "no new connection came within $seconds seconds\n" : "nobody said within $seconds seconds that it is as it should be\n"
            if now() > $until;
        sleep 0.1;
    }
}

# The old file stays beside the new one under another name, so that no room on the disk is needed to put it back.
sub do_file {
    my ($run, $step) = @_;
    my ($path, $before) = ($step->{path}, $run->{before}{ $step->{key} });
    my $new = beside($path, 'new');
    if ($before->{absent}) {
        link($new, $path) or die $!{EEXIST} ? "$path was made while this ran\n" : "$path cannot be written: $!\n";
        unlink $new;
        sync_directory($path);
        return;
    }
    keep_beside($path, $before);
    move($new, $path);
}

sub keep_beside {
    my ($path, $before) = @_;
    my $now = look($path);
    die "$path was changed while this ran\n" if !$now || grep { $now->{$_} ne $before->{$_} } qw(digest mode uid gid);
    link($path, beside($path, 'old')) or die "$path cannot be kept: $!\n";
}

sub do_remove {
    my ($run, $step) = @_;
    keep_beside($step->{path}, $run->{before}{ $step->{key} });
    unlink $step->{path} or die "$step->{path} cannot be removed: $!\n";
    sync_directory($step->{path});
}

sub do_mode {
    my ($run, $step) = @_;
    my $path = $step->{path};
    stood($path, $step->{kind}) or die "$path is not there\n";
    if (defined $step->{uid} || defined $step->{gid}) {
        chown($step->{uid} // -1, $step->{gid} // -1, $path) or die "$path cannot be given its owner: $!\n";
    }
    chmod($step->{mode}, $path) or die "$path cannot be given its mode: $!\n" if defined $step->{mode};
}

sub do_dir {
    my ($run, $step) = @_;
    mkdir $step->{path}, 0700 or $!{EEXIST} or die "$step->{path} cannot be made: $!\n";
    do_mode($run, $step);
    sync_directory($step->{path});
}

sub do_run {
    my ($run, $step) = @_;
    if (length $step->{path} && !-x $step->{words}[0]) { note('left', $step->{line}); return }    # its package is not installed
    must($run, @{ $step->{words} });
    if ($step->{line} =~ /^rcctl (?:enable|disable) /) { note('made', $step->{key}, (look($step->{path}) // {})->{digest} // '-') }
    if ($step->{line} =~ /^rcctl (?:reload|restart|start) (\S+)$/) { must($run, '/usr/sbin/rcctl', 'check', $1) }
}

sub must {
    my ($run, @words) = @_;
    my ($status, $text) = program($run, @words);
    die "$text\n" unless defined $status;
    die join(' ', @words) . ' failed' . (length $text ? ": $text" : " with status $status") . "\n" if $status;
}

# Remove what lies beside the files, and the copies.
sub tidy {
    my ($run) = @_;
    for my $path (grep { length } map { $_->{path} } @{ $run->{steps} // [] }) { unlink beside($path, $_) for qw(new old) }
    remove_tree("$run->{at}/$_") for qw(tree asis output);
}

sub forget { my ($run) = @_; remove_tree("$run->{at}/$_") for qw(plan.new plan before old) }

# --- back ----------------------------------------------------------------------------------------------------------------------

# Restore what was there. It may have been cut off at any point, here too: what to do is seen from what is there.
sub put_back {
    my ($run, $why) = @_;
    $beside = $run->{number};
    my (@left, %begun);
    my @journal = (map({ $_->[1] } @{ $run->{journal} }), map { s/^[0-9]+ //r } split /\n/, eval { slurp("$run->{at}/journal") } // '');
    for (@journal) { $begun{$1}++ if /^step (\w+) / }
    my $try = sub { my ($do) = @_; eval { $do->(); 1 } or push @left, said($@) };
    eval { note('restoring', $why) };
    my @steps = @{ $run->{steps} // [] };
    my @undone = reverse grep { $begun{ $_->{key} } && !is_taken_up($_) } @steps;
    for my $step ((grep { $_->{kind} ne 'dir' } @undone), grep { $_->{kind} eq 'dir' } @undone) {    # once they are empty again
        my %undo = (file => \&undo_file, remove => \&undo_file, mode => \&undo_mode, dir => \&undo_mode, run => \&undo_product);
        $try->(sub { $undo{ $step->{kind} }->($run, $step) });
    }
    tidy($run);
    for (reverse @{ $run->{parents} // [] }) { rmdir $_ if $begun{parent} }
    for my $step (grep { $begun{ $_->{key} } && is_taken_up($_) } @steps) { $try->(sub { do_run($run, $step) }) }
    my $loads = grep { $begun{ $_->{key} } && is_taken_up($_) && $_->{line} =~ /^pfctl/ } @steps;
    $try->(sub { must($run, '/sbin/pfctl', '-f', '/etc/pf.conf') }) if $begun{trial} && !$loads;
    my $end = @left ? 'partly' : 'restored';
    eval { note('end', $end, $why, map { "; $_" } @left); 1 } or report('end', $end, said($why));
}

sub undo_file {
    my ($run, $step) = @_;
    my ($path, $before) = ($step->{path}, $run->{before}{ $step->{key} });
    my $kept = beside($path, 'old');
    my $now = look($path);
    if ($before->{absent}) {
        return unless $now;
        die "$path is not what was written; it is left as it is\n" if $now->{digest} ne $step->{new};
        unlink $path or die "$path cannot be removed: $!\n";
        sync_directory($path);
        return;
    }
    return if $now && $now->{digest} eq $before->{digest};
    if ($now && ($step->{kind} eq 'remove' || $now->{digest} ne $step->{new})) {    # it is not ours
        return if !$run->{was_kept} && !-e $kept;    # and never was
        die "$path was changed by another since; it is left as it is, and its old content is in $run->{at}/old/$step->{key}\n";
    }
    my $old = -e $kept ? look($kept) : undef;
    if (!$old || grep { $old->{$_} ne $before->{$_} } qw(digest mode uid gid)) {
        unlink $kept;
        write_new($kept, slurp("$run->{at}/old/$step->{key}") // die("its old content is gone: $path\n"), @$before{qw(mode uid gid)});
    }
    move($kept, $path);
}

sub undo_mode {
    my ($run, $step) = @_;
    my ($path, $before) = ($step->{path}, $run->{before}{ $step->{key} });
    if ($before->{absent}) { $step->{kind} eq 'mode' or rmdir $path or $!{ENOENT} or die "$path is not removed: $!\n"; return }
    stood($path, $step->{kind}) or die "$path is gone\n";
    chown(@$before{qw(uid gid)}, $path) or die "$path cannot be given its owner: $!\n";
    chmod($before->{mode}, $path) or die "$path cannot be given its mode: $!\n";
}

sub undo_product {
    my ($run, $step) = @_;
    my ($path, $before) = ($step->{path}, $run->{before}{ $step->{key} });
    my $now = look($path);
    if ($before->{absent}) { return unless $now; unlink $path or die "$path cannot be removed: $!\n"; return }
    return if $now && $now->{digest} eq $before->{digest} && !grep { $now->{$_} != $before->{$_} } qw(mode uid gid);
    unlink beside($path, 'old');
    write_new(beside($path, 'old'), slurp("$run->{at}/old/$step->{key}") // die("its old content is gone: $path\n"), @$before{qw(mode uid gid)});
    move(beside($path, 'old'), $path);
}

sub rollback {
    my ($number) = @_;
    locked();
    my @runs = map { { number => $_, journal => journal_of($_) } } runs();
    my ($open) = grep { !is_ended($_) } @runs;
    my @kept = grep { my $end = $_->{journal}[-1]; $end && $end->[1] =~ /^end kept/ } @runs;
    my $run = $open // (defined $number ? (grep { $_->{number} == $number } @runs)[0] : $kept[-1]);
    die $number ? "there is no run $number\n" : "there is no run to roll back\n" unless $run;
    die "run $run->{number} was cut off; it is rolled back first: rollback $run->{number}\n" if $open && $number && $number != $run->{number};
    $run = load($run->{number});
    $beside = $run->{number};
    if (!$open) {
        die "run $run->{number} left nothing behind\n" unless grep { $_->{number} == $run->{number} } @kept;
        my %made = map { $_->[1] =~ /^made (\w+) (\S+)$/ ? ($1, $2) : () } @{ $run->{journal} };
        my %held;    # by each file when the run ended: rcctl may have edited what was written before
        for my $step (@{ $run->{steps} }) { $held{ $step->{path} } = $_ for grep { defined } $step->{new} // $made{ $step->{key} } }
        for my $path (sort keys %held) {
            my $now = look($path);
            die "$path was changed since run $run->{number}; nothing was rolled back\n" if ($now ? $now->{digest} : '-') ne $held{$path};
        }
    }
    $run->{was_kept} = !$open;
    hold($run->{number}, "$caller, rolling it back,");
    open_journal($run);
    eval { note('rollback', $run->{number}, 'by', $caller) };
    detached($run, sub { put_back($run, $open ? 'it was cut off' : 'rolled back') });
}

sub mark {
    my ($word, $number) = @_;
    die "which run?\n" unless defined $number && -d "$STATE/runs/$number";
    die "run $number is over\n" if is_ended({ journal => journal_of($number) });
    sysopen(my $file, "$STATE/runs/$number/$word", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600) or die "it cannot be noted: $!\n";
    report('end', $word);
}

sub history {
    sysopen(my $handle, "$STATE/lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600) or die "$STATE/lock: $!\n";
    my $busy = !flock($handle, LOCK_SH | LOCK_NB);
    for my $number (runs()) {
        my $run = eval { load($number) } // next;
        report('run', $number);
        report('path', $_->{kind}, $_->{line} // $_->{path}) for @{ $run->{steps} // [] };
        report('log', @$_) for @{ $run->{journal} };
        report('open', $busy ? 'busy' : 'cut-off') unless is_ended($run);
    }
    report('end', 'history');
}
