"""Copies of single rows, at the speed of `memcpy`."""

from typing import Any

from numba.core import cgutils, types
from numba.extending import intrinsic

from .compile import PLAIN_PYTHON


def _copy_row(typingctx: Any, target: Any, source: Any, i: Any) -> Any:
    """Copy row `i` of a contiguous array to that row of another of the same shape and dtype.

    Written out because slices would be counted references, which cost ten times as much.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bytes_ = cgutils.voidptr_t
        to, of = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        size = builder.extract_value(of.strides, 0)
        offset = builder.mul(size, arguments[2])
        target_row, source_row = (
            builder.gep(builder.bitcast(array.data, bytes_), [offset]) for array in (to, of)
        )
        cgutils.raw_memcpy(builder, target_row, source_row, size, 1)
        return context.get_dummy_value()

    return types.void(target, source, types.intp), generate


def _copy_row_plainly(target: Any, source: Any, i: int) -> None:
    target[i] = source[i]


copy_row: Any = _copy_row_plainly if PLAIN_PYTHON else intrinsic(_copy_row)
