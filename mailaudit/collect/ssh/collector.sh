# mailaudit's collector: runs as the user who logged in, writes nothing, reads what it is asked for at its end.
# For OpenBSD's sh, stat(1), awk(1) and openssl(1); elsewhere for what POSIX has and stat -c.
# BECOME, KEY and MAX are set above, and WHO, SYSTEM, FLAVOUR and B once another shell has told them; below come waves, as they are
# asked: a function that answers each, and MARK. Answers go to descriptor 4: a line "@MARK number kind status how", then bytes as
# they are, until a newline and the next such line: nobody but whoever asks knows MARK. Processes are what a scan costs the host,
# so what is readily had of many paths is had of all at once (`stats`, `files`), and the rest one by one (`look`, `fetch`).
collect_begin() {
	LC_ALL=C TZ=UTC0 PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin
	export LC_ALL TZ PATH
	set -f
	NL='
'
	if [ "$(command -v print)" = print ]; then # a shell like OpenBSD's, whose printf is a program
		head_() { print -rn -- "$NL@$MARK $*$NL" >&4; }
		put() { print -rn -- "$1" >&4; }
	fi
	[ -n "$WHO" ] || who
	case $FLAVOUR in
	bsd) STAT="/usr/bin/stat -f %p:%Su:%Sg:%z:%m:%Y" ;;
	*) STAT="/usr/bin/stat -c %f:%U:%G:%s:%Y:" ;;
	esac
	head_ 0 begin 0 "${B:--}"
	put "$WHO$NL$SYSTEM$NL$FLAVOUR"
}
who() {
	WHO=$(id -un) SYSTEM=$(uname -s) FLAVOUR=gnu B=
	if [ "$SYSTEM" != Linux ] && /usr/bin/stat -f %p / >/dev/null 2>&1; then FLAVOUR=bsd; fi
	[ "$(id -u)" -ne 0 ] || return 0
	case $BECOME in
	doas) B="doas -n" ;;
	sudo) B="sudo -n" ;;
	auto) if command -v doas >/dev/null 2>&1; then B="doas -n"
		elif command -v sudo >/dev/null 2>&1; then B="sudo -n"
		fi ;;
	esac
}
head_() { printf '%s' "$NL@$MARK $*$NL" >&4; }
put() { printf '%s' "$1" >&4; }
denied() { case $1 in *[Pp]"ermission denied"*) return 0 ;; esac; return 1; }

# A hash never leaves the host: its scheme, its length and a keyed digest do. FIELD=1: all behind a line's first colon,
# up to the next where it is an entry of many fields, is a password. A last line without its newline stays without.
MASK='
function scheme(v) {
	if (match(v, /^\{[A-Za-z0-9_.-]+\}/))
		return toupper(substr(v, 2, RLENGTH - 2)) "+" scheme(substr(v, RLENGTH + 1))
	if (v == "") return "empty"
	if (v ~ /^\$2[abxy]?\$/) {
		if (v !~ /^\$2[abxy]?\$[0-9][0-9]\$[.\/A-Za-z0-9]+$/ || length(v) != (v ~ /^\$2\$/ ? 59 : 60)) return "broken bcrypt"
		return v ~ /^\$2[ab]/ ? "bcrypt-" substr(v, 5, 2) : "bcrypt as other systems mark it"
	}
	if (v ~ /^\$1\$/) return "md5-crypt"
	if (v ~ /^\$5\$/) return "sha256-crypt"
	if (v ~ /^\$6\$/) return "sha512-crypt"
	if (v ~ /^\$y\$/) return "yescrypt"
	if (v ~ /^\$argon2[a-z]*\$/) return "argon2"
	if (v ~ /^\$/) return "unknown crypt scheme"
	if (v ~ /^[*!]+$/) return "locked"
	if (v ~ /^[.\/A-Za-z0-9]+$/ && length(v) == 13) return "des-crypt"
	return "plain"
}
function masked(v) {
	printf "{{masked:%s:%d:", scheme(v), length(v)
	fflush()
	printf "%s:%s:%s", ENVIRON["MAILAUDIT_KEY"], v, ENVIRON["MAILAUDIT_KEY"] | DIGEST
	close(DIGEST)
	printf "}}"
}
function hashes(s,    v, before) {
	while (match(s, HASH)) {
		before = substr(s, 1, RSTART - 1); v = substr(s, RSTART, RLENGTH); s = substr(s, RSTART + RLENGTH)
		printf "%s", before
		if (length(v) >= 24) masked(v); else printf "%s", v
	}
	printf "%s", s
}
function line(s, last,    at, v, rest, n, parts) {
	if (last) s = substr(s, 1, length(s) - 1)
	at = index(s, ":")
	if (FIELD && at && s !~ /^[ \t]*#/ && substr(s, at + 1) !~ /^[{][{](masked|generate):/) {
		rest = substr(s, at + 1); v = rest
		n = split(rest, parts, ":")
		if (n > 3) v = parts[1]
		rest = substr(rest, length(v) + 1)
		cr = ""
		if (v ~ /\r$/) { cr = "\r"; v = substr(v, 1, length(v) - 1) }
		printf "%s", substr(s, 1, at)
		if (length(v) < 2 || v ~ /^[*!]+$/) printf "%s", v; else masked(v)
		printf "%s", cr
		hashes(rest)
	} else hashes(s)
	if (!last) printf "\n"
}
BEGIN {
	HASH = "([{][A-Za-z0-9_.-]+[}])?[$](1|2[abxy]?|5|6|7|y|gy|argon2[a-z]*)[$][./A-Za-z0-9$,=+-]+"
	DIGEST = "openssl dgst -sha256 | sed -n \"s/.*= *\\([0-9a-f]\\{16\\}\\).*/\\1/p\" | tr -d \"\\n\""
}
NR > 1 { line(previous, 0) }
{ previous = $0 }
END { if (NR) line(previous, 1) }'
mask() { MAILAUDIT_KEY=$KEY awk -v FIELD="$FIELD" "$MASK"; } # of what ends with a dot of ours: awk sees no last newline

