"""bash(1): a function that finds the command among the words typed, and looks up what may stand next."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.commands.completion.words import Takes, Value, Verb

_FRAME = r"""# mailaudit: completion for bash, made by `mailaudit completion bash`.

# Sets kind and words to what option or argument $2 of command $1 takes; kind is empty for a flag.
_mailaudit_takes() {
	kind='' words=''
	case "$1 $2" in
@TAKES@
	esac
}

_mailaudit() {
	local cur prev path='' options='' below='' kind words word number=1 behind='' i
	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	# bash splits words at = and :
	if [ "$cur" = = ]; then
		cur=''
	elif [ "$prev" = = ] && [ "$COMP_CWORD" -ge 2 ]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	elif [ "$cur" = : ] || [ "$prev" = : ]; then
		[ "$cur" = : ] && cur=''
		_mailaudit_files -f
		return
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ -n "$behind" ]; then
			[ "$word" = = ] || behind=''
			continue
		fi
		case $word in
		-*)
			_mailaudit_takes "$path" "$word"
			[ -n "$kind" ] && behind=1
			continue
			;;
		=|:) continue ;;
		esac
		case "$path $word" in
@BELOW@
		*) number=$((number + 1)) ;;
		esac
	done
	case $path in
@OPTIONS@
	esac
	case $prev in
	-*) _mailaudit_takes "$path" "$prev" ;;
	*) kind='' ;;
	esac
	if [ -z "$kind" ]; then
		case $cur in
		-*)
			_mailaudit_words "$options"
			return
			;;
		esac
		if [ -n "$below" ]; then
			_mailaudit_words "$below"
			return
		fi
		_mailaudit_takes "$path" "$number"
	fi
	case $kind in
	words) _mailaudit_words "$words" ;;
	outlet)
		_mailaudit_words "$words"
		compopt -o nospace 2>/dev/null
		;;
	path) _mailaudit_files -f ;;
	folder) _mailaudit_files -d ;;
	host) _mailaudit_lines "$(compgen -A hostname -- "$cur")" ;;
	place)
		_mailaudit_files -f
		[ "${#COMPREPLY[@]}" -gt 0 ] || _mailaudit_lines "$(compgen -A hostname -- "$cur")"
		;;
	esac
}

_mailaudit_words() {
	_mailaudit_lines "$(compgen -W "$1" -- "$cur")"
}

_mailaudit_files() {
	compopt -o filenames 2>/dev/null
	_mailaudit_lines "$(compgen "$1" -- "$cur")"
}

_mailaudit_lines() {
	local IFS=$'\n' had=$-
	set -f
	COMPREPLY=($1)
	case $had in *f*) ;; *) set +f ;; esac
}

complete -F _mailaudit mailaudit
"""


def script(program: Verb) -> str:
    """The function with what each command takes."""
    takes: dict[Value, list[str]] = {}
    for value, key in _takes(program):
        takes.setdefault(Value(value.takes, value.words), []).append(key)
    below = [
        f"\t\t{_quoted(' '.join(verb.path[:-1]) + ' ' + verb.name)}) path={_quoted(' '.join(verb.path))} ;;"
        for verb in program.all()
    ]
    options = [_options(verb) for verb in program.all()]
    filled = _FRAME.replace("@TAKES@", "\n".join(_case(value, keys) for value, keys in takes.items()))
    return filled.replace("@BELOW@", "\n".join(below[1:])).replace("@OPTIONS@", "\n".join(options))


def _takes(program: Verb) -> Iterator[tuple[Value, str]]:
    for verb in program.all():
        path = " ".join(verb.path)
        for option in verb.options:
            if option.value.takes is not Takes.NOTHING:
                yield from ((option.value, f"'{path} {name}'") for name in option.names)
        for number, argument in enumerate(verb.arguments, 1):
            if argument.value.takes is not Takes.TEXT:
                yield argument.value, f"'{path} '[{number}-9]*" if argument.many else f"'{path} {number}'"


def _case(value: Value, keys: list[str]) -> str:
    patterns = " | \\\n\t".join(keys)
    given = [f"{each}:" for each in value.words] if value.takes is Takes.OUTLET else value.words
    words = f" words={_quoted(' '.join(given))}" if given else ""
    return f"\t{patterns}) kind={value.takes}{words} ;;"


def _options(verb: Verb) -> str:
    names = " ".join(name for option in verb.options for name in option.names)
    below = " ".join(each.name for each in verb.below)
    return f"\t{_quoted(' '.join(verb.path))}) options={_quoted(names)} below={_quoted(below)} ;;"


def _quoted(text: str) -> str:
    assert "'" not in text, text
    return f"'{text}'"
