"""Encoding: from the bytes of a landed file to UTF-8 text, whatever compression and encoding it came in."""

import codecs
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from mlops_assets.dataset.files import BLOCK, open_bytes
from mlops_assets.dataset.reading.bounds import bounded_growth
from mlops_assets.errors import BatchRejected
from mlops_assets.storage.landing_limits import LandingLimits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from fsspec import AbstractFileSystem

_COMPRESSED_BLOCK = 1 << 16
_FED = 1 << 12
"""Compressed bytes that a decompressor is fed at a time: from so few come 128 MiB at most."""
_GATHERED = 32
"""Small blocks that are put together."""
_BOM = codecs.BOM_UTF8
_BLANK_LINES = re.compile(rb"\A(?:[ \t]*[\r\n])+")
_CONTROLS = re.compile(rb"[\x80-\x9f]")
_FOREIGN = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_REMEDY = "Remedy: save the file as UTF-8 and land it again"


class Decompressor(Protocol):
    """What zlib and zstandard have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True)
class TextFile:
    """A text file whose encoding is known; ``blocks`` gives it as UTF-8."""

    fs: "AbstractFileSystem"
    path: str
    encoding: str
    quotes: int
    """Double quotes in the file."""
    limits: LandingLimits

    def blocks(self) -> Iterator[bytes]:
        """UTF-8 bytes without byte order mark and without blank lines at the beginning."""
        blocks = _without_prefix(byte_blocks(self.fs, self.path, self.limits))
        if self.encoding == "utf-8":
            return blocks
        return (block.decode(self.encoding).encode() for block in blocks)

    def head(self, size: int = 1 << 18) -> str:
        """The first ``size`` bytes as text, cut at the last complete line where the file is longer."""
        start = b""
        for block in self.blocks():
            start += block
            if len(start) >= size:
                cut = max(start.rfind(b"\n"), start.rfind(b"\r"))
                start = start[: cut + 1] or start
                break
        return start.decode(errors="ignore")

    def stream(self) -> io.RawIOBase:
        """The text as a readable file object."""
        return _Blocks(self.blocks())


def byte_blocks(fs: "AbstractFileSystem", path: str, limits: LandingLimits) -> Iterator[bytes]:
    """The file's bytes, gzip or zstd taken off.

    Raises:
        BatchRejected: if the compressed stream is cut off or damaged, or grows beyond the limits.
    """
    with open_bytes(fs, path) as handle:
        first = handle.read(_COMPRESSED_BLOCK)
        engine = _engine(first)
        size = BLOCK if engine is None else _COMPRESSED_BLOCK
        blocks = chain([first], iter(lambda: handle.read(size), b""))
        yield from blocks if engine is None else _growing(_decompressed(blocks, engine), fs.size(path) or 0, limits)


def _growing(blocks: Iterable[bytes], size: int, limits: LandingLimits) -> Iterator[bytes]:
    """``blocks`` as long as there are not too many for a file of ``size``, small ones put together."""
    content, waiting = 0, []
    for block in blocks:
        content += len(block)
        bounded_growth(content, size, limits)
        waiting.append(block)
        if len(block) >= _COMPRESSED_BLOCK or len(waiting) >= _GATHERED:
            yield b"".join(waiting)
            waiting = []
    yield b"".join(waiting)


def is_compressed(fs: "AbstractFileSystem", path: str) -> bool:
    """Whether the file begins as gzip or zstd does."""
    with open_bytes(fs, path) as handle:
        return _engine(handle.read(4)) is not None


def open_text(fs: "AbstractFileSystem", path: str, declared: str | None, limits: LandingLimits) -> TextFile:
    """Read the file once to learn its encoding: UTF-8 where that decodes, else Latin-1.

    Raises:
        BatchRejected: if the file is empty, or its bytes are text in neither encoding.
    """
    blank, quotes, failure = True, 0, None
    decoder = codecs.getincrementaldecoder("utf-8")()
    first = True
    for block in byte_blocks(fs, path, limits):
        if first:
            _refuse_foreign(block)
            declared = "utf-8" if block.startswith(_BOM) else declared
            first = False
        _refuse_binary(block)
        blank = blank and not block.removeprefix(_BOM).strip()
        quotes += block.count(b'"')
        failure = failure or _decoding_failure(decoder, block)
    if blank:
        raise BatchRejected("empty_file", "the file holds no text. Remedy: land a file with a header and rows")
    failure = failure or _decoding_failure(decoder, b"", final=True)
    blocks = byte_blocks(fs, path, limits)
    return TextFile(fs, path, _encoding(declared, failure, blocks), quotes, limits)


def _encoding(declared: str | None, failure: str | None, blocks: Iterable[bytes]) -> str:
    if declared == "latin-1" or failure is None:
        return declared or "utf-8"
    if declared == "utf-8":
        raise BatchRejected("undecodable_bytes", f"the file is declared UTF-8, but {failure}. {_REMEDY}")
    for block in blocks:
        if control := _CONTROLS.search(block):
            raise BatchRejected(
                "undecodable_bytes",
                f"neither UTF-8 ({failure}) nor Latin-1 (byte {control.group(0)!r} is no character) fits. {_REMEDY}, "
                "or declare dataset.format.encoding",
            )
    return "latin-1"


def _decoding_failure(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> str | None:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError as error:
        return f"byte {error.object[error.start : error.start + 1]!r} does not decode ({error.reason})"
    return None


def _refuse_foreign(block: bytes) -> None:
    for mark, name in _FOREIGN.items():
        if block.startswith(mark):
            raise BatchRejected("undecodable_bytes", f"the file is {name}. {_REMEDY}")


def _refuse_binary(block: bytes) -> None:
    if b"\0" in block:
        raise BatchRejected("undecodable_bytes", f"the file holds zero bytes, which text never does. {_REMEDY}")


def _without_prefix(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Drop the byte order mark and leading blank lines."""
    begun = False
    for index, block in enumerate(blocks):
        if index == 0:
            block = block.removeprefix(_BOM)
        if not begun:
            block = _BLANK_LINES.sub(b"", block)
            begun = bool(block)
        if block:
            yield block


def _engine(first: bytes) -> Callable[[], Decompressor] | None:
    """Maker of decompressors for what ``first`` begins like, None for plain bytes."""
    if first.startswith(b"\x1f\x8b"):
        return lambda: zlib.decompressobj(wbits=31)
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj  # one for all frames: it costs more than a small frame
    return None


def _decompressed(blocks: Iterable[bytes], make: Callable[[], Decompressor]) -> Iterator[bytes]:
    """Every member of the stream in turn; a stream that ends inside a member is truncated."""
    engine = None
    for fed in (block[start : start + _FED] for block in blocks for start in range(0, len(block), _FED)):
        while fed:
            engine = engine or make()
            yield _next_bytes(engine, fed)
            fed = engine.unused_data if engine.eof else b""
            engine = None if engine.eof else engine
    if engine is not None:
        raise BatchRejected(
            "truncated_file", "the compressed file ends in the middle. Remedy: transfer it again and land it"
        )


def _next_bytes(engine: Decompressor, block: bytes) -> bytes:
    try:
        return engine.decompress(block)
    except Exception as error:  # zlib.error, ZstdError: each library has its own
        raise BatchRejected(
            "unreadable_file", f"the compressed file is damaged: {error}. Remedy: transfer it again and land it"
        ) from error


class _Blocks(io.RawIOBase):
    """Blocks as a file object."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(target), len(self._rest))
        target[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
