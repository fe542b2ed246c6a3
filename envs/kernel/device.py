"""From generated kernels to launches on a GPU: Numba compiles, torch holds the memory.

Numba is used as a compiler only. Its own launches look up types and convert arguments each time;
here the arguments are laid out once, and a launch is one call of the driver on torch's current
stream, which a CUDA graph can capture.

In Numba's CUDA simulator (`NUMBA_ENABLE_CUDASIM=1`) the same kernels run as plain Python over
torch's CPU tensors.
"""

import contextlib
import functools
import hashlib
import importlib
import importlib.metadata
import re
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numba
import numpy as np
import torch
from numba.np.numpy_support import from_dtype

from .cache import cache_folder
from .compile import SIMULATED
from .errors import UnsupportedFaceError
from .files import write_whole

Capability = tuple[int, int]


class View:
    """What a kernel sees of a contiguous tensor: elements of a NumPy type, records among them.

    Args:
        tensor: the memory.
        dtype: of the elements; a record for a tensor of bytes (n, itemsize).
    """

    def __init__(self, tensor: torch.Tensor, dtype: np.dtype[Any]):
        self.tensor = tensor
        self.dtype = dtype
        self.shape = tuple(tensor.shape[:1] if dtype.names else tensor.shape)

    @property
    def words(self) -> tuple[int, ...]:
        """The array as Numba lays it out among a kernel's arguments.

        They are: owner and parent (none on a GPU), number of elements, size of an element, address,
        shape, strides.
        """
        size, strides = self.dtype.itemsize, []
        for length in reversed(self.shape):
            strides.insert(0, size)
            size *= length
        elements = size // self.dtype.itemsize
        address = self.tensor.data_ptr()
        return 0, 0, elements, self.dtype.itemsize, address, *self.shape, *strides

    @property
    def numba_type(self) -> Any:
        """Numba's type of the array."""
        return numba.types.Array(from_dtype(self.dtype), len(self.shape), "C")

    @property
    def array(self) -> np.ndarray[Any, Any]:
        """The same memory as a NumPy array, in the simulator."""
        return self.tensor.numpy().reshape(-1).view(self.dtype).reshape(self.shape)


def to_device(values: Any, device: torch.device) -> Any:
    """A copy of a NumPy array on a device, a record as a row of bytes; tuples part by part."""
    if isinstance(values, tuple):
        return type(values)(*(to_device(value, device) for value in values))
    if not isinstance(values, np.ndarray):
        return values
    values = np.array(values, order="C")
    if values.dtype.names:
        values = values.view(np.uint8).reshape(len(values), values.dtype.itemsize)
    return torch.from_numpy(values).to(device)


def dtypes_of(arrays: Any) -> Any:
    """The dtypes of arrays, part by part."""
    if isinstance(arrays, tuple):
        return type(arrays)(*map(dtypes_of, arrays))
    return arrays.dtype if isinstance(arrays, np.ndarray) else None


def views(tensors: Any, dtypes: Any) -> Any:
    """The kernels' view of what `to_device` made of arrays with these dtypes."""
    if isinstance(tensors, tuple):
        return type(tensors)(*map(views, tensors, dtypes))
    return View(tensors, dtypes) if isinstance(tensors, torch.Tensor) else tensors


# --- launching -----------------------------------------------------------------------------------

# A block of few threads lets a small batch use more multiprocessors.
_MANY_LANES, _FEW_THREADS, _MANY_THREADS = 1 << 15, 32, 128
_SIMULATED_THREADS = 8


