from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest

from obsportal import __version__
from obsportal.connectors.http import Http, Interrupted, Manners, RemoteError, shown

Answer = Callable[[BaseHTTPRequestHandler], None]


def send(status: int = 200, body: bytes = b"well", **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def cut(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"half")
    request.close_connection = True


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


@contextmanager
def serving(*answers: Answer) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A server that gives these answers one after the other, the last one for ever."""
    asked: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self)
            answers[min(len(asked), len(answers)) - 1](self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/x", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Patience:
    """Waits that take no time, and are written down."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.now = 0.0

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False

    def clock(self) -> float:
        return self.now


def client(patience: Patience, stop: threading.Event | None = None, **manners: float) -> Http:
    return Http(
        Manners(contact="mailto:a@example.org", **manners),  # type: ignore[arg-type]
        stop=stop,
        wait=patience.wait,
        clock=patience.clock,
    )


@pytest.mark.parametrize("bad", [send(503), send(500), send(429), send(408), cut, hang_up])
def test_what_may_pass_is_asked_again_after_ever_longer_uneven_waits(bad):
    patience = Patience()
    with serving(bad, bad, bad, send()) as (url, asked), client(patience) as http:
        assert http.get(url).body == b"well"
    assert len(asked) == 4
    for wait, longest in zip(patience.waits, (1, 2, 4), strict=True):
        assert longest / 2 <= wait <= longest


@pytest.mark.parametrize("bad", [send(503), cut])
def test_after_the_last_try_the_error_says_where_and_that_it_may_pass(bad):
    with (
        serving(bad) as (url, asked),
        client(Patience(), tries=3) as http,
        pytest.raises(RemoteError, match=rf"{url} .* \(3 times\)") as caught,
    ):
        http.post(url, {"a": "b"})
    assert caught.value.transient
    assert len(asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_not_asked_again(status):
    with (
        serving(send(status)) as (url, asked),
        client(Patience()) as http,
        pytest.raises(RemoteError, match=f"answered {status}") as caught,
    ):
        http.get(url)
    assert (caught.value.status, caught.value.transient) == (status, False)
    assert len(asked) == 1


def test_a_server_that_says_how_long_to_wait_is_obeyed_by_every_request():
    patience = Patience()
    with serving(send(503, Retry_After="17"), send()) as (url, _), client(patience) as http:
        http.get(url)
    assert patience.waits == [17.0]


def test_a_server_that_asks_for_more_than_the_longest_wait_is_left_alone():
    patience = Patience()
    with (
        serving(send(503, Retry_After="86400")) as (url, asked),
        client(patience) as http,
    ):
        with pytest.raises(RemoteError, match="asks to wait 86400 s"):
            http.get(url)
        with pytest.raises(RemoteError, match="left alone for 86400 s") as caught:
            http.get(url)
        assert caught.value.transient
        assert len(asked) == 1, "the second question is not sent"
        patience.now += 86400
        with pytest.raises(RemoteError, match="asks to wait"):
            http.get(url)
    assert patience.waits == []
    assert len(asked) == 2


def test_silence_is_an_error_that_may_pass():
    over = threading.Event()
    with (
        serving(lambda request: over.wait(5) and None) as (url, _),
        client(Patience(), timeout=0.05, tries=1) as http,
    ):
        with pytest.raises(RemoteError, match="was silent") as caught:
            http.get(url)
        over.set()
    assert caught.value.transient


def test_nobody_listening_is_an_error_that_may_pass():
    with serving(send()) as (url, _):
        pass
    with client(Patience(), tries=2) as http, pytest.raises(RemoteError, match="cannot be reached"):
        http.get(url)


def test_a_body_beyond_the_limit_is_refused_also_when_it_was_compressed():
    packed = send(200, gzip.compress(b"0" * 100_000), Content_Encoding="gzip")
    with serving(packed) as (url, _), client(Patience()) as http:
        assert len(http.get(url).body) == 100_000
        with pytest.raises(RemoteError, match=r"more than 0\.05 MB"):
            http.get(url, limit=50_000)


def test_a_body_written_to_a_file_is_the_last_try_alone():
    file = BytesIO()
    with serving(cut, send(200, b"whole")) as (url, _), client(Patience()) as http:
        http.get(url, into=file)
    assert file.getvalue() == b"whole"


def test_requests_say_who_asks_and_take_compressed_answers():
    with serving(send()) as (url, asked), client(Patience()) as http:
        http.get(url)
    assert asked[0].headers["User-Agent"] == f"obsportal/{__version__} (+mailto:a@example.org)"
    assert "gzip" in asked[0].headers["Accept-Encoding"]


def test_requests_begin_no_closer_than_the_pause():
    patience = Patience()
    with serving(send()) as (url, _), client(patience, pause=0.25) as http:
        for _ in range(3):
            http.get(url)
    assert patience.waits == [0.25, 0.25]


def test_a_client_that_is_to_stop_asks_nothing_more():
    stop = threading.Event()
    stop.set()
    with (
        serving(send()) as (url, asked),
        client(Patience(), stop) as http,
        pytest.raises(Interrupted),
    ):
        http.get(url)
    assert asked == []


def test_colons_of_an_identifier_are_sent_as_they_are():
    with serving(send()) as (url, asked), client(Patience()) as http:
        http.get(f"{url}?DpId=GRAVI.2020-01-27T03:39:22.003")
    assert asked[0].path == "/x?DpId=GRAVI.2020-01-27T03:39:22.003"


def test_addresses_are_shown_without_secrets():
    assert shown("https://user:word@a.example:8443/b?token=c#d") == "https://a.example:8443/b"
