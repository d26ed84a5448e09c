"""What is checked of a listing in parts, where it is not known that the server lists as S3 does. Pure: no requests.

A server that lists in an order of its own would lose keys: the left part ends at the first key beyond a cut, and has
others behind that (see `model.key_order`). One that knows no place between keys would list nothing after a cut. So the
directories that a cut lies in are looked at, and what the left part sees beyond a cut must be what the right one begins
with.
"""

from __future__ import annotations

from collections.abc import Sequence

from registry_s3fs.model.key_order import KeyOrder, directories_around


class OutOfOrderError(Exception):
    """The server listed keys in another order than that of their UTF-8 bytes, or keys from before StartAfter."""


class OrderGuard:
    """The checks of one listing."""

    def __init__(self, prefix: str, order: KeyOrder) -> None:
        self._prefix = prefix
        self._order = order
        self._looked_at: set[str] = set()
        self._due: list[str] = []
        self._beyond: dict[str, str] = {}
        """The keys are cuts, the values are the first names beyond them that the left part saw."""
        self._begins: dict[str, Sequence[str]] = {}
        """The keys are cuts, the values are the first names of the right part."""

    @property
    def looks(self) -> int:
        """Return how many directories have been looked at, or are to be."""
        return len(self._looked_at)

    def around(self, cut: str) -> set[str]:
        """Return the prefixes of directories that are yet to be looked at for a cut."""
        if self._order.is_by_bytes:
            return set()
        return set(directories_around(cut, self._prefix)) - self._looked_at

    def cut(self, cut: str) -> None:
        """Note that a cut was made."""
        around = self.around(cut)
        self._looked_at |= around
        self._due += sorted(around)

    def due(self) -> list[str]:
        """Return the prefixes of directories to look at now."""
        due, self._due = self._due, []
        return due

    def looked(self, is_after_its_neighbours: bool) -> None:
        """Take in whether nothing that S3 lists before a directory is listed after it.

        Raises:
            OutOfOrderError: Something is, or that is not known.
        """
        if not (is_after_its_neighbours or self._order.is_by_bytes):
            raise OutOfOrderError

    def saw_beyond(self, cut: str, name: str) -> None:
        """Take in the first name beyond a cut that the left part saw. Raise `OutOfOrderError` as `begins` does."""
        if self._order.is_checked:
            self._beyond[cut] = name
            self._compare(cut)

    def begins(self, cut: str, names: Sequence[str]) -> None:
        """Take in the first names of the part after a cut, which has none if there are none.

        Raises:
            OutOfOrderError: The part lacks what was seen beyond the cut.
        """
        if self._order.is_checked:
            self._begins.setdefault(cut, names)
            self._compare(cut)

    def _compare(self, cut: str) -> None:
        """Compare what both sides of a cut have seen. It may be that a name came or went between the two."""
        if cut in self._beyond and cut in self._begins and self._beyond[cut] not in self._begins.pop(cut):
            raise OutOfOrderError
