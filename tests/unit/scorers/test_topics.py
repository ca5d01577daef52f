"""Topics: what a customer writes about, in both languages, and with a shop's own topics.

Must never be about how they feel.
"""

import pytest

COMMENTS = [
    ("¿Dónde está mi paquete? El repartidor no vino", "delivery"),
    ("El envío llegó dos días tarde", "delivery"),
    ("Quiero devolver la silla y que me hagan el reembolso", "returns"),
    ("La mesa vino rayada y faltaba una pieza", "product"),
    ("Me parece muy caro, en otra tienda el precio es menor", "price"),
    ("Me habéis cobrado dos veces en la tarjeta", "payment"),
    ("Nadie contesta al teléfono, qué mala atención", "service"),
    ("La web no me deja iniciar sesión", "website"),
    ("Había mucha cola en la tienda y no pude aparcar", "store"),
    ("Hola, buenos días", "other"),
    ("Where is my parcel? The courier never came", "delivery"),
    ("I want to send back the chair and get my money back", "returns"),
    ("The lamp arrived broken and the colour is wrong", "product"),
    ("It is too expensive, I would wait for a discount", "price"),
    ("You charged my card twice", "payment"),
    ("Your staff was very helpful on the phone", "service"),
    ("I cannot log in to the app with my password", "website"),
    ("There was no parking and a long queue at the till", "store"),
    ("Hello there", "other"),
]


@pytest.mark.parametrize(("text", "topic"), COMMENTS)
def test_a_comment_is_about_what_it_says_most(judge, text, topic):
    assert judge("topic", text).label == topic


def test_it_says_all_topics_their_share_and_the_words(judge):
    judgement = judge("topic", "The delivery was late, the parcel damaged, and I want a refund")
    assert judgement.items == ["delivery", "returns", "product"]
    assert judgement.why == ["delivery", "parcel"]
    assert judgement.value == 0.5


def test_a_projects_own_topics_are_the_only_ones(judge):
    own = {"sleep": {"es": ["colchón", "dormir"], "en": ["mattress", "sleep well"]}}
    assert judge("topic", "Con este colchón no se puede dormir", topics=own).why == ["colchón", "dormir"]
    assert judge("topic", "I sleep well on it", topics=own).label == "sleep"
    assert judge("topic", "Where is my parcel?", topics=own).label == "other"


@pytest.mark.parametrize("given", [None, 7, "", ["a"]])
def test_what_is_no_text_has_no_topic(judge, given):
    assert judge("topic", given) is None
