"""Hundreds of people with devices that they share, over kills: whoever they are, a plain union-find says the same."""

import json
import random
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import shoppers
from orchestrator.model.ids import profile_id_of
from orchestrator.storage import SqliteStore
from shop.crowds import NOBODY, Refusing, crowd, plain_union_find
from simulation.test_kills import Runs, options_of

MINUTE = 60_000
COUNT = 1_500
STRICT = {"limit": 8, "limits": {"customer_id": 1, "email": 2}}
FREE = {"limit": 10_000, "limits": {"customer_id": 10_000}}


def sources(rules):
    written = shoppers.sources("cart_updated", "order_placed", "10m", address="profile.customer_id")
    kinds = ["customer_id", "email", "loyalty_card", "cookie"]
    identity = {"identifiers": kinds, "never": {"email": [NOBODY]}, **rules}
    return {**written, "orchestrator.yaml": written["orchestrator.yaml"] + f"identity: {json.dumps(identity)}\n"}


def clusters_in(store, sightings):
    names = {name for sighting in sightings for name in sighting.names}
    found = {}
    for name in names:
        root = store.named(profile_id_of(*name))
        if root is not None:
            found.setdefault(root, set()).add(name)
    return {frozenset(cluster) for cluster in found.values() if len(cluster) > 1}


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rules", [FREE, STRICT], ids=["no limits", "limits"])
def test_killed_again_and_again_a_crowd_is_whom_a_plain_union_find_says_it_is(tmp_path, rounds, first_round, rules):
    refused, kills = Counter(), 0
    with closing(Runs(sources(rules))) as runs:
        for seed in range(first_round, first_round + rounds):
            dice, sightings = random.Random(seed), crowd(COUNT, seed, people=200)
            sightings = [each for each in sightings for _ in range(dice.choice([1, 1, 1, 2]))]
            lines = [
                json.dumps(each.event(dice.choice(["cart_updated", "order_placed", "seen"]), at * MINUTE))
                for at, each in enumerate(sightings)
            ]
            dice.shuffle(lines)  # the run takes them in the order of their times
            events = tmp_path / f"events-{seed}.jsonl"
            events.write_text("\n".join(lines) + "\n")
            options = options_of(tmp_path / f"killed-{seed}", events)
            kills += runs.run_killed(options, dice)
            reference = Refusing(**rules)
            expected = reference.told(sightings)
            with SqliteStore(Path(options["state"]), writes=False) as store:
                assert clusters_in(store, sightings) == reference.all(), f"seed {seed}"
            with Path(options["decisions"]).open() as written:
                decisions = [json.loads(line) for line in written]
            told = Counter((one["cause"], one["saw"]["kind"], one["reason"]) for one in decisions if is_no(one))
            assert told == expected, f"seed {seed}"
            if rules is FREE:
                assert reference.all() == plain_union_find(each.names for each in sightings)
            refused += Counter(reason for _, _, reason in told.elements())
    assert kills > 0
    assert set(refused) == ({"never"} if rules is FREE else {"never", "kind_limit", "profile_limit"})


def is_no(decision):
    return decision["verdict"] == "not_merged"
