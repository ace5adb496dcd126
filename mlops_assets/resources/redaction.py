"""Redaction: what is said of an address, without its password."""

from urllib.parse import urlsplit, urlunsplit


def redacted(text: str) -> str:
    """``text`` without the password of any URL in it."""
    words = []
    for word in text.split(" "):
        parts = urlsplit(word) if "://" in word and "@" in word else None
        if parts and parts.password:
            word = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))
        words.append(word)
    return " ".join(words)
