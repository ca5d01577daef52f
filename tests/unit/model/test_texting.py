"""How a text message is cut into parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import texting
from orchestrator.model.texting import Cut, cut


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Cut("GSM-7", 1, 0)),
        ("a" * 160, Cut("GSM-7", 1, 160)),
        ("a" * 161, Cut("GSM-7", 2, 161)),
        ("a" * 306, Cut("GSM-7", 2, 306)),
        ("a" * 307, Cut("GSM-7", 3, 307)),
        ("¿Qué niña? ¡Ñoño! àèìòù äöü ß Å Æ Ø É Ç @£$¥ Δ", Cut("GSM-7", 1, 46)),
        ("€" * 80, Cut("GSM-7", 1, 160)),
        ("€" * 81, Cut("GSM-7", 2, 162)),
        # An escape and its sign stay together: the last place of the first part is left empty.
        ("a" * 152 + "€" + "a" * 152, Cut("GSM-7", 3, 306)),
        ("a" * 151 + "€" + "a" * 153, Cut("GSM-7", 2, 306)),
        ("[]{}\\~^|", Cut("GSM-7", 1, 16)),
        ("á" + "a" * 69, Cut("UCS-2", 1, 70)),
        ("á" + "a" * 70, Cut("UCS-2", 2, 71)),
        ("á" * 134, Cut("UCS-2", 2, 134)),
        ("á" * 135, Cut("UCS-2", 3, 135)),
        ("😀" * 35, Cut("UCS-2", 1, 70)),
        ("😀" * 36, Cut("UCS-2", 2, 72)),
        # 33 signs of two units fill 66 of 67: the 34th goes into the next part.
        ("😀" * 67, Cut("UCS-2", 3, 134)),
        ("`", Cut("UCS-2", 1, 1)),
        ("\t", Cut("UCS-2", 1, 1)),
    ],
)
def test_a_text_is_cut_as_networks_do(text, expected):
    assert cut(text) == expected


def test_the_alphabet_has_its_127_signs_and_ten_more():
    assert (len(texting._BASIC), len(texting._EXTENDED)) == (127, 10)


def test_strangers_are_listed_once_in_order():
    assert texting.strangers_in("Está aquí, está 👍") == ["á", "í", "👍"]


@given(st.text(alphabet="a€á😀\n", max_size=400))
def test_parts_hold_their_text_and_no_more_than_needed(text):
    found = cut(text)
    single, each = (160, 153) if found.alphabet == "GSM-7" else (70, 67)
    if found.parts == 1:
        assert found.units <= single
    else:
        # At most one unit of each part but the last stays empty.
        assert found.parts * each >= found.units > (found.parts - 1) * (each - 1)
