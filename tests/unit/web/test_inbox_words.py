"""The inbox's texts: every language has them all, and the browser's choice is kept."""

import pytest

from orchestrator.web import inbox_words


def test_every_language_has_every_text_with_as_many_names_in_it():
    english, *others = (inbox_words.words_in(language) for language in inbox_words.LANGUAGES)
    for texts in others:
        assert [name for name in texts if not name.startswith("called_")] == list(english)
        assert [text.count("{}") for name, text in texts.items() if name in english] == [
            text.count("{}") for text in english.values()
        ]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("es", "es"), ("ES-ar", "es"), ("fr, es;q=0.1", "es"), ("en;q=0.2, es;q=0.3", "es"), ("de", "en"),
     ("es;q=0", "en"), ("es;q=x, en", "en"), (";;,,=", "en")],
)  # fmt: skip
def test_the_language_is_the_first_of_ours_that_the_browser_likes(accepted, language):
    assert inbox_words.language_of(accepted) == language
