"""Open and closed lists in compiled code: stacks or a heap of nodes, and a hash table of states.

A search keeps its nodes in arrays that grow, and names them by index. Where all priorities are
small whole numbers, as in most puzzles, the open list is a stack for each (f, h), which takes
constant time; otherwise it is a binary heap. Both hand out the lowest f first, and of equal ones
the lowest h. Neither removes what has become stale: the caller looks before it expands.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ...envs.kernel.compile import OPTIONS, PLAIN_PYTHON, compiled

Array = np.ndarray[Any, Any]


def record(fields: Sequence[Any]) -> np.dtype[Any]:
    """A record type whose fields compiled and plain code reach as attributes."""
    return np.dtype((np.record, np.dtype(list(fields), align=True)))


#: f and h below this are indices of stacks.
WHOLE = 4096

#: The hash table: a part of the key, and the node plus 1 (0 in a free slot).
SLOT = record([("tag", np.uint32), ("node", np.int32)])
#: What is on a stack: a node, and the entry below it.
ENTRY = record([("node", np.int32), ("below", np.int32)])
#: What is in the heap.
HEAPED = record([("f", np.float64), ("h", np.float64), ("node", np.int64)])

_inlined = numba.njit(forceinline=True, **OPTIONS)


class Stacks(NamedTuple):
    """The open list of whole priorities. The arrays of zeros take memory only where written to.

    Attributes:
        top: (WHOLE, WHOLE) `int32`: the uppermost entry of [f, h], 0 for none.
        count: (WHOLE,) `int32`: how many entries have this f.
        first: (WHOLE,) `int32`: no entry with this f has a lower h.
        low: (1,) `int64`: no entry has a lower f.
        entries: records of `ENTRY`; entry 0 is not used.
        used: (2,) `int64`: the first entry that is free again, and the number of entries made.
    """

    top: Array
    count: Array
    first: Array
    low: Array
    entries: Array
    used: Array


_kept: dict[tuple[int, np.dtype[Any]], Array] = {}
_MOST_KEPT = 2**28  # bytes


def borrow(length: int, dtype: np.dtype[Any]) -> Array:
    """An array with anything in it, which takes memory once it is written to.

    The one that was given back last, where it is of that kind: for a search of a tenth of a second
    fresh pages cost as much as a fifth of its time.
    """
    kept = _kept.pop((length, dtype), None)
    return np.empty(length, dtype) if kept is None else kept


def give_back(array: Array, used: int) -> None:
    """Keep a borrowed array for the next search, unless it holds much memory.

    Args:
        array: what was borrowed.
        used: how many of its elements have been written to.
    """
    if used * array.itemsize <= _MOST_KEPT:
        _kept[len(array), array.dtype] = array


def make_stacks(entries: int) -> Stacks:
    """An empty open list with room for so many entries, which take memory once they are used."""
    return Stacks(
        np.zeros((WHOLE, WHOLE), np.int32),
        np.zeros(WHOLE, np.int32),
        np.full(WHOLE, WHOLE, np.int32),
        np.full(1, WHOLE, np.int64),
        borrow(entries + 1, ENTRY),
        np.zeros(2, np.int64),
    )


class Heap(NamedTuple):
    """The open list of any priorities.

    Attributes:
        entries: records of `HEAPED`.
        used: (2,) `int64`: how many of them count, and how many did at most.
    """

    entries: Array
    used: Array


def make_heap(entries: int) -> Heap:
    """An empty open list with room for so many entries, which take memory once they are used."""
    return Heap(borrow(entries, HEAPED), np.zeros(2, np.int64))


#: Bytes of table for each node, while it grows: new slots, and a quarter as many old ones.
TABLE_BYTES = (6 + 1.5) * SLOT.itemsize


def make_table(nodes: int) -> Array:
    """An empty hash table that has room for this many nodes: it may be two thirds full."""
    return np.zeros(1 << max(nodes * 3 // 2, 1).bit_length(), SLOT)


def grown(table: Array, nodes: Array) -> Array:
    """A table of four times the size with the same in it."""
    larger = np.zeros(4 * len(table), SLOT)
    _enter_all(larger, table, nodes)
    return larger


def _prefetch(typingctx: Any, array: Any, i: Any) -> Any:
    """Have an element of a contiguous array fetched into the cache, as it will be wanted soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # To read, to be kept in all levels, data.
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


prefetch: Any = (lambda array, i: None) if PLAIN_PYTHON else intrinsic(_prefetch)


