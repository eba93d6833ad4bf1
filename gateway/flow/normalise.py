"""Stage 2, normalise: from what a source said to a revision of a paper."""

import hashlib
from dataclasses import dataclass
from functools import reduce

import orjson

from gateway.domain.codec import paper_to_doc
from gateway.domain.papers import (
    Paper,
    PaperRevision,
    SourceFact,
    changed_paths,
    compose,
    kind_of,
)


@dataclass(frozen=True, slots=True)
class Composed:
    """A paper after one more fact: the next revision, or none when nothing changed."""

    revision: PaperRevision | None
    changed: tuple[str, ...]


def composed(
    current: PaperRevision | None, fact: SourceFact, *, is_beside: bool = False
) -> Composed:
    """The revision that a fact leads to.

    A source speaks for itself: its newest fact replaces its earlier one; facts of different
    sources are composed in the order of their arrival. A paper of another number that stands
    beside the current one (``is_beside``) is composed of its own fact alone.
    """
    if current is None:
        return Composed(_revision(1, fact.paper, (fact,)), ())
    if is_beside:
        changed = tuple(changed_paths(current.paper, fact.paper))
        return Composed(_revision(current.revision + 1, fact.paper, (fact,)), changed)
    facts = (*(one for one in current.facts if one.source != fact.source), fact)
    paper: Paper = reduce(_compose, (one.paper for one in facts))
    if paper == current.paper:
        return Composed(None, ())
    changed = tuple(changed_paths(current.paper, paper))
    return Composed(_revision(current.revision + 1, paper, facts), changed)


def _compose(earlier: Paper, later: Paper) -> Paper:
    return compose(earlier, later)  # type: ignore[type-var]


def _revision(number: int, paper: Paper, facts: tuple[SourceFact, ...]) -> PaperRevision:
    doc = paper_to_doc(paper)
    digest = hashlib.sha256(orjson.dumps(doc, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return PaperRevision(kind_of(paper), number, digest, paper, facts, doc=doc)
