"""Stage 2, normalise: from what a source said to a revision of a paper."""

import hashlib
from dataclasses import dataclass, replace
from functools import reduce

import orjson

from gateway.domain.codec import paper_to_doc
from gateway.domain.papers import (
    Basis,
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
    if fact.filed_by is not None or current.basis is Basis.AS_FILED:
        return _with_copy(current, fact)
    if is_beside:
        changed = tuple(changed_paths(current.paper, fact.paper))
        return Composed(_next(current, fact.paper, (fact,)), changed)
    facts = (*(one for one in current.facts if one.source != fact.source), fact)
    paper = _paper_of(facts)
    if paper == current.paper:
        return Composed(None, ())
    changed = tuple(changed_paths(current.paper, paper))
    return Composed(_next(current, paper, facts), changed)


def _with_copy(current: PaperRevision, fact: SourceFact) -> Composed:
    """A filed copy stands beside the paper; it is the paper as long as nobody sends one."""
    before = next((one for one in current.facts if one.source == fact.source), None)
    if before is not None and before.paper == fact.paper:
        return Composed(None, ())
    facts = (*(one for one in current.facts if one is not before), fact)
    paper = _paper_of(facts)
    # What a copy says otherwise than the paper is what there is to tell of it.
    other = current.paper if fact.filed_by is None else paper
    changed = tuple(changed_paths(other, fact.paper))
    return Composed(_next(current, paper, facts), changed)


def _next(current: PaperRevision, paper: Paper, facts: tuple[SourceFact, ...]) -> PaperRevision:
    """The revision after one: it remembers the first fact's time, from which what is missing is
    waited for, when that fact is replaced.
    """
    made = _revision(current.revision + 1, paper, facts)
    if made.first_heard == current.first_heard:
        return made
    return replace(made, heard_at=current.first_heard)


def _paper_of(facts: tuple[SourceFact, ...]) -> Paper:
    """The paper of facts: composed of what sources say, of copies only where there is no more."""
    own = [one.paper for one in facts if one.filed_by is None]
    return reduce(_compose, own) if own else facts[-1].paper


def _compose(earlier: Paper, later: Paper) -> Paper:
    return compose(earlier, later)  # type: ignore[type-var]


def _revision(number: int, paper: Paper, facts: tuple[SourceFact, ...]) -> PaperRevision:
    doc = paper_to_doc(paper)
    digest = hashlib.sha256(orjson.dumps(doc, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    basis = Basis.TO_FILE if any(one.filed_by is None for one in facts) else Basis.AS_FILED
    return PaperRevision(kind_of(paper), number, digest, paper, facts, basis, doc=doc)
