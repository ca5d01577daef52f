"""SMTP's answers: what a reply code or an enhanced status says about the address, the mail and the server.

Owns the table (RFC 5321, RFC 3463), which live answers and bounce reports share. Must never act on it.
"""

import re

from orchestrator.errors import Bounced, ChannelError, Refused, TryLater, Unavailable

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
# 5.1.x: no such address, but for 5.1.7 and 5.1.8, which are about the sender's. 5.2.1: the mailbox is disabled.
# 5.4.4: no server takes mail for the domain.
_HARD = re.compile(r"5\.(1\.(?!7\b|8\b)\d+|2\.1|4\.4)")
# 5.2.x but 5.2.1: full, too large for it. 5.4.x: routing. 5.3.x: the other system. They pass.
_SOFT = re.compile(r"5\.[234]\.\d+")
# Without an enhanced status: unknown, moved, or misspelt mailboxes.
_HARD_CODES = frozenset({550, 551, 553})
# What an operator must mend before anything goes out: authentication wanted, or refused.
_SETUP_CODES = frozenset({530, 534, 535, 538})


def status_in(text: str) -> str | None:
    """Find the first enhanced status, such as 5.1.1, in a text."""
    found = _STATUS.search(text)
    return None if found is None else found[0]


def bounce_kind(status: str) -> str | None:
    """Tell whether a permanent failure's status speaks about the address: hard, soft, or None when it does not."""
    if _HARD.fullmatch(status):
        return "hard"
    return "soft" if _SOFT.fullmatch(status) else None


def to_recipient(code: int, message: str) -> ChannelError:
    """Say what a "no" to a recipient, or to the mail for that recipient, means."""
    why = f"the server answered {code} {message}"
    if code in _SETUP_CODES or code == 421:
        return Unavailable(None, why)
    if code < 500:
        return TryLater(None, why)
    status = status_in(message)
    kind = bounce_kind(status) if status else ("hard" if code in _HARD_CODES else None)
    return Refused(why) if kind is None else Bounced(why, kind == "hard")


def to_session(code: int, message: str) -> ChannelError:
    """Say what a "no" before any recipient was named means: it is about us, so all mail waits."""
    return Unavailable(None, f"the server answered {code} {message}")
