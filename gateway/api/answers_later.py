"""What the routes about submissions answer."""

from typing import Literal

from gateway.api.answers import BatchTaken, PaperTaken, ProblemOut
from gateway.api.out import Out, Time


class Received(Out):
    """What was sent is durable and will be taken in; ``submission`` asks what became of it."""

    status: Literal["received"]
    submission: str


class LateAnswer(Out):
    """What the caller would have been answered had it waited."""

    status: int
    body: PaperTaken | BatchTaken | ProblemOut


class SubmissionOut(Out):
    """One submission, unanswered while it waits; a batch is ``refused`` if any of its lines is."""

    submission: str
    route: str
    received_at: Time
    status: Literal["waiting", "taken", "refused"]
    answer: LateAnswer | None


class SubmissionPage(Out):
    """A page of submissions, oldest first."""

    submissions: list[SubmissionOut]
    after: str | None
