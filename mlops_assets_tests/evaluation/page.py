"""A page as a browser without scripts reads it: elements, attributes and text, in order."""

from html.parser import HTMLParser

VOID = {"meta", "wbr", "br", "img", "link", "input"}
Attributes = dict[str, str | None]


class Page(HTMLParser):
    """Parses the page, and fails unless every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.inside: list[list[str]] = []
        """Names of the elements around each of ``elements``."""
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside.append([*self.open])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, name: str) -> list[Attributes]:
        """Attributes of every element of that name."""
        return [attributes for found, attributes in self.elements if found == name]
