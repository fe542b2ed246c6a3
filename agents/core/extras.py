"""Packages that only an extra of spelunk installs."""

import importlib
from typing import Any

from ...envs.kernel.errors import SpelunkError


class MissingPackageError(SpelunkError, ImportError):
    """A package that is not installed; the message names the extra that brings it."""


def require(module: str, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: the module.
        extra: the extra of spelunk that installs it.

    Raises:
        MissingPackageError: it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f'{error.name or module} is not installed: pip install "spelunk[{extra}]"'
        ) from error
