"""A stand-in for Sesame on this machine: answers as it does, and misbehaves where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote
from xml.sax.saxutils import escape

ALF_CEN_A = """<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<Sesame xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<Target option="SNV">
  <name>{name}</name>
  <!-- Q1 #1 -->
  <Resolver name="S=Simbad (CDS, via client/server)">
    <otype>SB*</otype>
    <spType>G2V</spType>
    <jpos>14:39:36.49 -60:50:02.3</jpos>
    <jradeg>219.902058</jradeg>
    <jdedeg>-60.833993</jdedeg>
    <errRAmas>4.0</errRAmas><errDEmas>25.0</errDEmas>
    <pm><v>3709.6</v><pmRA>-3679.25</pmRA><epmRA>3.89</epmRA><pmDE>473.67</pmDE><epmDE>3.24</epmDE></pm>
    <plx><v>743.0</v><e>1.3</e></plx>
    <oname>* alf Cen A</oname>
    <alias>HD 128620</alias>
    <alias>NAME Rigil  Kentaurus</alias>
    <alias>{longest}</alias>
    <nrefs>1000</nrefs>
  </Resolver>
</Target>
</Sesame>
"""

NOTHING = """<?xml version="1.0"?>
<Sesame><Target option="SNV"><name>{name}</name>
<Resolver name="S=Simbad"><INFO>*** Nothing found *** </INFO></Resolver>
<Resolver name="V=VizieR"><INFO>Zero (0) answers</INFO></Resolver></Target></Sesame>
"""

BOMB = """<?xml version="1.0"?><!DOCTYPE Sesame [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Sesame><Target><name>&b;</name></Target></Sesame>"""

ODD = {
    "html": (200, "<!doctype html><html><body><p>Service moved</body></html>"),
    "other xml": (200, "<html><body>Service moved</body></html>"),
    "empty": (200, ""),
    "bomb": (200, BOMB),
    "cut": (200, ALF_CEN_A[:400]),
    "busy": (503, "busy"),
    "large": (200, "<Sesame>" + " " * 2_000_000 + "</Sesame>"),
    "trouble": (
        200,
        "<Sesame><Target><Resolver><INFO>Simbad: server error</INFO></Resolver></Target></Sesame>",
    ),
    "nowhere": (
        200,
        "<Sesame><Target><Resolver><jradeg>nan</jradeg><jdedeg>5</jdedeg></Resolver></Target></Sesame>",
    ),
}
"""Name -> status and body."""


@contextmanager
def sesame_server(asked: list[str] | None = None) -> Iterator[str]:
    """The address of a stand-in; ``asked`` receives the names it is asked for."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            name = unquote(query)
            if asked is not None:
                asked.append(name)
            status, body = ODD.get(name, (200, ""))
            if name == "slow":
                done.wait(5)
            if name not in ODD:
                known = path.endswith("/-oxI/SNV") and name.lower() in {
                    "alf cen",
                    "rigil",
                    "hd 128620",
                    "αcen",
                }
                body = (ALF_CEN_A if known else NOTHING).format(name=escape(name), longest="x" * 90)
            raw = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            with suppress(OSError):  # the client hung up
                self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/cgi-bin/nph-sesame"
    finally:
        done.set()
        server.shutdown()
        server.server_close()
        thread.join()
