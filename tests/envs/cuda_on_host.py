"""Kernels compiled for a GPU, run on the CPU: what Numba's CUDA target made of them, without a GPU.

The simulator runs the kernels as plain Python, so it says nothing of how numba-cuda types and
lowers them, which is not in all things as Numba does for the CPU. Here the LLVM code that goes into
NVIDIA's compiler is given to LLVM's own for this machine instead, and called once for each lane.
"""

import ctypes
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import llvmlite.binding as llvm
import torch
from numba.cuda.cudadrv import nvvm

from spelunk.envs.kernel.device import Program, arguments_of, ptx, signature_of

CAPABILITY = (9, 0)

_POSITION = "".join(
    f"""
@{name} = global i32 {start}
define i32 @position_{name}.x() {{
  %value = load i32, ptr @{name}
  ret i32 %value
}}"""
    for name, start in (("tid", 0), ("ctaid", 0), ("ntid", 1))
)

#: NVIDIA's mathematical functions by LLVM's, of one or two arguments: those that round correctly.
_EXACT = {"fabs": ("fabs", 1), "sqrt": ("sqrt", 1), "floor": ("floor", 1), "ceil": ("ceil", 1)}
_EXACT |= {"trunc": ("trunc", 1), "fmax": ("maxnum", 2), "fmin": ("minnum", 2)}

_C_TYPES = {bool: ctypes.c_bool, int: ctypes.c_int64, float: ctypes.c_double}


class HostProgram(Program):
    """Like `Program`, over torch's CPU tensors. What was compiled serves all batches."""

    _compiled: ClassVar[dict[Any, tuple[Any, str]]] = {}

    def bind(self, name: str, lanes: int, arguments: Iterable[Any]) -> Callable[[], None]:
        arguments = tuple(arguments)
        key = self._module, name, signature_of(arguments)
        if key not in self._compiled:
            self._compiled[key] = self._compile(name, arguments)
        engine, entry = self._compiled[key]
        words = arguments_of(arguments)
        prototype = ctypes.CFUNCTYPE(None, *(_C_TYPES[type(word)] for word in words))
        function = prototype(engine.get_function_address(entry))
        lane = ctypes.c_int32.from_address(engine.get_global_value_address("ctaid"))

        def run() -> None:
            for i in range(lanes):
                lane.value = i
                function(*words)

        return run

    def _compile(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, str]:
        texts = llvm_texts(self._module, name, signature_of(arguments))
        main = llvm.parse_assembly(_POSITION)
        for text in dict.fromkeys(texts):
            main.link_in(llvm.parse_assembly(_for_this_machine(text)))
        for function in [f for f in main.functions if f.name.startswith("__nv_")]:
            main.link_in(llvm.parse_assembly(_wrapper(function.name)))
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_default_triple()
        machine = target.create_target_machine(opt=2)
        main.triple, main.data_layout = target.triple, str(machine.target_data)
        main.verify()
        engine = llvm.create_mcjit_compiler(main, machine)
        engine.finalize_object()
        entry = re.search(r'^define void @"([^"]+)"', texts[0], flags=re.M)
        assert entry is not None
        return engine, entry.group(1)


def llvm_texts(module: Any, name: str, signature: tuple[Any, ...]) -> list[str]:
    """What NVIDIA's compiler is given of a kernel: its own module first, and those it calls."""
    compile_ir = nvvm.compile_ir
    nvvm.compile_ir = _show
    try:
        ptx(module, name, signature, CAPABILITY)
    except _ShownError as shown:
        return shown.args[0]
    finally:
        nvvm.compile_ir = compile_ir
    raise AssertionError("NVIDIA's compiler was not called")


class _ShownError(Exception):
    """Carries what would have been compiled."""


def _show(texts: list[str], **_: Any) -> Any:
    raise _ShownError(texts)


def on_host(monkeypatch: Any) -> None:
    """Let `device="cuda"` mean this."""
    from spelunk.envs.kernel import cuda

    monkeypatch.setattr(cuda, "Program", HostProgram)
    monkeypatch.setattr(cuda, "_find_device", lambda name: torch.device("cpu"))


def _wrapper(function: str) -> str:
    name, kind, suffix = function.removeprefix("__nv_"), "double", "f64"
    if name not in _EXACT:
        name, kind, suffix = name.removesuffix("f"), "float", "f32"
    intrinsic, count = _EXACT[name]
    given = ", ".join(f"{kind} %x{i}" for i in range(count))
    return f"""
declare {kind} @llvm.{intrinsic}.{suffix}({", ".join([kind] * count)})
define {kind} @{function}({given}) {{
  %y = call {kind} @llvm.{intrinsic}.{suffix}({given})
  ret {kind} %y
}}"""


def _for_this_machine(text: str) -> str:
    """NVVM's dialect in today's LLVM: pointers without types, and no metadata."""
    text = re.sub(r"^(target |!|@\"?llvm\.used).*$", "", text, flags=re.M)
    text = re.sub(r", ![a-z.]+ ![0-9]+", "", text)
    text = text.replace("llvm.nvvm.read.ptx.sreg.", "position_").replace("= common ", "= weak ")
    before = ""
    while text != before:
        before = text
        for pointee in _POINTEES:
            text = re.sub(pointee + r"( addrspace\(\d+\))?\*", r"ptr\1", text)
    return text


_POINTEES = (
    r"\b(?:i\d+|float|double|void)",
    r"\bptr(?: addrspace\(\d+\))?",
    r"\[\d+ x [^\[\]{}]*\]",
    r"\{[^{}\n\"]*\}",
    r"\b(?:i\d+|float|double|void|ptr) \([^()\"\n]*\)",
)
