"""Single keys: what each does, which one it usually is, and how somebody changes it."""

import unicodedata
from collections.abc import Mapping
from typing import Final

from gateway.web.words import N_

# Action, usual key, what it does. The places after ``go`` are fixed: they take two keys.
KEYS: Final[Mapping[str, tuple[str, str]]] = {
    "search": ("/", N_("Search")),
    "help": ("?", N_("Keys of this page")),
    "go": ("g", N_("Go to a page by a second key")),
    "next": ("j", N_("Next row")),
    "previous": ("k", N_("Previous row")),
    "select": ("x", N_("Select the row")),
    "all": ("*", N_("Select all that match")),
    "differences": ("d", N_("Differences only")),
    "before": ("[", N_("Previous case, or tab of a case")),
    "after": ("]", N_("Next case, or tab of a case")),
    "resolve": ("e", N_("Resolve: shows first what it will do")),
    "assign": ("a", N_("Assign")),
    "mine": ("m", N_("Make it mine")),
    "snooze": ("s", N_("Snooze")),
    "note": ("n", N_("Write a note")),
    "reload": (".", N_("Load what is new")),
    "copy": ("y", N_("Copy the address of this page")),
}


def key_of(chosen: Mapping[str, str], action: str) -> str:
    """The key of an action for somebody, empty when it is off."""
    return chosen.get(action, KEYS[action][0])


def keys_of(chosen: Mapping[str, str]) -> dict[str, str]:
    """Each key that does something for somebody, with its action."""
    return {key: action for action in KEYS if (key := key_of(chosen, action))}


def chosen_keys(form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The keys of a form that differ from the usual ones, and the faults by field.

    An empty field switches an action off; two actions may not have one key, and a key is one
    printable character.
    """
    keys: dict[str, str] = {}
    for action, (usual, _) in KEYS.items():
        key = form.get(f"key-{action}", usual).strip()
        if key != usual:
            keys[action] = key
    faults = {
        f"key-{action}": "key"
        for action, key in keys.items()
        if key and (len(key) != 1 or unicodedata.category(key)[0] not in "LNPS")
    }
    owners: dict[str, str] = {}
    for action in KEYS:
        key = key_of(keys, action)
        if key and owners.setdefault(key, action) != action:
            faults[f"key-{action}"] = "key_taken"
    return keys, faults
