"""Landed files as objects of a bucket of S3 or of Google Cloud Storage, or of a server that speaks like them.

By obstore: it creates an object only where there is none, in one call, which pyarrow's file systems can not.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.fsspec import FsspecStore
from obstore.store import GCSStore, S3Store, from_url

from ingest.raw_store.base import StoreUnavailable, Write
from ingest.settings import WrongSetting

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig
    from typing_extensions import Buffer

_REQUEST_SECONDS: Final = 30
_BYTES_PER_SECOND: Final = 1024 * 1024
"""What a link must manage: an object that takes it longer than any other request is waited for."""
_CLIENT: Final[ClientConfig] = {
    "timeout": f"{_REQUEST_SECONDS}s",
    "connect_timeout": "5s",
    "allow_http": True,
}
"""Plain HTTP is for a server that somebody names by such an address; those of the clouds are HTTPS."""
_MARK: Final = "asleep-created-by"
"""Metadata of an object: which call created it."""
_READ_BYTES: Final = 256 * 1024
_RETRIES: Final[RetryConfig] = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class ObjectStore:
    """A RawStore below `url`, as `s3://BUCKET/PREFIX`. Credentials come from the cloud's own variables.

    There are no locks: two landers may create files that overlap, which readers resolve (ingest/coverage.py).
    A file is held in memory while it is written.
    """

    is_exclusive: Final = False

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._store = _connected(url, _REQUEST_SECONDS)
        except BaseError as error:
            raise WrongSetting(f"ASLEEP_RAW_URL: {url} can not be used: {_first_line(error)}") from None

    @property
    def url(self) -> str:
        """The address, as it was given."""
        return self._url

    def prepare(self) -> None:
        """Ask for what is there: a bucket that is not, or may not be read, is told at once."""
        with _as_os_error():
            next(iter(obstore.list(self._store, chunk_size=1)), None)

    def names(self, folder: str) -> list[str]:
        """The names of all objects below a folder."""
        with _as_os_error():
            chunks = obstore.list(self._store, prefix=folder or None)
            return [entry["path"] for chunk in chunks for entry in chunk]

    def open(self, name: str) -> BinaryIO:
        """A file that fetches what is read of it."""
        return io.BufferedReader(_Object(self._store, name), _READ_BYTES)

    def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
        """Write in memory, check, and put the object in one call where there is none of that name."""
        del alone_in
        written = io.BytesIO()
        write(written)
        size_bytes = written.tell()
        check()
        mark = secrets.token_hex(16)
        try:
            with _as_os_error():
                try:
                    obstore.put(
                        self._store_for(size_bytes),
                        name,
                        written.getbuffer(),
                        attributes={_MARK: mark},
                        mode="create",
                        use_multipart=False,
                    )
                except AlreadyExistsError as error:
                    # It may be of this very call: obstore asks again where a reply was lost.
                    if obstore.get(self._store, name).attributes.get(_MARK) != mark:
                        raise FileExistsError(f"{self._url}/{name}") from error
        except FileNotFoundError as error:  # neither a bucket that is gone nor a conflict is a missing file
            raise StoreUnavailable(_first_line(error)) from error
        return size_bytes

    def _store_for(self, size_bytes: int) -> S3Store | GCSStore:
        """The store, with the patience that an object of this size may need."""
        seconds = size_bytes // _BYTES_PER_SECOND
        return self._store if seconds <= _REQUEST_SECONDS else _connected(self._url, seconds)

    def settle(self, names: Collection[str]) -> None:
        """Nothing is left to do: an object that can be seen is kept."""

    def remove(self, name: str) -> None:
        """Delete the object."""
        with _as_os_error(), suppress(FileNotFoundError):
            obstore.delete(self._store, name)

    def sweep(self, folder: str) -> list[str]:
        """Nothing is ever left unfinished."""
        del folder
        return []


def _connected(url: str, request_seconds: int) -> S3Store | GCSStore:
    options: ClientConfig = {**_CLIENT, "timeout": f"{request_seconds}s"}
    return cast("S3Store | GCSStore", from_url(url, client_options=options, retry_config=_RETRIES))


def file_system(url: str) -> FsspecStore:
    """The file system of an address, by which DuckDB reads objects."""
    if url.startswith("s3://"):
        return FsspecStore("s3", client_options=_CLIENT, retry_config=_RETRIES)
    return FsspecStore("gs", client_options=_CLIENT, retry_config=_RETRIES)


class _Object(io.RawIOBase):
    """An object as a file that can be read and sought in."""

    def __init__(self, store: S3Store | GCSStore, name: str) -> None:
        self._store = store
        self._name = name
        self._at = 0
        with _as_os_error():
            self._size = obstore.head(store, name)["size"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer).cast("B")
        length = min(len(target), self._size - self._at)
        if length <= 0:
            return 0
        with _as_os_error():
            found = obstore.get_range(self._store, self._name, start=self._at, length=length)
        target[: len(found)] = found
        self._at += len(found)
        return len(found)


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise StoreUnavailable(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    """What obstore says, without what it was sent."""
    return str(error).partition("\n")[0]
