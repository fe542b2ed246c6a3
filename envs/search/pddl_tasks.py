"""Planning tasks of the STRIPS kind, and their reading from PDDL files and writing to them.

What is read: `:strips`, `:typing` with `either`, `:equality`, `:negative-preconditions`, constants,
and of `:action-costs` a constant or a function of the objects by which `(total-cost)` increases.
Anything else raises an error that names it. The language is that of McDermott et al. 1998, "PDDL:
the planning domain definition language".
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..kernel import InvalidArgumentError

#: A predicate and its objects, or in a schema also parameters, which begin with a question mark.
Atom = tuple[str, ...]


class Schema(NamedTuple):
    """An action of a domain.

    Attributes:
        name: of the action.
        parameters: each with its types, of which an object may have any; none for `object`.
        positive, negative: what must hold and must not, of atoms over the parameters.
        equal, unequal: pairs of parameters or constants.
        add, delete: what holds afterwards and what does not; add wins.
        cost: a number, or the function that gives it.
    """

    name: str
    parameters: dict[str, tuple[str, ...]]
    positive: list[Atom]
    negative: list[Atom]
    equal: list[Atom]
    unequal: list[Atom]
    add: list[Atom]
    delete: list[Atom]
    cost: float | Atom


class Domain(NamedTuple):
    """Types by their parents (None for the root), constants by their types, and actions."""

    name: str
    types: dict[str, str | None]
    constants: dict[str, str]
    schemas: list[Schema]

    def types_of(self, kind: str) -> set[str]:
        """A type and all that are above it."""
        found: set[str] = set()
        above: str | None = kind
        while above is not None and above not in found:
            found.add(above)
            above = self.types.get(above)
        return found | {"object"}


class Problem(NamedTuple):
    """Objects by their types, what holds at first, and what must and must not hold at last.

    Attributes:
        values: the numbers of functions, for costs.
    """

    name: str
    objects: dict[str, str]
    init: frozenset[Atom]
    goal: frozenset[Atom]
    goal_not: frozenset[Atom] = frozenset()
    values: dict[Atom, float] = {}  # noqa: RUF012


def words(atom: Atom) -> str:
    """An atom as PDDL writes it."""
    return f"({' '.join(atom)})"


def write_problem(problem: Problem, domain: str) -> str:
    """A problem as the text of a PDDL file; it has unit costs unless `values` are given."""
    objects = "\n".join(f"    {name} - {kind}" for name, kind in problem.objects.items())
    init = [words(atom) for atom in sorted(problem.init)]
    init += [f"(= {words(f)} {value:g})" for f, value in sorted(problem.values.items())]
    goal = [words(atom) for atom in sorted(problem.goal)]
    goal += [f"(not {words(atom)})" for atom in sorted(problem.goal_not)]
    first, last = ("\n    ".join(lines) for lines in (init, goal))
    return (
        f"(define (problem {problem.name})\n  (:domain {domain})\n  (:objects\n{objects})\n"
        f"  (:init\n    {first})\n  (:goal (and\n    {last})))\n"
    )


# --- reading -------------------------------------------------------------------------------------


def read_domain(path: str | Path) -> Domain:
    """The domain of a PDDL file.

    Raises:
        InvalidArgumentError: it cannot be read, or uses what is not supported.
    """
    from pddl.parser.domain import DomainParser

    found = _parse(path, DomainParser)
    reader = _Reader(path)
    if found.derived_predicates:
        raise reader.unsupported("derived predicates (:derived)")
    types = {str(t): str(above) if above else None for t, above in found.types.items()}
    constants = {c.name: c.type_tag or "object" for c in sorted(found.constants)}
    actions = sorted(found.actions, key=lambda action: action.name)
    return Domain(str(found.name), types, constants, [reader.schema(a) for a in actions])


def read_problem(path: str | Path, domain: Domain) -> Problem:
    """The problem of a PDDL file, which must be of that domain.

    Raises:
        InvalidArgumentError: it cannot be read, is of another domain, or uses what is not
            supported.
    """
    from pddl.parser.problem import ProblemParser

    found = _parse(path, ProblemParser)
    if found.domain_name != domain.name:
        raise InvalidArgumentError(
            f"{path} is a problem of the domain {found.domain_name!r}, not of {domain.name!r}"
        )
    reader = _Reader(path)
    init, values = set(), {}
    for element in found.init:
        kind = type(element).__name__
        if kind == "Predicate":
            init.add(_atom(element))
        elif kind == "EqualTo":
            function, number = element.operands
            values[_atom(function)] = float(number.value)
    goal, goal_not, same, other = reader.condition(found.goal)
    if same or other:
        raise reader.unsupported("equality in the goal")
    if found.metric is not None and str(found.metric) != "minimize (total-cost)":
        raise reader.unsupported(f"the metric ({found.metric})")
    objects = {o.name: o.type_tag or "object" for o in sorted(found.objects)}
    return Problem(
        str(found.name), objects, frozenset(init), frozenset(goal), frozenset(goal_not), values
    )


def _parse(path: str | Path, parser: Callable[[], Any]) -> Any:
    """The text of a file in lower case through a parser of the `pddl` package."""
    try:
        text = Path(path).read_text(encoding="utf-8").lower()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"PDDL file {str(path)!r} cannot be read: {error}") from None
    # To the parser, functions of objects are numeric fluents, which costs may do without.
    text = text.replace(":action-costs", ":action-costs :numeric-fluents")
    limit = getattr(sys, "tracebacklimit", None)
    try:
        return parser()(text)
    except Exception as error:
        raise InvalidArgumentError(
            f"{path} is not PDDL that can be read: {type(error).__name__}: {error} (each action "
            "needs a :precondition and an :effect, and the requirements what is used)"
        ) from error
    finally:
        # The parser changes it, and leaves it changed where it fails.
        if limit is not None:
            sys.tracebacklimit = limit
        elif hasattr(sys, "tracebacklimit"):
            del sys.tracebacklimit


def _atom(formula: Any) -> Atom:
    return (str(formula.name), *(str(term) for term in formula.terms))


#: What a node of a formula is called in an error.
_NAMES = {
    "Or": "a disjunction (or)",
    "Imply": "an implication (imply)",
    "ForallCondition": "a universal condition (forall)",
    "ExistsCondition": "an existential condition (exists)",
    "Forall": "a universal effect (forall)",
    "When": "a conditional effect (when)",
    "OneOf": "a non-deterministic effect (oneof)",
}


class _Reader:
    """Turns the formulas of one file into lists of atoms."""

    def __init__(self, path: str | Path):
        self.path = path

    def unsupported(self, what: str) -> InvalidArgumentError:
        """The error that names what is not supported."""
        return InvalidArgumentError(
            f"{self.path} uses {what}, which is not supported; accepted are :strips, :typing, "
            ":equality, :negative-preconditions and :action-costs"
        )

    def schema(self, action: Any) -> Schema:
        """An action of the parser's."""
        parameters = {str(v): tuple(sorted(map(str, v.type_tags))) for v in action.parameters}
        add, delete, cost = [], [], None
        for part in self._conjuncts(action.effect):
            kind = type(part).__name__
            if kind == "Predicate":
                add.append(_atom(part))
            elif kind == "Not":
                delete.append(_atom(part.argument))
            elif kind == "Increase" and str(part.operands[0]) in ("total-cost", "(total-cost)"):
                cost = self._cost(part.operands[1])
            else:
                raise self.unsupported(_NAMES.get(kind, f"the effect {part}"))
        condition = self.condition(action.precondition)
        return Schema(
            str(action.name), parameters, *condition, add, delete, 1.0 if cost is None else cost
        )

    def condition(self, formula: Any) -> tuple[list[Atom], list[Atom], list[Atom], list[Atom]]:
        """What must hold and must not, and pairs that must be equal and must not."""
        positive, negative, equal, unequal = [], [], [], []
        for part in self._conjuncts(formula):
            wanted = type(part).__name__ != "Not"
            literal = part if wanted else part.argument
            kind = type(literal).__name__
            if kind == "EqualTo" and hasattr(literal, "left"):
                pair = (str(literal.left), str(literal.right))
                (equal if wanted else unequal).append(pair)
            elif kind == "Predicate":
                (positive if wanted else negative).append(_atom(literal))
            else:
                raise self.unsupported(_NAMES.get(kind, f"the condition {literal}"))
        return positive, negative, equal, unequal

    def _conjuncts(self, formula: Any) -> Iterator[Any]:
        """The parts of a conjunction. The parser gives None or an empty `Or` for no condition."""
        kind = type(formula).__name__
        if formula is None or (kind == "Or" and not formula.operands):
            return
        if kind == "And":
            for part in formula.operands:
                yield from self._conjuncts(part)
        else:
            yield formula

    def _cost(self, expression: Any) -> float | Atom:
        kind = type(expression).__name__
        if kind == "NumericValue":
            return float(expression.value)
        if kind == "NumericFunction":
            return _atom(expression)
        raise self.unsupported(f"the cost {expression}")
