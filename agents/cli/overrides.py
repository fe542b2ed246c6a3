"""`--env.size 5`, `--agent.gamma 0.9`: arguments of environments and agents as words."""

import dataclasses
import inspect
import typing
from typing import Any

import tyro

#: Arguments that the command line sets itself.
_OWN = {"self", "render_mode"}


def split(argv: list[str], prefixes: tuple[str, ...]) -> tuple[list[str], dict[str, list[str]]]:
    """Take the arguments with a dotted prefix out of a command line.

    Args:
        argv: the command line.
        prefixes: such as `("env", "agent")`.

    Returns:
        The rest, and for each prefix its arguments with the prefix taken off.
    """
    rest: list[str] = []
    taken: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
    target = rest
    for word in argv:
        if word.startswith("--"):
            prefix, dot, name = word[2:].partition(".")
            if dot and prefix in taken:
                target = taken[prefix]
                word = f"--{name}"
            else:
                target = rest
        target.append(word)
    return rest, taken


def read_env_arguments(env_class: type[Any], argv: list[str]) -> dict[str, Any]:
    """The constructor arguments of an environment that differ from their defaults."""
    hints = typing.get_type_hints(env_class.__init__)
    fields = [
        (name, hints[name], dataclasses.field(default=parameter.default))
        for name, parameter in inspect.signature(env_class.__init__).parameters.items()
        if name not in _OWN
    ]
    cls = dataclasses.make_dataclass(f"{env_class.__name__}Arguments", fields)
    given = read_dataclass(cls, argv, f"--env.<argument> of {env_class.__name__}")
    return {
        f.name: getattr(given, f.name)
        for f in dataclasses.fields(given)
        if getattr(given, f.name) != f.default
    }


def read_dataclass(cls: type[Any], argv: list[str], name: str) -> Any:
    """An instance of a dataclass from `--field value` words; exits with 2 where they do not fit."""
    return tyro.cli(cls, args=argv, prog=name, add_help=False)
