"""Terms by name: `"clip_cov(share=0.02)"` is an entry of a registry with some of its settings."""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .....envs.kernel.errors import InvalidArgumentError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Term:
    """A function of a registry with settings, and what it remembers from update to update.

    Attributes:
        name: in the registry.
        function: the function.
        settings: keyword arguments that it is called with.
        memory: plain JSON data of its own, part of every checkpoint; given to functions that have
            an argument of this name.
    """

    name: str
    function: Callable[..., Any]
    settings: dict[str, Any]
    memory: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._remembers = "memory" in inspect.signature(self.function).parameters

    def __call__(self, *arguments: Any) -> Any:
        """What the function makes of the arguments of its slot."""
        memory = {"memory": self.memory} if self._remembers else {}
        return self.function(*arguments, **memory, **self.settings)

    @property
    def needs(self) -> frozenset[str]:
        """What has to be computed for it beforehand; see `needs`."""
        return getattr(self.function, "needs", frozenset())


def needs(*names: str) -> Callable[[F], F]:
    """Mark a function that looks at fields of a rollout that are left out otherwise.

    Args:
        names: `"reference"` (log-probabilities under the policy that training began with),
            `"hidden"` (the last layer's activations), `"values"` (a critic's) or `"states"` (those
            of the environment).
    """

    def mark(function: F) -> F:
        function.needs = frozenset(names)  # pyright: ignore[reportAttributeAccessIssue]
        return function

    return mark


def read_term(text: str, registry: Mapping[str, Callable[..., Any]], slot: str) -> Term:
    """The term that a text such as `"kl(coefficient=0.01)"` or `"kl"` names.

    Args:
        text: a name of the registry, with settings as Python literals.
        registry: functions by name; their keyword-only arguments are the settings.
        slot: what the term is for, for messages.

    Raises:
        InvalidArgumentError: the text is no such term, or names no entry or setting that there is,
            or leaves out a setting that is required.
    """
    name, settings = _taken_apart(text, slot)
    if name not in registry:
        raise InvalidArgumentError(f"{slot} must be one of {list(registry)}; got {name!r}")
    parameters = inspect.signature(registry[name]).parameters.values()
    known = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "memory"}
    if unknown := settings.keys() - known.keys():
        raise InvalidArgumentError(
            f"{slot} {name!r} has the settings {list(known)}; got {min(unknown)!r}"
        )
    missing = [n for n, p in known.items() if p.default is p.empty and n not in settings]
    if missing:
        raise InvalidArgumentError(f"{slot} {name!r} needs the setting {missing[0]!r}")
    return Term(name, registry[name], settings)


def _taken_apart(text: str, slot: str) -> tuple[str, dict[str, Any]]:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, {}
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.args:
            settings = {k.arg: ast.literal_eval(k.value) for k in tree.keywords if k.arg}
            if len(settings) == len(tree.keywords):
                return tree.func.id, settings
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    raise InvalidArgumentError(
        f"{slot} must be written as name or name(setting=value, …); got {text!r}"
    )
