"""What things are called on the screens: message ids for every closed set that is shown.

A test holds each table against its set, so that nothing new is shown without a word.
"""

from typing import Final


def N_(message: str) -> str:
    """Mark a message for the catalogues."""
    return message


# Label and tone: the six states of the tokens.
STAGES: Final[dict[str, tuple[str, str]]] = {
    "collecting": (N_("Collecting papers"), "quiet"),
    "matched": (N_("Matched"), "info"),
    "mismatch": (N_("Mismatch"), "bad"),
    "blocked": (N_("Blocked"), "bad"),
    "ready": (N_("Ready"), "info"),
    "waiting_filings": (N_("Waiting for filings"), "quiet"),
    "declaring": (N_("Declaring"), "info"),
    "sent": (N_("Sent"), "info"),
    "lodged": (N_("Lodged"), "info"),
    "accepted": (N_("Accepted"), "info"),
    "in_review": (N_("In manual review"), "warn"),
    "approved": (N_("Approved"), "info"),
    "inspection": (N_("Inspection"), "warn"),
    "detained": (N_("Detained"), "bad"),
    "suspended": (N_("Suspended"), "warn"),
    "released": (N_("Released"), "good"),
    "closed": (N_("Closed"), "good"),
    "rejected": (N_("Rejected"), "bad"),
    "cancelling": (N_("Cancelling"), "warn"),
    "cancelled": (N_("Cancelled"), "quiet"),
    "returned_abroad": (N_("Returned abroad"), "quiet"),
    "abandoned": (N_("Abandoned"), "quiet"),
}
DECLARATION_STAGES: Final[dict[str, tuple[str, str]]] = {
    **{
        name: STAGES[name]
        for name in (
            "sent",
            "lodged",
            "accepted",
            "in_review",
            "approved",
            "inspection",
            "detained",
            "suspended",
            "released",
            "closed",
            "rejected",
            "returned_abroad",
            "cancelled",
        )
    },
    "planned": (N_("Planned"), "quiet"),
    "claimed": (N_("Being signed"), "info"),
    "unknown": (N_("No answer"), "warn"),
    "stored": (N_("Stored by customs"), "info"),
    "refused": (N_("Refused before customs"), "bad"),
    "withdrawn": (N_("Withdrawn"), "quiet"),
}
DECLARATIONS: Final[dict[str, str]] = {
    "order": N_("Order declaration"),
    "inventory": N_("Inventory list"),
    "payment": N_("Payment declaration"),
    "waybill": N_("Waybill declaration"),
    "waybill_status": N_("Report of delivery"),
    "cancellation": N_("Request to cancel"),
    "return": N_("Return request"),
    "entry_list": N_("Entry list"),
    "export_order": N_("Export order"),
    "funds_receipt": N_("Receipt of funds"),
    "export_waybill": N_("Export waybill"),
    "site_arrival": N_("Arrival at the site"),
    "departure": N_("Departure"),
    "export_inventory": N_("Export inventory list"),
    "export_cancellation": N_("Request to withdraw the export"),
    "master_list": N_("Master list"),
    "summary_request": N_("Summary request"),
    "export_return": N_("Export return request"),
    "return_tally": N_("Tally of returned goods"),
}
SEVERITIES: Final[dict[str, tuple[str, str]]] = {
    "block": (N_("Blocks"), "bad"),
    "warn": (N_("Warning"), "warn"),
    "note": (N_("Hint"), "quiet"),
}
ROLES: Final[dict[str, str]] = {
    "viewer": N_("Viewer"),
    "clerk": N_("Clerk"),
    "supervisor": N_("Supervisor"),
    "operator": N_("Operator"),
    "auditor": N_("Auditor"),
}
PAPERS: Final[dict[str, str]] = {
    "order": N_("Order"),
    "payment": N_("Payment slip"),
    "waybill": N_("Waybill"),
}
AGREEMENT: Final[dict[str, tuple[str, str, str]]] = {
    "equal": (N_("Equal"), "good", "="),
    "normalised": (N_("Equal after normalising"), "info", "≈"),
    "differs": (N_("Differs"), "bad", "≠"),
    "missing": (N_("Missing"), "warn", "?"),
    "single": (N_("One source"), "quiet", "·"),
}
EVENTS: Final[dict[str, str]] = {
    "papers_received": N_("Papers received"),
    "case_matched": N_("Papers compared"),
    "declaration_planned": N_("Declaration planned"),
    "declaration_claimed": N_("Declaration put into a message"),
    "declaration_moved": N_("Declaration moved to another message"),
    "declaration_sending": N_("Declaration handed to the channel"),
    "declaration_unanswered": N_("Customs has not answered"),
    "declaration_refused": N_("Declaration refused before customs"),
    "declaration_withdrawn": N_("Declaration withdrawn"),
    "declaration_cancelled": N_("Declaration cancelled by customs"),
    "return_arrived": N_("Returned goods are back"),
    "tax_billed": N_("Tax bill from customs"),
    "summary_recorded": N_("Result of a summary"),
    "case_asked": N_("Stop, change or new declaration asked for"),
    "receipt_recorded": N_("Receipt from customs"),
    "case_held": N_("Case held"),
    "case_unheld": N_("Hold lifted"),
    "alarm_raised": N_("Alarm raised"),
    "notice_acknowledged": N_("Warehouse acknowledged"),
    "finding_resolved": N_("Finding settled"),
    "copy_recorded": N_("Copy of customs' answer to others"),
    "filing_recorded": N_("Step of a partner's filing"),
    "bytes_downloaded": N_("Exact bytes downloaded"),
}
# The notices that sellers and warehouses are told by, one for each stage and a few besides.
NOTICES: Final[dict[str, str]] = {
    **{f"case.{name}": word for name, (word, _) in STAGES.items()},
    "release.granted": N_("Release to the warehouse"),
    "release.revoked": N_("Release taken back"),
    "endpoint.disabled": N_("Endpoint switched off"),
    "repair.asked": N_("Correction asked for"),
}
INTAKE: Final[dict[str, tuple[str, str]]] = {
    "accepted": (N_("Taken in"), "good"),
    "unchanged": (N_("Known already"), "quiet"),
    "unlinked": (N_("Waits for its order"), "info"),
    "superseded": (N_("Something newer stands"), "info"),
    "frozen": (N_("Came too late to change anything"), "warn"),
    "failed": (N_("Not taken in"), "bad"),
}
PULL_FAULTS: Final[dict[str, str]] = {
    "busy": N_("It is being read just now; look again in a moment."),
    "slow": N_("It takes long: what was read is kept. Pull again to go on."),
    "settings": N_("Its settings are not right; see clearance doctor."),
}
# What an answer of customs comes to, where its code has no text of its own.
RECEIPTS: Final[dict[str, str]] = {
    "draft_only": N_("Kept as a draft only"),
    "lodged": STAGES["lodged"][0],
    "not_sent": N_("Not sent on to customs yet"),
    "stored": N_("Stored by customs"),
    "accepted": STAGES["accepted"][0],
    "review": STAGES["in_review"][0],
    "approved": STAGES["approved"][0],
    "inspection": STAGES["inspection"][0],
    "detained": STAGES["detained"][0],
    "suspended": STAGES["suspended"][0],
    "released": STAGES["released"][0],
    "closed": STAGES["closed"][0],
    "rejected": STAGES["rejected"][0],
    "returned_abroad": STAGES["returned_abroad"][0],
    "failed_system": N_("A fault in customs' system"),
    "failed_signature": N_("Customs does not accept the signature"),
    "failed_limit": N_("A limit is exceeded"),
    "failed_rights": N_("A right or registration is missing"),
    "failed": N_("Customs could not take it"),
    "duplicate": N_("Sent before: the earlier one stands"),
    "unknown_code": N_("A code that is not known here"),
}
ALARMS: Final[dict[str, str]] = {
    "answer_after_cancellation": N_("Customs answers about what it cancelled"),
    "answer_after_rejection": N_("Customs answers about what it rejected"),
    "cancelled_after_release": N_("Cancelled after the release"),
    "contradiction_after_release": N_("Customs contradicts its release"),
    "exists_already": N_("Customs says it exists already, and we sent it once only"),
    "failed_after_lodged": N_("Customs tells of a fault after it took the declaration"),
    "filing_overdue": N_("The partner has not said how the filing ended"),
    "filing_refused": N_("The partner refused the filing"),
    "filing_unserved": N_("No account of the settings can file this"),
    "late_rejection": N_("A rejection older than the last answer"),
    "list_refused": N_("Customs refused the list or report with this parcel"),
    "no_answer": N_("Customs did not answer in time"),
    "no_outcome": N_("Customs took it and says no more"),
    "odd_status": N_("A status that this kind of answer does not have"),
    "order_unconfirmed": N_("The order was not confirmed in time"),
    "papers_overdue": N_("Papers are still missing after the time to wait"),
    "payment_unconfirmed": N_("The payment slip was not confirmed in time"),
    "rejected_after_approval": N_("Rejected after the request was approved"),
    "release_without_siblings": N_("A release without any answer before it"),
    "released_while_cancelling": N_("Released while a cancellation was asked for"),
    "return_apply_ends": N_("The days to declare a return end soon"),
    "return_goods_missing": N_("The goods of a return must be back soon"),
    "return_stopped": N_("Customs refused a return, or keeps its goods"),
    "signature_refused": N_("Customs does not accept the signature; its key is set aside"),
    "waybill_unconfirmed": N_("The waybill was not confirmed in time"),
}
ENTRIES: Final[dict[str, str]] = {
    "signed_in": N_("Signed in"),
    "signed_out": N_("Signed out"),
    "sign_in_failed": N_("Wrong password"),
    "locked": N_("Account locked"),
    "sign_on_refused": N_("Signing in elsewhere refused"),
    "revealed": N_("Personal data revealed"),
    "downloaded": N_("Bytes downloaded"),
    "receipt_attached": N_("Receipt attached to its case"),
    "receipt_retried": N_("Receipt file read again"),
    "parked_dismissed": N_("Put away for good"),
    "evidence_taken": N_("Evidence file taken"),
    "exported": N_("List exported"),
    "audit_exported": N_("Audit exported with a signature"),
    "noted": N_("Note"),
    "paper_linked": N_("Paper attached by hand"),
    "source_pulled": N_("Source read at once"),
    "looked_up": N_("Looked up at customs"),
    "asked": N_("Second person asked"),
    "approved": N_("Second person approved"),
    "declined": N_("Second person declined"),
    "assigned": N_("Assigned"),
    "snoozed": N_("Snoozed"),
    "bulk_started": N_("Bulk action started"),
    "replayed": N_("Notices sent again"),
    "endpoint_on": N_("Endpoint switched on"),
    "endpoint_off": N_("Endpoint switched off"),
    "channel_paused": N_("Channel paused"),
    "channel_resumed": N_("Channel resumed"),
    "user_added": N_("Person added"),
    "user_changed": N_("Person changed"),
    "password_changed": N_("Password changed"),
    "chain_checked": N_("Chain checked"),
    "repair_proposed": N_("Repair proposed"),
    "pack_proposed": N_("Rule pack proposed"),
    "pack_moved": N_("Rule pack moved"),
    "pack_tried": N_("Rule pack tried on history"),
}
NOTICE_STATES: Final[dict[str, tuple[str, str]]] = {
    "open": (N_("Waiting"), "info"),
    "done": (N_("Delivered"), "good"),
    "parked": (N_("Given up"), "bad"),
}
MESSAGE_STAGES: Final[dict[str, tuple[str, str]]] = {
    "claimed": (N_("Being signed"), "info"),
    "signed": (N_("Signed"), "info"),
    "handed_over": (N_("Handed over"), "good"),
    "not_handed_over": (N_("Not handed over"), "warn"),
    "unknown": (N_("Outcome unknown"), "warn"),
    "refused": (N_("Refused"), "bad"),
    "split": (N_("Split"), "quiet"),
    "empty": (N_("Empty"), "quiet"),
}
ITEM_STATES: Final[dict[str, tuple[str, str]]] = {
    "waiting": (N_("Waiting"), "info"),
    "done": (N_("Done"), "good"),
    "failed": (N_("Failed"), "bad"),
    "not_eligible": (N_("Not eligible"), "quiet"),
    "unknown": (N_("Unknown"), "warn"),
}
REPAIR_STAGES: Final[dict[str, tuple[str, str]]] = {
    "proposed": (N_("Needs somebody else"), "warn"),
    "asked": (N_("Its owner was asked"), "info"),
    "applied": (N_("Applied"), "good"),
    "refused": (N_("Dropped"), "quiet"),
}
REPAIR_ITEMS: Final[dict[str, tuple[str, str]]] = {
    "open": (N_("Not tried yet"), "quiet"),
    "repaired": (N_("Mended"), "good"),
    "remains": (N_("The finding stands still"), "warn"),
    "failed": (N_("Not possible"), "bad"),
}
REPAIR_TRIALS: Final[dict[str, tuple[str, str]]] = {
    "repaired": (N_("Would be mended"), "good"),
    "remains": (N_("The finding would still stand"), "warn"),
    "failed": (N_("Not possible"), "bad"),
}
REPAIR_REASONS: Final[dict[str, str]] = {
    "unknown_case": N_("There is no such case."),
    "stands_no_more": N_("This finding does not stand any more."),
    "no_paper": N_("The paper to be corrected is not here."),
    "frozen": N_("The inventory is with customs: this paper can no longer change."),
    "value_needed": N_("The right value has to be written: nothing here tells it."),
    "value_invalid": N_("This value does not fit the field."),
    "nothing_changes": N_("The paper says this already."),
    "internal": N_("It could not be stored; try again."),
}
# What we say ourselves of a notice's delivery; anything else is the receiver's own text.
NOTICE_DETAILS: Final[dict[str, str]] = {
    "no answer": N_("no answer"),
    "410 Gone": N_("the address is gone for good (410)"),
    "answer is not a batch result": N_("the answer is not a batch result"),
    "not named in the answer": N_("not named in the answer"),
    "unknown status in the answer": N_("the answer gives an unknown status"),
}
ADAPTER_KINDS: Final[dict[str, str]] = {
    "customs": N_("Customs"),
    "marketplace": N_("Marketplace"),
    "payment company": N_("Payment company"),
    "carrier": N_("Carrier"),
}
LIMITS: Final[dict[str, str]] = {
    "requests_per_minute": N_("Requests a minute:"),
    "page_size": N_("Papers a page:"),
    "answer_bytes": N_("Most bytes of an answer:"),
}
CHANNEL_KINDS: Final[dict[str, str]] = {
    "dxp-folder": N_("DXP folders"),
    "amqp": N_("Message broker (AMQP)"),
    "http": N_("HTTP relay"),
}
PARTS: Final[dict[str, str]] = {
    "keys": N_("Signing keys"),
    "store": N_("Database"),
}
ACKS: Final[dict[str, str]] = {
    "accepted": N_("Accepted"),
    "refused": N_("Refused"),
}
ACTORS: Final[dict[str, str]] = {
    "customs": N_("Customs"),
    "source": N_("The source of the paper"),
    "gateway": N_("The gateway"),
}
EFFECTS: Final[dict[str, str]] = {
    "applied": N_("Applied"),
    "deferred": N_("Waits for what must come before it"),
    "no_effect": N_("Changes nothing"),
    "parted": N_("The list is parted to find what is wrong in it"),
}
LEDGER: Final[dict[str, str]] = {
    "delta": N_("Difference"),
    "due": N_("Due by the sum"),
    "rounding": N_("no more than rounding"),
}
NEEDS: Final[dict[str, str]] = {
    "owner": N_("the owner of the paper confirms"),
    "second_person": N_("a second person approves"),
}
OWNERS: Final[dict[str, str]] = {
    "seller": N_("Seller"),
    "payment_company": N_("Payment company"),
    "carrier": N_("Carrier"),
    "declarant": N_("Declarant"),
}
FIX_KINDS: Final[dict[str, str]] = {
    "form": N_("Spelling only: staff may apply it"),
    "fact": N_("A fact: its owner must confirm it"),
}
CONFIDENCE: Final[dict[str, str]] = {
    "high": N_("very likely"),
    "medium": N_("likely"),
    "low": N_("to be asked"),
}
PACK_STAGES: Final[dict[str, tuple[str, str]]] = {
    "proposed": (N_("Proposed"), "info"),
    "shadow": (N_("In the shadow"), "warn"),
    "active": (N_("In force"), "good"),
    "retired": (N_("Retired"), "quiet"),
}
VERDICTS: Final[dict[str, str]] = {
    "matched": N_("Matched"),
    "waiting": N_("Waiting"),
    "mismatch": N_("Mismatch"),
    "blocked": N_("Blocked"),
}
STEPS: Final[dict[str, str]] = {
    "matched": N_("Papers in to compared"),
    "signed": N_("Compared to claimed for signing"),
    "sent": N_("Claimed to handed over"),
    "answered": N_("Handed over to first answer"),
    "decided": N_("First answer to the last"),
}
# What the page says after something was done.
DONE: Final[dict[str, str]] = {
    "hold": N_("The case is held. Nothing of it is sent until the hold is lifted."),
    "release": N_("The hold is lifted; the case goes on."),
    "recheck": N_("The case was compared again with today's rules, goods and profile."),
    "accept": N_("The finding is settled; who and why stand in the history."),
    "asked": N_("A second person must approve this; it is on the approvals list."),
    "approved": N_("Approved and done."),
    "declined": N_("Declined; nothing was changed."),
    "assign": N_("The case has its owner."),
    "snooze": N_("The case is out of the queue until the time you chose."),
    "note": N_("The note is kept."),
    "link": N_("The paper was taken into the case, which was compared with it."),
    "looked_up": N_("What customs' page showed is kept with the case."),
    "ask": N_("The answer and its effect stand below."),
    "replay": N_("The notices go out again."),
    "replay_none": N_("None went: their endpoint is off, or they were sent again already."),
    "endpoint": N_("The endpoint was switched."),
    "channel": N_("The channel was switched."),
    "receipt_retried": N_("The file is read again within a minute, with every check."),
    "parked_dismissed": N_("It was put away; its bytes stay kept."),
    "saved": N_("Saved."),
    "view_kept": N_("The view is kept under its name."),
    "view_forgotten": N_("The view is forgotten."),
    "view_not_kept": N_("Not kept: a view needs a name, and thirty are the most."),
    "user": N_("The person was stored."),
    "password": N_("The password was changed; every other session has ended."),
    "tenant": N_("You now look at another tenant."),
    "extended": N_("You stay signed in."),
    "repair_applied": N_("The repair was applied; what became of each case stands below."),
    "repair_proposed": N_("The repair is kept as a proposal; what it still needs stands below."),
    "repair_asked": N_("The owner was asked; a person is told when no answer comes in time."),
    "repair_refused": N_("The repair was dropped; nothing was changed."),
    "pack_proposed": N_("The version is kept as a proposal; another person puts it in force."),
    "pack_shadow": N_("The version is asked beside the one in force; it decides nothing."),
    "pack_active": N_("The version is in force from the next verdict on."),
    "pack_retired": N_("The version is out of use."),
}
# Why somebody does something: a code that is kept beside the note.
REASONS: Final[dict[str, str]] = {
    "seller_asked": N_("The seller asked for it"),
    "papers_wrong": N_("A paper is wrong and will be replaced"),
    "customs_asked": N_("Customs asked for it"),
    "risk_check": N_("Risk check"),
    "small_difference": N_("The difference does not matter"),
    "done_elsewhere": N_("It was settled elsewhere"),
    "audit": N_("Audit or evidence"),
    "support": N_("Customer support"),
    "spelling": N_("Spelled as on the other paper"),
    "other": N_("Another reason, see the note"),
}
FAULTS: Final[dict[str, str]] = {
    "reason": N_("Choose a reason."),
    "note": N_("Write a note of at least 3 characters: the reason alone says too little."),
    "password": N_("Login or password is wrong. After five wrong tries the account is locked."),
    "sign_on": N_("Signing in there did not succeed, and nobody is signed in here. Try it again."),
    "no_account": N_("You are known there, but have no account here. Ask an operator for one."),
    "locked": N_("This account is locked after too many wrong passwords. Try again later."),
    "too_short": N_("The password needs at least 12 characters."),
    "too_long": N_("The password may have at most 256 characters."),
    "too_simple": N_("The password is too easy to guess: use more different characters."),
    "not_current": N_("This is not your present password."),
    "login": N_("Use 2 to 64 lower-case letters, digits and . - _ for the login."),
    "taken": N_("This login is taken."),
    "role": N_("Choose a role."),
    "tenants": N_("Name tenants that exist, with spaces between, or * for all."),
    "name": N_("Write the person's name."),
    "key": N_("A key is one letter, digit or sign; leave it empty to switch it off."),
    "key_taken": N_("Another action has this key already."),
    "until": N_("Choose for how long."),
    "choice": N_("Choose one of the options."),
    "too_late": N_("It is too late: the inventory is with customs."),
    "block_cannot_be_accepted": N_("A finding that blocks can only be settled by a newer paper."),
    "not_for_your_role": N_("Your role may not settle a finding of this severity."),
    "stands_no_more": N_("This finding does not stand any more."),
    "repeated": N_("Somebody has settled this finding already."),
    "unknown": N_("There is no such finding."),
    "nothing_selected": N_("Select at least one case."),
    "too_many": N_("At most 500 cases at once."),
    "assignee": N_("There is no such person here."),
    "number": N_("Write the paper's number."),
    "journey": N_("Write what the exported goods come back on (213)."),
    "day": N_("Write a day as YYYY-MM-DD, or leave it empty."),
    "not_waiting": N_("No paper waits under this number."),
    "link_taken": N_("This number leads to another case already."),
    "link_frozen": N_("Customs has seen this paper of the case: it can no longer change."),
    "link_refused": N_("The paper could not be taken in; it goes on waiting. Try again."),
    "finding": N_("This finding does not stand any more."),
    "path": N_("This field is not corrected here; its owner sends the paper anew."),
    "stage": N_("Somebody else has ended it meanwhile; load the page again."),
    "approval": N_("This needs somebody else, or the ground on which the owner confirms."),
    "value": N_("Write the right value."),
    "by": N_("Whoever proposed a version does not put it in force: hand it to another person."),
    "pack": N_("There is no such version in this scope."),
    "version": N_("This version is there already with another text: raise the version."),
    "port": N_("A port has four digits; leave it empty for all ports."),
    "text": N_("Write the pack."),
}
