"""统一社会信用代码 (GB 32100-2015): the code by which a company is known.

Neighbours may rely on this: whatever spelling a code comes in, one company has one normalised code.
"""

from __future__ import annotations

import re
import unicodedata
from operator import mul
from typing import Final

USCC: Final = r"^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$"
_USCC = re.compile(USCC)
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUE: Final = {character: value for value, character in enumerate(_ALPHABET)}
_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))


def normalised_uscc(text: str) -> str | None:
    """This function will return the code trimmed, in half-width upper case, or None where its check digit does not fit.

    python-stdnum computes the same sum in ten times the time and refuses the letters that rural collectives' codes
    begin with (N2 …); a property test holds the two equal on all other codes.
    """
    if len(text) > 64:
        return None
    code = unicodedata.normalize("NFKC", text).strip().upper()
    if _USCC.match(code) is None:
        return None
    total = sum(map(mul, _WEIGHTS, [_VALUE[character] for character in code[:17]]))
    return code if _VALUE[code[17]] == -total % 31 else None
