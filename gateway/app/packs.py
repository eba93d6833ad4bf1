"""The matchers of a process: the gateway's own packs, those of its deployment, and one to try."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway.domain.matching import (
    PaperMatcher,
    builtin_names,
    builtin_text,
    compile_pack,
)
from gateway.flow.packs import LivePacks
from gateway.ports.packs import StoredPack


def builtin_matcher() -> PaperMatcher:
    """A matcher with every pack that comes with the gateway."""
    return PaperMatcher([compile_pack(builtin_text(name)) for name in builtin_names()])


def live_matcher(packs: Iterable[StoredPack] = ()) -> LivePacks:
    """The packs of a deployment over those that come with the gateway."""
    live = LivePacks(builtin_matcher(), builtin_text)
    live.load(packs)
    return live


def candidate_matcher(text: str, find: Callable[[str], str] = builtin_text) -> PaperMatcher:
    """A matcher that judges by one pack what is of its direction, the rest as ever.

    Raises ``PackInvalid``.
    """
    pack = compile_pack(text, find)
    known = [compile_pack(builtin_text(name)) for name in builtin_names()]
    return PaperMatcher(
        [replace(pack, name=one.name) if one.direction is pack.direction else one for one in known]
    )