# meta FLAG PATH [COMPLAINT]: m, s, how are the metadata or the complaint, the status, and whether it took another user's rights.
meta() {
	how=-
	if [ -n "$3" ]; then m=$3 s=1; else m=$($STAT $1 -- "$2" 2>&1); s=$?; fi
	if [ $s -ne 0 ] && [ -n "$B" ] && denied "$m"; then
		how=become
		m=$($B $STAT $1 -- "$2" 2>&1); s=$?
	fi
	case $FLAVOUR$1$s$how:$m in gnu0-:a*) m=$m$(readlink -- "$2") ;; esac
}
tell() { head_ $n "$1" $s "$how"; put "$m"; }
# run FILTER COMMAND...: its output, through mask or as it is, then its status and what it complained of.
run() {
	filter=$1; shift
	head_ $n out 0 "$how"
	if [ "$filter" = mask ]; then
		m=$({ { "$@" 4>&-; s=$?; printf .; echo "?$s" >&3; } 2>&3 | mask >&4; } 3>&1)
	else
		m=$({ "$@" 4>&-; echo "?$?" >&3; } 2>&1 3>&1 >&4)
	fi
	s=${m##*"?"}; m=${m%"?"*}
	tell end
}
rights() { # the words before a command that reads a path; what is gone by now needs nobody's rights
	if [ -r "$1" ] || [ -z "$B" ] || { [ ! -e "$1" ] && [ -x "${1%/*}" ]; }; then how=- C=; else how=become C=$B; fi
}
look() { n=$1; meta '' "$2" "$3"; tell stat; }
fetch() {
	n=$1 path=$2 FIELD=$3
	meta '' "$path" "$4"; tell stat
	[ "$s" -eq 0 ] || return 0
	case $m in a*|12????:*)
		if [ $how = become ]; then head_ $n link 0 "$how"; return 0; fi
		case $(readlink "$path") in *passwd*|*credential*|*secret*|*shadow*|*/users) FIELD=1 ;; esac
		meta -L "$path"; tell real
		[ "$s" -eq 0 ] || return 0 ;;
	esac
	case $m in 8???:*|10????:*) contents ;; esac
}
contents() { # of the file that is number n at path and has metadata m
	size=${m#*:*:*:}; size=${size%%:*}
	[ "$size" -le "$MAX" ] || return 0
	for try in 1 2; do
		before=$m
		rights "$path"
		if held; then
			head_ $n out 0 "$how"
			case $FIELD$text in
			1*|*[$][12567yga]*) printf '%s.' "$text" | mask >&4 ;;
			*) put "$text" ;;
			esac
			m= s=0; tell end
			meta -L "$path"
			[ "$m" != "$before" ] || return 0
			continue
		fi
		found=$($C /bin/cat "$path" 2>/dev/null | grep -aEo -e '-----BEGIN [A-Z0-9 ]*PRIVATE KEY' -e '[$](1|2[abxy]?|5|6|7|y|gy|argon2[a-z]*)[$]')
		case $found in *"PRIVATE KEY"*) head_ $n key 0 "$how"; return 0 ;; esac
		if [ -n "$FIELD$found" ]; then
			run mask $C /bin/cat "$path"
		else
			run cat $C /bin/cat "$path"
		fi
		[ "$s" -eq 0 ] || return 0
		meta -L "$path"
		[ "$m" != "$before" ] || return 0
	done
	head_ $n changed 0 -
}
held() { # whether text is all of a small file that holds no key: what the shell can hold is read by one command
	[ "$size" -le 65536 ] || return 1
	{ text=$($C /bin/cat "$path" 4>&- && printf .); } 2>/dev/null || return 1
	text=${text%.}
	[ ${#text} -eq "$size" ] || return 1
	case $text in *"PRIVATE KEY"*) return 1 ;; esac
}
stats() { reads=; many "$@"; }
files() { reads=1; many "$@"; }
# many NUMBER PATH...: metadata and, with reads, contents of paths with consecutive numbers.
many() {
	i=$1 there= gone= late= closed=; shift
	for path do
		eval "path_$i=\$path said_$i="
		if [ -e "$path" ] || [ -L "$path" ]; then there="$there $i"; else gone="$gone $i"; fi
		i=$((i + 1))
	done
	[ -z "$gone" ] || gone_
	[ -z "$there" ] || there_
	for i in $closed; do
		eval "n=\$i path=\$path_$i m=\$meta_$i"
		FIELD= how=- s=0; tell stat
		contents
	done
	for i in $late; do
		eval "path=\$path_$i said=\$said_$i"
		if [ -n "$reads" ]; then fetch "$i" "$path" '' "$said"; else look "$i" "$path" "$said"; fi
	done
}
words() { # NUMBER...: words for eval that are those paths
	words=
	for i; do words="$words \"\$path_$i\""; done
}
lines() { # TEXT COUNT: whether it has so many lines
	OLD=$IFS; IFS=$NL; set -- $2 $1; IFS=$OLD
	[ $# -eq $(($1 + 1)) ]
}
gone_() {
	words $gone; set -- $gone
	all=$(eval "$STAT -- $words" 2>&1)
	if lines "$all" $#; then
		for i; do
			m=${all%%"$NL"*}; all=${all#*"$NL"}
			case $m in
			*"o such file or directory"|*"ot a directory") head_ "$i" stat 1 -; put "$m" ;;
			*) eval "said_$i=\$m"; late="$late $i" ;;
			esac
		done
	else
		late="$late $gone"
	fi
}
there_() {
	words $there; set -- $there
	all=$(eval "$STAT -- $words" 2>/dev/null) && lines "$all" $# || { late="$late $there"; return 0; }
	plain=
	for i; do
		m=${all%%"$NL"*}; all=${all#*"$NL"}
		case $m in
		a*|12????:*) late="$late $i"; continue ;;
		8???:*|10????:*)
			if [ -n "$reads" ]; then
				size=${m#*:*:*:}; size=${size%%:*}
				eval "path=\$path_$i"
				if [ "$size" -le "$MAX" ]; then
					if [ -r "$path" ]; then plain="$plain $i"; else eval "meta_$i=\$m"; closed="$closed $i"; continue; fi
				fi
			fi ;;
		esac
		eval "meta_$i=\$m"
		head_ "$i" stat 0 -; put "$m"
	done
	[ -z "$plain" ] || plain_
}
plain_() { # files that whoever asks may read
	words $plain; set -- $plain
	keys=$(eval "grep -l -e '-----BEGIN [A-Z0-9 ]*PRIVATE KEY' -- $words" 2>/dev/null) || [ $? -eq 1 ] || { late="$late $plain"; return 0; }
	hashes=$(eval "grep -lE '[$](1|2[abxy]?|5|6|7|y|gy|argon2[a-z]*)[$]' -- $words" 2>/dev/null) || [ $? -eq 1 ] || { late="$late $plain"; return 0; }
	whole= sizes= before=
	for i; do
		eval "path=\$path_$i m=\$meta_$i"
		case $NL$keys$NL in *"$NL$path$NL"*) head_ "$i" key 0 -; continue ;; esac
		case $NL$hashes$NL in *"$NL$path$NL"*) late="$late $i"; continue ;; esac
		size=${m#*:*:*:}
		whole="$whole $i" sizes="$sizes $i:${size%%:*}" before="$before$m$NL"
	done
	[ -n "$whole" ] || return 0
	words $whole
	head_ 0 whole 0 -
	put "$sizes$NL"
	if eval "/bin/cat $words" 2>/dev/null >&4 && m=$(eval "$STAT -- $words" 2>/dev/null) && [ "$m$NL" = "$before" ]; then
		head_ 0 same 0 -
	else
		late="$late $whole"
	fi
}
names() { # DIRECTORY PATTERN: what is in a closed directory and, where the pattern goes on, one level below it
	inside=$($C /bin/ls -1a "$1") || return 1
	printf '%s\n' "$inside"
	case ${2#"${1%/}/"} in */*) ;; *) return 0 ;; esac
	printf '%s\n' "$inside" | while IFS= read -r name; do
		case $name in .|..|'') continue ;; esac
		if below=$($C /bin/ls -1a "${1%/}/$name/" 2>&1 </dev/null); then
			printf '%s\n' "$below" | while IFS= read -r each; do printf '%s\n' "$name/$each"; done
		else
			case $below in
			*"ot a directory"*) ;;
			*) printf '%s\nin %s\n' "$below" "${1%/}/$name/" >&2; exit 1 ;;
			esac
		fi
	done
}
lists() { # NUMBER PATTERN...: what patterns with consecutive numbers match
	i=$1 open= gone= late=; shift
	for pattern do
		eval "pattern_$i=\$pattern said_$i="
		dir=${pattern%%[*?[]*}
		dir=${dir%/*}
		eval "path_$i=\${dir:=/}"
		if [ ! -e "$dir" ]; then gone="$gone $i"
		elif [ -r "$dir" ] && [ -x "$dir" ]; then open="$open $i"
		else late="$late $i"
		fi
		i=$((i + 1))
	done
	[ -z "$gone" ] || gone_
	[ -z "$open" ] || open_
	for i in $late; do
		eval "pattern=\$pattern_$i said=\$said_$i"
		list "$i" "$pattern" "$said"
	done
}
open_() { # directories that whoever asks may list
	words $open; set -- $open
	all=$(eval "$STAT -L -- $words" 2>/dev/null) && lines "$all" $# || { late="$late $open"; return 0; }
	for i; do
		head_ "$i" real 0 -; put "${all%%"$NL"*}"; all=${all#*"$NL"}
		eval "pattern=\$pattern_$i"
		match "$i" "$pattern"
	done
}
match() { # NUMBER PATTERN: the names that the shell finds
	n=$1
	head_ $n out 0 -
	set +f; OLD=$IFS; IFS=
	set -- $2
	IFS=$OLD; set -f
	if [ -e "$1" ] || [ -L "$1" ]; then printf '%s\n' "$@" >&4; fi
	head_ $n end 0 -
}
list() {
	n=$1 dir=${2%%[*?[]*}
	dir=${dir%/*}
	meta -L "${dir:=/}" "$3"; tell real
	[ "$s" -eq 0 ] || return 0
	if [ -r "$dir" ] && [ -x "$dir" ]; then
		match "$n" "$2"
	else
		head_ $n names 0 become
		C=$B; how=become
		[ -n "$B" ] || how=-
		run cat names "$dir" "$2"
	fi
}
public() {
	n=$1
	meta '' "$2"; tell stat
	[ "$s" -eq 0 ] || return 0
	rights "$2"
	run cat $C /usr/bin/openssl pkey -in "$2" -pubout
}
command_() { # number, needs-root, words
	n=$1 how=- C= FIELD=
	if [ "$2" = root ] && [ -n "$B" ]; then C=$B how=become; fi
	shift 2
	if [ ! -x "$1" ]; then head_ $n none 0 -; return 0; fi
	run mask $C "$@"
}
