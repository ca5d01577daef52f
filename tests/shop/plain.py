"""Plain stories: journeys of the kind that shops have most of, and that plans are made for.

Owns which those are, and what happens beside them that changes on whose clock, and whether, a message may leave.
"""

from random import Random

from orchestrator.model.journey import Journey, Kept
from shop.journeys import KEEPS_ALL, KEEPS_NOTHING, choose, exits, goal, journey, on, send, wait, wait_for
from shop.projects import project, purpose, quiet
from shop.stories import Happening, Story, at_least, story

# What changes on whose clock, and whether, a message may leave.
BESIDES = (
    Happening("20m", "preference_changed", {"quiet_hours": {"from": "09:00", "to": "20:00"}}),
    Happening("20m", "preference_changed", {"quiet_hours": []}),
    Happening("20m", "preference_changed", {"channels": ["sms", "email"], "timezone": "America/New_York"}),
    Happening("20m", "profile_updated", {"timezone": "Nowhere/Else", "language": "en", "device_token": None}),
    Happening("20m", "case_opened", {"case_id": "c1", "pause": ["marketing"]}),
    Happening("20m", "case_closed", {}),
)


def plain(seed: int) -> Journey:
    """Write a journey of the kind that shops have most of, and that plans are made for."""
    dice = Random(f"{seed} plain")
    kept = dice.choice([KEEPS_NOTHING, KEEPS_ALL, Kept(event=True, names=frozenset({"n"}))])
    why, expires = dice.choice(["service", "tips", "marketing", "marketing"]), dice.choice([None, "1h", "12h"])
    channels = dice.choice([("email",), ("email", "sms"), ("sms", "email", "push"), ("preferred",), ("same", "email")])
    remind = send("remind", "hello", *channels, purpose=why, expires=expires)
    nodes = [
        wait("settle", dice.choice(["20m", "1h", "1d"]), restart_on=dice.choice([(), ("come",), ("ping",)]), kept=kept),
        choose("whether", (at_least(2), [remind]), (None, [])) if dice.random() < 0.3 else remind,
        wait_for("answer", ("only", on(dice.choice(["message_clicked", "ping"])), []), within="1d"),
    ]
    return journey(
        *nodes[:1],
        *([wait("pause", "1h")] if dice.random() < 0.3 else []),
        *nodes[1 : dice.randrange(1, 4)],
        id="plain",
        enter=[on("come", where=dice.choice([None, at_least(2)]))],
        exits=dice.choice([[], [exits("ordered", reason="bought")], [exits("ordered"), exits("pong")]]),
        goals=dice.choice([[], [goal("ordered")], [goal("ordered", within="1d")], [goal("pong", within="3d")]]),
        key=dice.choice([None, "k"]),
        again=dice.choice(["once", "after_exit", "always", "1d"]),
        holdout_percent=dice.choice([0.0, 0.0, 50.0]),
        keeps_event=dice.random() < 0.5,
    )


def plain_story(seed: int, happenings: int, besides: float = 0.0) -> Story:
    told, dice = story(seed, 1, happenings), Random(f"{seed} quiet")
    begins = dice.randrange(24)
    window = quiet(f"{begins:02d}:00", f"{(begins + dice.choice([12, 20])) % 24:02d}:00")
    # Messages are held seldom where quiet hours are as in life.
    quieter = project(purpose("marketing", "opt_in", caps=((2, "3d"),), quiet_hours=(window,)))
    shop = dice.choice([told.project, quieter])
    mixed = (dice.choice(BESIDES) if dice.random() < besides else each for each in told.happenings)
    return Story(seed, (plain(seed),), shop, tuple(mixed))
