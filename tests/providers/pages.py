"""A page as a browser without scripts sees it, and what a screen reader would stumble over."""

from html.parser import HTMLParser

VOID = frozenset({"meta", "br", "img", "input"})


class Page(HTMLParser):
    """Its headings and texts, fields and choices, scripts, and fields without a label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.scripts = 0
        self.ids: list[str] = []
        self._labelled: set[str] = set()
        self._fields: list[tuple[str, str, bool]] = []
        self._options: dict[str, list[str]] = {}
        self._in: list[str] = []
        self._select = ""
        self.feed(text)
        self.close()

    @property
    def unlabelled(self) -> list[str]:
        """Name the fields that no label names."""
        return [name for name, given, inside in self._fields if not inside and given not in self._labelled]

    def selected(self, name: str) -> list[str]:
        """Give the choices of a field, in order."""
        return self._options.get(name, [])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._in.append(tag)
        if "id" in given:
            assert given["id"] not in self.ids
            self.ids.append(given["id"])
        if tag == "script" or "style" in given or any(name.startswith("on") for name in given):
            self.scripts += 1
        elif tag == "label" and "for" in given:
            self._labelled.add(given["for"])
        elif tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self._fields.append((given["name"], given.get("id", ""), "label" in self._in))
        if tag == "select":
            self._select = given["name"]
        elif tag == "option":
            self._options.setdefault(self._select, []).append(given["value"])

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._in and self._in[-1] in ("h1", "h2", "button", "legend", "p"):
            self.titles.append(data)