@_inlined
def slot_of(table, a):
    """Where to begin to look for a key."""
    return np.int64(a & np.uint64(len(table) - 1))


@_inlined
def find(table, nodes, a, b):
    """The slot of the node with this key, or the free one where it belongs."""
    last = np.uint64(len(table) - 1)
    slot, tag = a & last, np.uint32(b & np.uint64(0xFFFFFFFF))
    while table[slot].node != 0:
        if table[slot].tag == tag and nodes[table[slot].node - 1].key == a:
            break
        slot = (slot + np.uint64(1)) & last
    return slot


@_inlined
def enter(table, slot, b, node):
    """Take a free slot for a node whose key ends in b."""
    table[slot].tag = np.uint32(b & np.uint64(0xFFFFFFFF))
    table[slot].node = node + 1


@compiled
def _enter_all(table, old, nodes):
    """Enter all that is in another table."""
    last = np.uint64(len(table) - 1)
    for i in range(len(old)):
        ahead = i + 16
        if ahead < len(old) and old[ahead].node != 0:
            prefetch(nodes, int(old[ahead].node) - 1)
        if old[i].node != 0:
            slot = nodes[old[i].node - 1].key & last
            while table[slot].node != 0:
                slot = (slot + np.uint64(1)) & last
            table[slot] = old[i]


@_inlined
def room_in_stacks(stacks, more):
    """Whether so many more nodes can be pushed."""
    return stacks.used[1] + more < len(stacks.entries)


@_inlined
def room_in_heap(heap, more):
    """Whether so many more nodes can be pushed."""
    return heap.used[0] + more <= len(heap.entries)


@_inlined
def push_whole(stacks, f, h, node):
    """Put a node on the stack of its priority; False where that is no index of a stack."""
    row, column = int(f), int(h)
    if f != row or h != column or row < 0 or row >= WHOLE or column >= WHOLE:
        return False
    entry = stacks.used[0]
    if entry != 0:
        stacks.used[0] = stacks.entries[entry].below
    else:
        stacks.used[1] += 1
        entry = stacks.used[1]
    stacks.entries[entry].node = node
    stacks.entries[entry].below = stacks.top[row, column]
    stacks.top[row, column] = entry
    stacks.count[row] += 1
    stacks.first[row] = min(stacks.first[row], column)
    stacks.low[0] = min(stacks.low[0], row)
    return True


@_inlined
def pop_whole(stacks, limit):
    """Take a node of the lowest f below a limit; −1 where there is none. Also its f and h."""
    row = stacks.low[0]
    while row < WHOLE and stacks.count[row] == 0:
        stacks.first[row] = WHOLE
        row += 1
    stacks.low[0] = row
    if row >= WHOLE or row >= limit:
        return -1, 0.0, 0.0
    column = int(stacks.first[row])
    while stacks.top[row, column] == 0:
        column += 1
    stacks.first[row] = column
    entry = stacks.top[row, column]
    stacks.top[row, column] = stacks.entries[entry].below
    stacks.count[row] -= 1
    stacks.entries[entry].below = stacks.used[0]
    stacks.used[0] = entry
    return int(stacks.entries[entry].node), float(row), float(column)


@_inlined
def push_heap(heap, f, h, node):
    """Put a node into the heap."""
    entries, i = heap.entries, heap.used[0]
    heap.used[0] += 1
    heap.used[1] = max(heap.used[1], heap.used[0])
    while i > 0:
        above = (i - 1) // 2
        if entries[above].f < f or (entries[above].f == f and entries[above].h <= h):
            break
        entries[i] = entries[above]
        i = above
    entries[i].f = f
    entries[i].h = h
    entries[i].node = node
    return True


@_inlined
def pop_heap(heap, limit):
    """Take the node of the lowest f below a limit; −1 where there is none. Also its f and h."""
    entries = heap.entries
    if heap.used[0] == 0 or entries[0].f >= limit:
        return -1, 0.0, 0.0
    node, f, h = int(entries[0].node), entries[0].f, entries[0].h
    heap.used[0] -= 1
    last, i = heap.used[0], 0
    while True:
        below = 2 * i + 1
        if below >= last:
            break
        right = below + 1
        if right < last and (
            entries[right].f < entries[below].f
            or (entries[right].f == entries[below].f and entries[right].h < entries[below].h)
        ):
            below = right
        if entries[last].f < entries[below].f or (
            entries[last].f == entries[below].f and entries[last].h <= entries[below].h
        ):
            break
        entries[i] = entries[below]
        i = below
    entries[i] = entries[last]
    return node, f, h
