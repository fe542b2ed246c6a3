"""`--env.size 5`, `--agent.gamma 0.9`: arguments of environments and agents as words."""

import contextlib
import dataclasses
import inspect
import io
import typing
from typing import Any

import tyro

from ...envs.kernel.errors import InvalidArgumentError

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


def read_arguments(of: type[Any], argv: list[str], prefix: str) -> dict[str, Any]:
    """The constructor arguments of an environment or agent that differ from their defaults.

    Args:
        of: its class.
        argv, prefix: see `read_dataclass`.
    """
    hints = typing.get_type_hints(of.__init__)
    fields = [
        (name, hints[name], dataclasses.field(default=parameter.default))
        for name, parameter in inspect.signature(of.__init__).parameters.items()
        if name not in _OWN and name in hints
    ]
    cls = dataclasses.make_dataclass(f"{of.__name__}Arguments", fields)
    given = read_dataclass(cls, argv, prefix)
    return {
        f.name: getattr(given, f.name)
        for f in dataclasses.fields(given)
        if getattr(given, f.name) != f.default
    }


def read_dataclass(cls: type[Any], argv: list[str], prefix: str) -> Any:
    """An instance of a dataclass from `--field value` words.

    Args:
        cls: the dataclass; every field has a default.
        argv: the words, without the prefix.
        prefix: what stood before the names on the command line, `"env"` or `"agent"`.

    Raises:
        InvalidArgumentError: for a field there is not, or a value of another type; the message
            says what is accepted.
    """
    given = _parse(cls, argv)
    if given is not None:
        return given
    starts = [i for i, word in enumerate(argv) if word.startswith("--")]
    for begin, end in zip(starts, [*starts[1:], len(argv)], strict=True):
        if _parse(cls, argv[begin:end]) is None:
            raise InvalidArgumentError(_complaint(cls, argv[begin:end], prefix))
    raise InvalidArgumentError(f"--{prefix}.<argument> takes each argument once; got {argv}")


def _parse(cls: type[Any], argv: list[str]) -> Any | None:
    # What tyro has to say takes many lines, and `console_outputs=False` silences but half of it.
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return tyro.cli(cls, args=argv, add_help=False)
        except SystemExit:
            return None


def _complaint(cls: type[Any], words: list[str], prefix: str) -> str:
    """What is wrong with one argument and its values."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    name, _, inner = words[0].removeprefix("--").replace("-", "_").partition(".")
    field = fields.get(name) or fields.get(name.removeprefix("no_"))
    if field is None:
        known = ", ".join(f"--{prefix}.{known.replace('_', '-')}" for known in fields)
        return f"--{prefix}.{words[0][2:].replace('_', '-')} is unknown; accepted are {known}"
    hint = typing.get_type_hints(cls)[field.name]
    if inner and dataclasses.is_dataclass(hint):
        return _complaint(hint, [f"--{inner}", *words[1:]], f"{prefix}.{name}")  # pyright: ignore
    wanted = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    return (
        f"--{prefix}.{words[0][2:]} must be {wanted} (default {field.default!r}); "
        f"got {' '.join(words[1:]) or 'nothing'}"
    )
