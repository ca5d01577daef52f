"""The double opt-in of the shop: its mail confirms the newsletter, not the purpose that the mail was sent for."""

import re
from pathlib import Path

from orchestrator.channels.links import Kind, Links
from orchestrator.channels.preparing import Preparer
from orchestrator.language import load
from orchestrator.testing.examples import play, renderer_of

JOURNEYS = Path(__file__).resolve().parents[2] / "journeys"


def test_the_link_in_the_mail_confirms_the_purpose_that_the_journey_names():
    shop = load(JOURNEYS)
    links = Links("https://casaolmo.example", ("a secret of sufficient length for links",))
    example = shop.definitions["double-opt-in"].examples[0]
    action = play(shop, "double-opt-in", example).actions[0]
    (delivery,) = Preparer(shop.catalog, renderer_of(shop), links).prepare(action, 0)
    (token,) = re.findall(r"https://casaolmo.example/c/(\S+)", delivery.rendered.fields["text"])
    read = links.read(token, 0, Kind.CONFIRM)
    assert (action.purpose, read.purpose, read.channel) == ("service", "newsletter", "email")
