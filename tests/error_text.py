"""What an error tells."""

from __future__ import annotations

import traceback


def text_of(error: BaseException) -> str:
    """All that anyone may print of an error and of what led to it."""
    texts = []
    chain = [error]
    for each in chain:
        chain += [led for led in (each.__cause__, each.__context__) if led is not None and led not in chain]
        texts += [str(each), repr(each), repr(each.args), repr(getattr(each, "response", ""))]
    return "\n".join([*texts, *traceback.format_exception(error)])
