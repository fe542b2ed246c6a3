"""Calls of compiled functions by their addresses, which link nothing to the caller."""

from typing import Any

from numba.core import cgutils, types
from numba.extending import intrinsic

from .compile import PLAIN_PYTHON


def address_of(dispatcher: Any) -> Any:
    """What `call` takes for a function that was compiled for one signature."""
    if PLAIN_PYTHON:
        return dispatcher
    (compiled,) = dispatcher.overloads.values()
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _call(typingctx: Any, address: Any, arguments: Any) -> Any:
    """Call a compiled function that returns None and raises nothing with a tuple of arguments."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        calling = context.call_conv
        kind = calling.get_function_type(types.none, arguments.types)
        function = builder.inttoptr(values[0], kind.as_pointer())
        given = cgutils.unpack_tuple(builder, values[1])
        calling.call_function(builder, function, types.none, arguments.types, given)
        return context.get_dummy_value()

    return types.void(address, arguments), generate


def _call_plainly(function: Any, arguments: Any) -> None:
    function(*arguments)


call: Any = _call_plainly if PLAIN_PYTHON else intrinsic(_call)
