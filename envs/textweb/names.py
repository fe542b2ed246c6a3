"""Made-up names: numbers written in syllables, so that nothing can be known beforehand.

Names are not stored. A name is read back as easily as it is written, and two numbers never have the
same one.
"""

import math
import re

_ONSETS = (*"bdfghjklmnprstvz", "br", "dr", "fl", "gr", "kr", "pl", "tr", "st", "sk")
_VOWELS = "aeiou"
_CODAS = "lmnrsktx"
_SYLLABLES = tuple(onset + vowel for onset in _ONSETS for vowel in _VOWELS)
_PLACES = {syllable: i for i, syllable in enumerate(_SYLLABLES)}
_SYLLABLE = f"(?:{'|'.join(sorted(_ONSETS, key=len, reverse=True))})[{_VOWELS}]"
_NAME = re.compile(f"({_SYLLABLE})({_SYLLABLE})({_SYLLABLE})([{_CODAS}])")

#: How many names there are.
NAMES = len(_SYLLABLES) ** 3 * len(_CODAS)


class Names:
    """The names of a world, in an order of its own.

    Args:
        seed: of the order.
    """

    def __init__(self, seed: int):
        # Steps of about the golden section spread neighbours; any step that shares no divisor
        # with the number of names comes to all of them.
        step = int(NAMES * 0.6180339887) + 2 * (seed % 100_003)
        while math.gcd(step, NAMES) != 1:
            step += 1
        self._step, self._back = step, pow(step, -1, NAMES)
        self._start = seed * 7_919 % NAMES

    def write(self, number: int) -> str:
        """The name of a number from 0 to `NAMES` − 1, in lower case."""
        rest, coda = divmod((self._start + int(number) * self._step) % NAMES, len(_CODAS))
        rest, third = divmod(rest, len(_SYLLABLES))
        first, second = divmod(rest, len(_SYLLABLES))
        return _SYLLABLES[first] + _SYLLABLES[second] + _SYLLABLES[third] + _CODAS[coda]

    def read(self, name: str) -> int:
        """The number of a name in lower case; −1 for a word that is none."""
        found = _NAME.fullmatch(name)
        if found is None:
            return -1
        place = 0
        for syllable in found.groups()[:3]:
            place = place * len(_SYLLABLES) + _PLACES[syllable]
        place = place * len(_CODAS) + _CODAS.index(found[4])
        return (place - self._start) * self._back % NAMES
