"""Options that commands share: the dataclasses of `choices` as options of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

import typer


def with_options(kind: type[Any], *names: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the options that a dataclass of `choices` declares, or those named of them, below its own.

    The command takes them as one argument, which is called as the dataclass is, in lower case.
    """
    taken, hints = kind.__name__.lower(), get_type_hints(kind)
    shared = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=Annotated[hints[each.name], _option(each.metadata)],
        )
        for each in fields(kind)
        if each.name in (names or hints)
    ]

    def give(command: Callable[..., int]) -> Callable[..., int]:
        def run(**given: Any) -> int:
            options = kind(**{each.name: given.pop(each.name) for each in shared})
            return command(**given, **{taken: options})

        own = [each for each in inspect.signature(command, eval_str=True).parameters.values() if each.name != taken]
        parameters = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *shared]
        run.__name__ = command.__name__
        run.__doc__ = command.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # typer reads both of these
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return give


def _option(settings: Mapping[str, Any]) -> Any:
    rest = {name: value for name, value in settings.items() if name != "names"}
    return typer.Option(*settings["names"], **rest)
