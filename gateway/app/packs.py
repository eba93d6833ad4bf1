"""The matcher of a process: the rule packs that come with the gateway."""

from gateway.domain.matching import PaperMatcher, builtin_names, builtin_text, compile_pack


def builtin_matcher() -> PaperMatcher:
    """A matcher with every pack that comes with the gateway."""
    return PaperMatcher([compile_pack(builtin_text(name)) for name in builtin_names()])
