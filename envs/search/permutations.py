"""Permutations as numbers: Lehmer's code over items packed into one word.

A permutation of up to 15 items is a word of four bits an item, the first item lowest. Kernels work
on such words because they cannot make arrays.
"""

from ..kernel import kernel

#: Item i at place i, and a one in every place.
_IN_ORDER, _ONES = 0x0EDCBA9876543210, 0x0111111111111111


@kernel
def rank_permutation(word, n):
    """The place of a permutation of n items in lexicographic order, from 0 to n! − 1."""
    smaller, index = _IN_ORDER, 0  # of each item: how many smaller ones are left
    for i in range(n):
        item = 4 * (word >> 4 * i & 15)
        index = index * (n - i) + (smaller >> item & 15)
        smaller -= _ONES >> item + 4 << item + 4
    return index


@kernel
def unrank_permutation(index, n):
    """The permutation at a place in lexicographic order, and whether it is odd."""
    weight = 1
    for i in range(2, n):
        weight *= i
    left, word, odd = _IN_ORDER, 0, 0
    for i in range(n):
        digit = index // weight
        index -= digit * weight
        weight //= max(n - 1 - i, 1)
        place = 4 * digit
        word |= (left >> place & 15) << 4 * i
        left = left & (1 << place) - 1 | left >> place + 4 << place
        odd ^= digit & 1
    return word, odd
