"""The errors of the suite. Each also is the built-in error a caller would expect."""


class SpelunkError(Exception):
    """Base class of every error raised on purpose by spelunk."""


class InvalidActionError(SpelunkError, ValueError):
    """An action outside the action space, or illegal in the present state."""


class UnparseableActionError(SpelunkError, ValueError):
    """A text that names no action of the environment."""


class UnsupportedFaceError(SpelunkError, NotImplementedError):
    """A face (`vector`, `model`, `cuda`, …) that the environment does not have."""


class InvalidArgumentError(SpelunkError, ValueError):
    """A wrong constructor argument or reset option; the message says what is accepted."""
