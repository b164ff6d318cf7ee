"""RFC 6962 section 2.1, word for word: slow, recursive, and written to be compared with the specification by eye."""

from hashlib import sha256


def mth(records: list[bytes]) -> bytes:
    """MTH: the Merkle Tree Hash of the records."""
    n = len(records)
    if n == 0:
        return sha256().digest()
    if n == 1:
        return sha256(b"\x00" + records[0]).digest()
    k = largest_power_of_two_below(n)
    return sha256(b"\x01" + mth(records[:k]) + mth(records[k:])).digest()


def path(m: int, records: list[bytes]) -> list[bytes]:
    """PATH: the audit path of record m."""
    n = len(records)
    if n == 1:
        return []
    k = largest_power_of_two_below(n)
    if m < k:
        return [*path(m, records[:k]), mth(records[k:])]
    return [*path(m - k, records[k:]), mth(records[:k])]


def proof(m: int, records: list[bytes]) -> list[bytes]:
    """PROOF: the consistency proof from the first m records to all of them."""
    return subproof(m, records, True)


def subproof(m: int, records: list[bytes], whole: bool) -> list[bytes]:
    n = len(records)
    if m == n:
        return [] if whole else [mth(records)]
    k = largest_power_of_two_below(n)
    if m <= k:
        return [*subproof(m, records[:k], whole), mth(records[k:])]
    return [*subproof(m - k, records[k:], False), mth(records[:k])]


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k
