"""Errors of the store that a caller cannot meet in normal service.

::

    StoreError (gateway.domain.errors)
    ├── WrongMasterKey     STORE-211  this is not the key the database was made with
    ├── DamagedBlob        STORE-212  a sealed blob does not open: changed, moved or shredded
    ├── UnknownCommit      STORE-213  the connection broke while the commit was under way
    └── StoreUnavailable   STORE-214  the database does not answer
"""

from gateway.domain.errors import Retry, StoreError


class WrongMasterKey(StoreError):
    """The master key is not the one this database was made with; nothing was read or written."""

    code = "STORE-211"
    retry = Retry.NEVER


class DamagedBlob(StoreError):
    """A sealed blob does not open with its key and its place: it was changed, moved or shredded."""

    code = "STORE-212"
    retry = Retry.NEVER


class UnknownCommit(StoreError):
    """The connection broke during the commit: the command may or may not be stored.

    Doing it again is safe: the decision sees what was stored.
    """

    code = "STORE-213"
    retry = Retry.UNKNOWN_OUTCOME


class StoreUnavailable(StoreError):
    """The database does not answer; nothing was stored."""

    code = "STORE-214"