class Program:
    """The kernels of a generated module on one device.

    Args:
        module: what `cuda_codegen.load` returned.
        device: where they run.
    """

    def __init__(self, module: types.ModuleType, device: torch.device):
        self._module = module
        self._device = device
        self._kernels: dict[str, Any] = {}

    def bind(self, name: str, lanes: int, arguments: Iterable[Any]) -> Callable[[], None]:
        """What runs a kernel over so many lanes, on torch's current stream of the moment.

        Its arguments are `View`s, numbers, and named tuples of such, always of the same types.
        """
        arguments = tuple(arguments)
        if SIMULATED:
            threads = min(lanes, _SIMULATED_THREADS)
            kernel = getattr(self._module, name)
            plain = [_plain(argument) for argument in arguments]
            return lambda: kernel[-(-lanes // threads), threads](*plain)
        core = _module("cuda.core")
        kernel = self._kernels.get(name)
        if kernel is None:
            kernel = self._kernels[name] = self._load(name, arguments)
        threads = _FEW_THREADS if lanes < _MANY_LANES else _MANY_THREADS
        config = core.LaunchConfig(grid=-(-lanes // threads), block=threads)
        words = arguments_of(arguments)

        def run() -> None:
            with torch.cuda.device(self._device):
                stream = core.Stream.from_handle(torch.cuda.current_stream().cuda_stream)
                core.launch(stream, config, kernel, *words)

        return run

    def _load(self, name: str, arguments: tuple[Any, ...]) -> Any:
        capability = torch.cuda.get_device_capability(self._device)
        code = machine_code(self._module, name, signature_of(arguments), capability)
        return _module("cuda.core").ObjectCode.from_cubin(code).get_kernel(name)


def arguments_of(values: Iterable[Any]) -> tuple[Any, ...]:
    """What the driver is given for a kernel's arguments, one after the other."""
    words: list[Any] = []
    for value in values:
        if isinstance(value, tuple):
            words += arguments_of(value)
        elif isinstance(value, View):
            words += value.words
        else:
            words.append(value)
    return tuple(words)


def signature_of(values: Iterable[Any]) -> tuple[Any, ...]:
    """Numba's types of a kernel's arguments."""
    return tuple(map(_type_of, values))


def _type_of(value: Any) -> Any:
    if isinstance(value, tuple):
        return numba.types.BaseTuple.from_types(signature_of(value), type(value))
    return value.numba_type if isinstance(value, View) else numba.typeof(value)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return type(value)(*map(_plain, value))
    return value.array if isinstance(value, View) else value


# --- compiling -----------------------------------------------------------------------------------


def machine_code(
    module: types.ModuleType, name: str, signature: tuple[Any, ...], capability: Capability
) -> bytes:
    """A kernel as a cubin whose entry has the kernel's name, from the cache where it is there.

    PTX is assembled here rather than by the driver, which refuses PTX that is newer than itself.
    That needs neither a GPU nor a driver.
    """
    version = importlib.metadata.version("numba-cuda")
    digest = hashlib.sha256(f"{signature} {capability} {version}".encode()).hexdigest()[:16]
    folder = cache_folder()
    path = folder and folder / f"{module.__name__}.{name}.{digest}.cubin"
    if path is not None and path.exists():
        return path.read_bytes()
    core = _module("cuda.core")
    text = ptx(module, name, signature, capability)
    options = core.LinkerOptions(arch="sm_{}{}".format(*capability))
    linked = core.Linker(core.ObjectCode.from_ptx(text.encode()), options=options).link("cubin")
    code = bytes(linked.code)
    if path is not None:
        write_whole(path, code)
    return code


def ptx(
    module: types.ModuleType, name: str, signature: tuple[Any, ...], capability: Capability
) -> str:
    """A kernel in NVIDIA's assembly language, without fused multiply-adds of our arithmetic."""
    function = getattr(module, name).py_func
    with _compiling_for(capability):
        text, _ = _module("numba.cuda").compile_ptx(
            function, numba.types.void(*signature), cc=capability
        )
    found = re.search(r"\.visible \.entry (\w+)\(", text)
    assert found is not None
    return text.replace(found.group(1), name)


@contextlib.contextmanager
def _compiling_for(capability: Capability) -> Iterator[None]:
    """Two changes to numba-cuda, which has no options for them, while a kernel is compiled.

    NVVM contracts `x * y + z` unless it is told not to; then it also writes the rounding into each
    operation, so that the assembler does not contract them either. And functions that a kernel
    calls are compiled for the current device, although nothing in them depends on it.
    """
    dispatcher, nvvm = _module("numba.cuda.dispatcher"), _module("numba.cuda.cudadrv.nvvm")
    compile_ir, current_device = nvvm.compile_ir, dispatcher.get_current_device
    device = types.SimpleNamespace(compute_capability=capability)
    with _module("numba.cuda.core.compiler_lock").global_compiler_lock:
        nvvm.compile_ir = functools.partial(compile_ir, fma=False)
        dispatcher.get_current_device = lambda: device
        try:
            yield
        finally:
            nvvm.compile_ir, dispatcher.get_current_device = compile_ir, current_device


def _module(name: str) -> Any:
    """A module of the extra `cuda`, which need not be installed."""
    return importlib.import_module(name)


def require() -> None:
    """See that kernels can be compiled.

    Raises:
        UnsupportedFaceError: the package numba-cuda is missing. (Numba brings a `numba.cuda` of its
            own, which needs an installed CUDA toolkit and is no longer developed.)
    """
    try:
        importlib.metadata.version("numba-cuda")
    except importlib.metadata.PackageNotFoundError:
        raise UnsupportedFaceError(
            'CUDA needs the package numba-cuda: pip install "spelunk[cuda]"'
        ) from None
