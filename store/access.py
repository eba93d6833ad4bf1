"""What the master data, the keys and the read models need of an opened store."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Reading(Protocol):
    """One connection that reads."""

    async def run_sync(self, fn: Callable[[Connection], T], /) -> T:
        """The result of a function over the connection, run where the driver wants it."""
        ...


class Access(Protocol):
    """An opened store, as those who only read and write master data see it."""

    def read(self) -> AbstractAsyncContextManager[Reading]:
        """A connection for reading; given back on leaving."""
        ...

    async def execute(self, function: Callable[[Connection], T]) -> T:
        """Run a function in a write transaction of its own; what it raises rolls back."""
        ...
