"""Grounding: from actions with parameters to operators over bit sets of facts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..kernel import InvalidArgumentError
from .pddl_tasks import Atom, Domain, Problem, Schema, words

Array = np.ndarray[Any, Any]
_MOST_OPERATORS = 100_000


class Task(NamedTuple):
    """n problems of one domain over the same facts and operators.

    Fact f is bit f % 64 of word f // 64. Facts that are the same in every state of every problem
    are left out.

    Attributes:
        facts: their names; `(is type object)` tells which objects a problem has, where that
            differs.
        operators: their names.
        want, care: (operators, words) `int64`: an operator is applicable where
            `(state ^ want) & care` is 0.
        keep, add: (operators, words) `int64`: afterwards the state is `state & keep | add`.
        costs: (operators,) `float64`, not negative.
        starts: (n, words) `int64`.
        goal, goal_care: (n, words) `int64`: the goal is reached where `(state ^ goal) & goal_care`
            is 0.
    """

    facts: list[Atom]
    operators: list[Atom]
    want: Array
    care: Array
    keep: Array
    add: Array
    costs: Array
    starts: Array
    goal: Array
    goal_care: Array


class _Operator(NamedTuple):
    name: Atom
    positive: list[Atom]
    negative: list[Atom]
    add: list[Atom]
    delete: list[Atom]
    cost: float


def ground(domain: Domain, problems: Sequence[Problem]) -> Task:
    """All operators that might become applicable, were nothing ever deleted.

    The problems share one set of operators: those that their initial facts together can reach. An
    operator that is not of a problem is not applicable there, for want of facts that it needs.

    Raises:
        InvalidArgumentError: a goal cannot be reached even so or holds from the start, a function
            has no value, or there are more than 100,000 operators.
    """
    inits = [_init(domain, problem) for problem in problems]
    found, reached = _reach(domain, problems, set().union(*inits))
    constant = set.intersection(*inits)
    for operator in found:
        constant.difference_update(set(operator.delete) - set(operator.add))
    found = [o for o in found if not constant.intersection(o.negative) and _changes(o)]
    for problem, init in zip(problems, inits, strict=True):
        _check_goal(problem, init, reached, constant)
    facts = sorted(reached - constant)
    places = {fact: k for k, fact in enumerate(facts)}
    found.sort(key=lambda operator: operator.name)
    return Task(
        facts=facts,
        operators=[o.name for o in found],
        want=_sets(places, [o.positive for o in found]),
        care=_sets(places, [o.positive + o.negative for o in found]),
        keep=~_sets(places, [o.delete for o in found]),
        add=_sets(places, [o.add for o in found]),
        costs=np.array([o.cost for o in found], np.float64),
        starts=_sets(places, inits),
        goal=_sets(places, [p.goal for p in problems]),
        goal_care=_sets(places, [p.goal | p.goal_not for p in problems]),
    )


def _init(domain: Domain, problem: Problem) -> set[Atom]:
    """What holds at first, with facts that tell the types of the objects."""
    facts = set(problem.init)
    unions = {types for schema in domain.schemas for types in schema.parameters.values()}
    for name, kind in (domain.constants | problem.objects).items():
        kinds = domain.types_of(kind)
        facts.update((_is(types), name) for types in unions if not types or kinds & set(types))
    return facts


def _is(types: tuple[str, ...]) -> str:
    """The predicate that an object is of one of these types; no name of PDDL has a space."""
    return "is " + ("|".join(types) or "object")


def _check_goal(problem: Problem, init: set[Atom], reached: set[Atom], constant: set[Atom]) -> None:
    for atom in sorted(problem.goal - reached):
        raise InvalidArgumentError(f"problem {problem.name}: {words(atom)} can never be reached")
    for atom in sorted(problem.goal_not & constant):
        raise InvalidArgumentError(f"problem {problem.name}: {words(atom)} can never be undone")
    if problem.goal <= init and not problem.goal_not & init:
        raise InvalidArgumentError(f"problem {problem.name}: the goal holds from the start")


def _changes(operator: _Operator) -> bool:
    """Whether an operator may change anything."""
    deleted = set(operator.delete) - set(operator.add)
    return bool(deleted) or not set(operator.add) <= set(operator.positive)


def _sets(places: dict[Atom, int], rows: Iterable[Iterable[Atom]]) -> Array:
    """Sets of facts as bits, (rows, words) `int64`; facts that are left out do not count."""
    chosen = [[places[atom] for atom in row if atom in places] for row in rows]
    flags = np.zeros((len(chosen), max(1, -(-len(places) // 64)) * 64), bool)
    for k, row in enumerate(chosen):
        flags[k, row] = True
    return np.packbits(flags, axis=1, bitorder="little").view("<i8").astype(np.int64)


# --- reachability --------------------------------------------------------------------------------


class _Index:
    """Facts by their predicate, and by predicate, place and object."""

    def __init__(self) -> None:
        self.facts: set[Atom] = set()
        self._by: dict[tuple[Any, ...], list[Atom]] = defaultdict(list)

    def put(self, fact: Atom) -> None:
        self.facts.add(fact)
        self._by[(fact[0], len(fact))].append(fact)
        for place, name in enumerate(fact[1:], start=1):
            self._by[(fact[0], len(fact), place, name)].append(fact)

    def like(self, atom: Atom, binding: dict[str, str]) -> list[Atom]:
        """A shortest list that has all facts an atom may stand for."""
        full = (atom[0], *(binding.get(term, term) for term in atom[1:]))
        if full in self.facts:
            return [full]
        best = self._by[(atom[0], len(atom))]
        for place, term in enumerate(atom[1:], start=1):
            name = binding.get(term, term)
            if not name.startswith("?"):
                rows = self._by.get((atom[0], len(atom), place, name), [])
                best = rows if len(rows) < len(best) else best
        return best


def _reach(
    domain: Domain, problems: Sequence[Problem], init: set[Atom]
) -> tuple[list[_Operator], set[Atom]]:
    """The operators that are reachable without deletions, and the facts.

    Facts are taken in one by one. Each is matched with every precondition that it may stand for,
    and the others are joined from the facts taken in before.
    """
    static = {atom[0] for atom in init} - {
        atom[0] for schema in domain.schemas for atom in schema.add + schema.delete
    }
    users: dict[tuple[str, int], list[tuple[Schema, int, list[Atom]]]] = defaultdict(list)
    index, agenda = _Index(), []
    for schema in domain.schemas:
        types = [(_is(kinds), name) for name, kinds in schema.parameters.items()]
        atoms: list[Atom] = [*schema.positive, *types]
        for k, atom in enumerate(atoms):
            users[(atom[0], len(atom))].append((schema, k, atoms))
        if not atoms:
            agenda.append(schema)
    operators: dict[Atom, _Operator] = {}
    queue = sorted(init, key=lambda atom: (atom[0] not in static, atom))
    queued = set(queue)

    def take(schema: Schema, binding: dict[str, str]) -> None:
        operator = _instantiate(schema, binding, problems)
        if operator is None or operator.name in operators:
            return
        if len(operators) >= _MOST_OPERATORS:
            raise InvalidArgumentError(
                f"the task has more than {_MOST_OPERATORS:,} operators; give a smaller one"
            )
        operators[operator.name] = operator
        fresh = [atom for atom in operator.add if atom not in queued]
        queued.update(fresh)
        queue.extend(fresh)

    for schema in agenda:
        take(schema, {})
    k = 0
    while k < len(queue):
        fact = queue[k]
        k += 1
        index.put(fact)
        for schema, place, atoms in users[(fact[0], len(fact))]:
            binding = _match(atoms[place], fact, {})
            if binding is not None:
                rest = [atom for j, atom in enumerate(atoms) if j != place]
                for full in _join(rest, binding, index):
                    take(schema, full)
    return list(operators.values()), queued


def _match(atom: Atom, fact: Atom, binding: dict[str, str]) -> dict[str, str] | None:
    """The binding that makes an atom a fact; None where there is none."""
    found = dict(binding)
    for term, name in zip(atom[1:], fact[1:], strict=True):
        known = found.get(term, term)
        if known.startswith("?"):
            found[term] = name
        elif known != name:
            return None
    return found


def _join(atoms: list[Atom], binding: dict[str, str], index: _Index) -> Iterator[dict[str, str]]:
    """All bindings under which the atoms are facts, the atom with the fewest of them first."""
    if not atoms:
        yield binding
        return
    choices = [index.like(atom, binding) for atom in atoms]
    k = min(range(len(atoms)), key=lambda j: len(choices[j]))
    rest = atoms[:k] + atoms[k + 1 :]
    for fact in list(choices[k]):
        found = _match(atoms[k], fact, binding)
        if found is not None:
            yield from _join(rest, found, index)


def _instantiate(
    schema: Schema, binding: dict[str, str], problems: Sequence[Problem]
) -> _Operator | None:
    """The operator of a binding; None where its objects are not to be equal, or are to be."""

    def fill(atom: Atom) -> Atom:
        return tuple(binding.get(term, term) for term in atom)

    for pairs, same in ((schema.equal, True), (schema.unequal, False)):
        for pair in pairs:
            a, b = fill(pair)
            if (a == b) != same:
                return None
    cost = schema.cost
    if isinstance(cost, tuple):
        costs = {p.values[fill(cost)] for p in problems if fill(cost) in p.values}
        if len(costs) != 1:
            raise InvalidArgumentError(
                f"the cost {words(fill(cost))} must have one value in all problems; it has "
                f"{sorted(costs) or 'none'}"
            )
        (cost,) = costs
    types: list[Atom] = [(_is(kinds), binding[name]) for name, kinds in schema.parameters.items()]
    return _Operator(
        name=(schema.name, *(binding[name] for name in schema.parameters)),
        positive=[*map(fill, schema.positive), *types],
        negative=[*map(fill, schema.negative)],
        add=[*map(fill, schema.add)],
        delete=[*map(fill, schema.delete)],
        cost=cost,
    )
