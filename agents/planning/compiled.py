"""Search loops compiled together with an environment's kernels and a heuristic.

A node of a search keeps the dynamic fields of its state only: instance and bookkeeping are the
root's, in a copy of which `load` makes the state again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ...envs.kernel import kernel
from ...envs.kernel.definition import KernelDefinition
from ...envs.kernel.state import Field


@dataclass(frozen=True)
class Heuristic:
    """A heuristic that is compiled into the search.

    Args:
        kernel: `kernel(state, params, tables)` under `@kernel`: the estimated cost of one state,
            not negative; infinite where no goal can be reached. Or the text of such a function
            under `@inlined`, called `estimate_kernel`, where it needs the environment's own
            kernels: they are there by the names of `Kernels`, as `rank_kernel`.
        tables: what else it reads: a named tuple of arrays and numbers.
    """

    kernel: Callable[..., Any] | str
    tables: Any = ()


@kernel
def _zero(state, params, tables):
    return 0.0


#: Zero for every state: best-first search becomes Dijkstra's algorithm.
BLIND = Heuristic(_zero)

_COMMON = """
@inlined
def load(state, node):
    '''Make the state of a node in a record of the same instance.'''
LOAD

@inlined
def store(node, state):
    '''Keep the state of a record in a node.'''
STORE

@inlined
def write_key(state, params, scratch, key):
    '''The key of a state, which is left as it is.'''
KEY

@lane
def estimates(states, params, tables, out):
    for i in range(len(states)):
        out[i] = estimate_kernel(states[i], params, tables)
"""

_KEY = "    key_lane(0, state, params, key)"
# Making a state canonical changes it.
_CANONICAL_KEY = "    scratch[0] = state\n    key_lane(0, scratch[0], params, key)"


def node_type(definition: KernelDefinition, *more: Field) -> np.dtype[Any]:
    """A record of some fields, and of the dynamic fields of a state."""
    fields = np.dtype([*more, *definition.layout.dynamic], align=True)
    return np.dtype((np.record, fields))


def search_module(
    definition: KernelDefinition, heuristic: Heuristic, text: str = "", **functions: Any
) -> ModuleType:
    """Compiled search loops over the kernels of an environment; see `codegen.generate`.

    Besides the lane functions the text may call `load`, `store`, `write_key`, `estimate_kernel`
    and the functions given.
    """
    dynamic = definition.layout.dynamic
    canonical = definition.kernels.canonical is not None
    if isinstance(heuristic.kernel, str):
        text = heuristic.kernel + text
    else:
        functions["estimate_kernel"] = heuristic.kernel
    text = (
        (_COMMON + text)
        .replace("LOAD", "\n".join(_copies(dynamic, "state", "node")))
        .replace("STORE", "\n".join(_copies(dynamic, "node", "state")))
        .replace("KEY", _CANONICAL_KEY if canonical else _KEY)
    )
    return definition.generate(text, **functions)


def estimates(
    definition: KernelDefinition, heuristic: Heuristic, states: Any
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The heuristic of many states, (n,)."""
    out = np.empty(len(states))
    loops = search_module(definition, heuristic)
    loops.estimates(np.ascontiguousarray(states), definition.params, heuristic.tables, out)
    return out


def _copies(fields: Sequence[Field], target: str, source: str) -> Iterator[str]:
    """Lines that copy fields of one record to another, an element at a time."""
    for field in fields:
        shape = field[2] if len(field) == 3 else ()
        indent, index = "    ", ""
        for depth, length in enumerate(shape):
            yield f"{indent}for i{depth} in range({length}):"
            indent += "    "
        if shape:
            index = f"[{', '.join(f'i{depth}' for depth in range(len(shape)))}]"
        yield f"{indent}{target}.{field[0]}{index} = {source}.{field[0]}{index}"
