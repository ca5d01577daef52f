"""Cancelling: taking back messages that were decided and may still be on their way to a provider.

Owns which ones. The engine does not hear of every message that a provider has taken (that would cost a write each),
so it takes back whatever may still wait: of the messages that a profile remembers, those before their end of which no
receipt says that they arrived. Delivery knows the rest: taking back what is gone changes nothing. That bounds it twice,
by what is remembered anyway and by `expires` (or a day); and nothing is taken back a second time.

    an exit rule or a goal   the entry's messages; an `exit` step is the author's own order and takes nothing back
    a twin that stays        the messages of the entry that ends as merged: the one that stays has sent as many
    a consent withdrawn      the messages that would not be allowed any more; so does a life with a no that is merged
    an erasure               all of them, and whatever else delivery still holds of the customer, messages or not

Each goes to the profile that its message left to, which is where delivery has it, though lives were merged since.
Must never cancel calls or cases: what those began stands whoever leaves the journey.
"""

from collections.abc import Iterable

from orchestrator.engine import guards
from orchestrator.engine.turn import Turn
from orchestrator.model import ids
from orchestrator.model.effects import Action
from orchestrator.model.state import Entry, Sent

# Why something is taken back, as `data.reason` says: everything of a customer who is forgotten.
ERASED = "erased"


def of_entry(turn: Turn, entry: Entry) -> None:
    """Take back what an entry that ends before its time has sent."""
    if entry.sent_ms:
        _cancel(turn, [sent for sent in turn.state.sent if sent.entry_id == entry.id], "exit")


def of_withdrawn(turn: Turn, but: object = None) -> None:
    """Take back what the customer's consents do not cover any more; `but` is the message that they answered."""
    _cancel(
        turn,
        [sent for sent in turn.state.sent if sent.action_id != but and not _is_covered(turn, sent)],
        "no_consent",
    )


def _is_covered(turn: Turn, sent: Sent) -> bool:
    """Whether the customer's consents still cover a message; an answer, which has no purpose, ends with a full no."""
    profile, purpose = turn.state.profile, turn.project.purposes.get(sent.purpose)
    if purpose is not None:
        return guards.consents(profile, sent.channel, purpose)
    return bool(sent.purpose) or not guards.refuses_everything(profile, sent.channel)


def of_everything(turn: Turn) -> None:
    """Take back whatever may still be on its way to a customer who is to be forgotten, naming nobody.

    Behind the messages, each profile that they ever were is named as a whole: of calls, cases and what was given up on
    nothing is remembered here, and delivery may keep it for long.
    """
    _cancel(turn, turn.state.sent, ERASED)
    for profile_id in _known_as(turn):
        action_id = ids.derive("cancel", profile_id, turn.at)
        data = {"action_id": None, "reason": ERASED}
        turn.actions.append(Action(action_id, "cancel", profile_id, None, "", 0, "", "", turn.at, data=data))


def _known_as(turn: Turn) -> list[str]:
    """List the profiles that lives of this customer may have been: any of their names, where names are linked."""
    profile, identity = turn.state.profile, turn.project.identity
    linked = {kind: values for kind, values in profile.identifiers.items() if kind in identity.kinds}
    names = identity.names_of(profile.customer_id, linked) if identity.links else {}
    return list(dict.fromkeys([profile.id, *names, *(sent.profile_id for sent in turn.state.sent if sent.profile_id)]))


def arrived(sent: Sent) -> None:
    """Take note that a message is out of our hands."""
    sent.until_ms = 0


def _cancel(turn: Turn, messages: Iterable[Sent], why: str) -> None:
    for sent in messages:
        if sent.until_ms <= turn.now_ms:
            continue
        arrived(sent)
        turn.changed = True
        turn.actions.append(
            Action(
                ids.derive("cancel", sent.action_id),
                "cancel",
                sent.profile_id or turn.profile_id,
                None if why == ERASED else turn.state.profile.customer_id,
                sent.journey,
                sent.version,
                sent.entry_id,
                sent.step,
                turn.at,
                purpose=sent.purpose,
                data={"action_id": sent.action_id, "reason": why},
            )
        )
