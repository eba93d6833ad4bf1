"""Schema sets of this package: where they are, where they come from, and that they are unchanged.

A set is a folder ``<family>/<edition>/`` with a ``catalog.toml``. Editions are whole and stay for
ever: a case keeps the edition it was declared under.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from schemas.errors import StaleFileError, UnknownEditionError, UnknownSchemaError


@dataclass(frozen=True, slots=True)
class Catalog:
    """One schema set: its origin, the day it came into force, its messages and file digests."""

    family: str
    edition: str
    folder: str
    origin: str
    in_force: date
    messages: tuple[str, ...]
    sha256: Mapping[str, str]

    def read(self, name: str) -> bytes:
        """Return the bytes of one file of the set.

        Raises UnknownSchemaError for a file the catalogue does not list and StaleFileError for
        one whose digest is not the listed one.
        """
        listed = self.sha256.get(name)
        if listed is None:
            raise UnknownSchemaError(f"{self.folder}/{name} is not in its catalogue")
        data = (files("schemas") / self.folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != listed:
            raise StaleFileError(f"{self.folder}/{name} differs from the digest in its catalogue")
        return data


def load_catalog(family: str, edition: str) -> Catalog:
    """Return the catalogue of one schema set; raises UnknownEditionError when there is none."""
    folder = f"{family}/{edition}"
    source = files("schemas") / folder / "catalog.toml"
    if source.is_file():
        catalog = read_catalog(source, folder)
        if (catalog.family, catalog.edition) == (family, edition):
            return catalog
    raise UnknownEditionError(family, edition, editions(family))


def editions(family: str) -> tuple[str, ...]:
    """Return the editions of a family (``ceb`` or ``dxp``), the oldest first."""
    root = files("schemas") / family
    found = [
        read_catalog(folder / "catalog.toml", f"{family}/{folder.name}")
        for folder in (root.iterdir() if root.is_dir() else ())
        if (folder / "catalog.toml").is_file()
    ]
    return tuple(one.edition for one in sorted(found, key=lambda one: one.in_force))


def load_editions(family: str) -> tuple[Catalog, ...]:
    """Return every schema set of a family, oldest first; empty for an unknown family."""
    home = files("schemas") / family
    if not home.is_dir():
        return ()
    folders = [family, *(f"{family}/{one.name}" for one in home.iterdir() if one.is_dir())]
    sources = [(files("schemas") / folder / "catalog.toml", folder) for folder in folders]
    found = [read_catalog(source, folder) for source, folder in sources if source.is_file()]
    return tuple(sorted(found, key=lambda one: (one.in_force, one.edition)))


def read_catalog(source: Traversable, folder: str) -> Catalog:
    """Read one ``catalog.toml``; ``folder`` is its place below this package."""
    content = tomllib.loads(source.read_text("utf-8"))
    return Catalog(
        family=content["family"],
        edition=content["edition"],
        folder=folder,
        origin=content["origin"],
        in_force=content["in_force"],
        messages=tuple(content["messages"]),
        sha256=MappingProxyType(content["files"]),
    )
