"""The client of org.example.conform with the package varlink of PyPI: client.py ADDRESS."""

import sys

import varlink

address = sys.argv[1]


def step(name):
    """Makes the call of a step. Returns the outcome."""
    outcome = {"values": []}
    try:
        with varlink.Client.new_with_address(address) as client:
            with client.open("org.example.t") as t:
                if name == "empty":
                    t.Empty()
                elif name == "need":
                    outcome["values"].append(t.Need("x")["s"])
                elif name == "more":
                    for reply in t.Count(3, _more=True):
                        if "i" in reply:
                            outcome["values"].append(str(reply["i"]))
                elif name == "oneway":
                    t.Empty(_oneway=True)
                    outcome["values"].append(t.Need("x")["s"])
                else:
                    outcome["unsupported"] = "the package has no upgrade"
    except varlink.VarlinkError as error:
        outcome["error"] = str(error.error())
    except Exception as error:
        outcome["failed"] = f"{type(error).__name__}: {error}"
    # A lone surrogate is a character for Python, and not for JSON in UTF-8.
    outcome["values"] = [value.encode("utf-8", "backslashreplace").decode() for value in outcome["values"]]
    return outcome


with varlink.Client.new_with_address(address) as client:
    with client.open("org.example.conform") as conform:
        next = conform.Next(None)["step"]
        while next != "end":
            next = conform.Next(step(next))["step"]
