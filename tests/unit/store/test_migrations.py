"""Migrations follow each other in one line: two with one number leave the schema undecided."""

from importlib import import_module
from importlib.resources import files


def test_migrations_are_one_line() -> None:
    names = sorted(
        entry.name.removesuffix(".py")
        for entry in (files("store.migrations") / "versions").iterdir()
        if entry.name.startswith("v0")
    )
    before = None
    for number, name in enumerate(names, 1):
        module = import_module(f"store.migrations.versions.{name}")
        assert name.startswith(f"v{number:04}_"), names
        assert (module.revision, module.down_revision) == (f"{number:04}", before)
        before = module.revision
