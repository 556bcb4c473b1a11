"""The service of org.example.t with the package varlink of PyPI: service.py ADDRESS."""

import sys
from pathlib import Path

import varlink

address = sys.argv[1]
# The folder has the definition without the type any, which the package cannot read.
folder = Path(__file__).parent.parent
service = varlink.Service(
    vendor="Varlink",
    product="Python",
    version="1",
    url="https://varlink.org",
    interface_dir=str(folder),
)


class Oops(varlink.VarlinkError):
    def __init__(self):
        super().__init__({"error": "org.example.t.Oops", "parameters": {"why": "because"}})


class ExpectedMore(varlink.VarlinkError):
    def __init__(self):
        super().__init__({"error": "org.varlink.service.ExpectedMore", "parameters": {}})


@service.interface("org.example.t")
class T:
    def Echo(self, i, f, b, s, o, l, m, c):
        all = {"i": i, "f": f, "b": b, "s": s, "o": o, "l": l, "m": m, "c": c}
        return {"got": {name: value for name, value in all.items() if value is not None}}

    def Need(self, s):
        return {"s": s}

    def Empty(self):
        return {}

    def Count(self, n, _more=False):
        if not _more:
            raise ExpectedMore()
        if n <= 0:
            raise varlink.InvalidParameter("n")
        return ({"i": i, "_continues": i + 1 < n} for i in range(n))

    def Fail(self):
        raise Oops()

    # The package has no descriptors, and no upgrade: Unbound, Fds and Pipe are not served.


class Handler(varlink.RequestHandler):
    service = service


class Server(varlink.ThreadingServer):
    daemon_threads = True


with Server(address, Handler) as server:
    server.serve_forever()
