"""Runs a firmware in QEMU, and talks to it over its serial line: as the example board does, as the
Python reference implementation does, and as nobody should.

    drive.py MACHINE FIRMWARE CLIENT DEFINITION

CLIENT is the example board, DEFINITION the interface as its author wrote it. Prints the deepest stack.
"""

import json
import os
import select
import subprocess
import sys
import time
import tty

from varlink import Interface, SimpleClientInterfaceHandler, VarlinkError

MACHINE, FIRMWARE, CLIENT, DEFINITION = sys.argv[1:]
BOARD = "org.example.board"
# Seconds, for whatever comes next.
PATIENCE = 60


def start():
    """Starts QEMU, and returns it with the path of the serial line."""
    qemu = subprocess.Popen(
        ["qemu-system-arm", "-machine", MACHINE, "-display", "none", "-monitor", "none"]
        + ["-semihosting-config", "enable=on,target=native", "-serial", "pty", "-kernel", FIRMWARE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    wait_for(qemu.stdout.fileno())
    said = qemu.stdout.readline().decode()
    assert said.startswith("char device redirected to "), said
    return qemu, said.split()[4]


def wait_for(descriptor):
    ready, _, _ = select.select([descriptor], [], [], PATIENCE)
    assert ready, "nothing comes"


class Line:
    """The serial line, with whatever bytes one likes. It is what the reference's client needs."""

    def __init__(self, path):
        # (It stays open, so that QEMU never takes it for closed.)
        self.descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.descriptor)
        self.buffer = b""
        self.clients = 0

    def write(self, data):
        while data:
            data = data[os.write(self.descriptor, data) :]

    def read(self, count):
        # (The reference's client reads byte by byte.)
        if not self.buffer:
            wait_for(self.descriptor)
            self.buffer = os.read(self.descriptor, 4096)
            assert self.buffer, "the line is gone"
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def message(self):
        message = b""
        while not message.endswith(b"\0"):
            message += self.read(1)
        return json.loads(message[:-1])

    def call(self, method, parameters=None, **flags):
        call = {"method": f"{BOARD}.{method}", "parameters": parameters or {}, **flags}
        return json.dumps(call).encode() + b"\0"

    def begin(self):
        """There is a new client. What was under way to the one before may still come."""
        self.clients += 1
        text = f"client {self.clients}"
        # (The first NUL ends what was left half-sent, the second is the beginning.)
        self.write(b"\0\0" + self.call("Show", {"text": text}) + self.call("GetState"))
        end = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < end, "a new client is not answered"
            try:
                state = self.message().get("parameters", {}).get("state", {})
            except ValueError:
                # The rest of one that the example has read.
                continue
            if state.get("text") == text:
                return state


def reference(line):
    """The reference's client, over this line."""
    with open(DEFINITION, encoding="utf-8") as file:
        definition = file.read()
    package = os.path.dirname(sys.modules["varlink"].__file__)
    with open(os.path.join(package, "org.varlink.service.varlink"), encoding="utf-8") as file:
        service = SimpleClientInterfaceHandler(Interface(file.read()), line)
    info = service.GetInfo()
    assert info["product"] == MACHINE, info
    assert info["interfaces"] == ["org.varlink.service", BOARD], info
    assert service.GetInterfaceDescription(BOARD)["description"] == definition
    try:
        service.GetInterfaceDescription("org.example.nothing")
    except VarlinkError as error:
        assert error.error() == "org.varlink.service.InterfaceNotFound", error
    else:
        raise AssertionError("no error")

    board = SimpleClientInterfaceHandler(Interface(definition), line)
    for lamp in ["off", "on"]:
        board.SetLamp(lamp)
        assert board.GetState()["state"]["lamp"] == lamp
    text = "\U0001f980 \u0000\"\\\x7f"
    board.Show(text)
    assert board.GetState()["state"]["text"] == text
    try:
        board.Show("x" * 33)
    except VarlinkError as error:
        assert error.error() == BOARD + ".TooLong", error
        assert error.parameters() == {"room": 32}, error
    else:
        raise AssertionError("no error")
    times = [reply["uptime"] for reply in board.Watch(20, 5, _more=True)]
    assert times == list(range(times[0], times[0] + 100, 20)), times
    try:
        board.Watch(20, 5)
    except VarlinkError as error:
        assert error.error() == "org.varlink.service.ExpectedMore", error
    else:
        raise AssertionError("no error")


def example(path):
    """The example board, whose Nullink knows the line as `device:`."""
    command = [CLIENT, "device:" + path]
    shown = subprocess.run(command, capture_output=True, timeout=PATIENCE, text=True, check=False)
    said = shown.stdout.splitlines()
    assert shown.returncode == 0, (said, shown.stderr)
    assert said[0] == f"{MACHINE} by Nullink", said
    assert said[1] == f"description {os.path.getsize(DEFINITION)} bytes", said
    assert said[3:5] == ["lamp On -> Off", "lamp Off -> On"], said
    assert said[5:7] == ['shows \U0001f980 "hello"', "has room for 32"], said
    assert sum(line.startswith("uptime ") for line in said) == 3, said
    assert "lamp: On, text: \"\U0001f980 \\\"hello\\\"\"" in said[-1], said


def hostile(line):
    """What comes over a serial line that nobody has meant for it. None of it is answered."""
    junk = bytes(range(1, 256))
    tail = line.call("Show", {"text": "tail"})[:-1]
    for bad in [
        b"\0\0\0",
        b"\r\nlogin: root\r\n",
        junk * 20,
        b"[" * 500,
        b'{"method":',
        b'{"method":"org.example.board.Stop","more":1}',
        b'{"method":"org.example.board.Stop"}{"method":"org.example.board.Stop"}',
        b'\xef\xbb\xbf{"method":"org.example.board.Stop"}',
        b'{"parameters":{"text":"' + b"\\ud800" * 9 + b'"},"method":"org.example.board.Show"}',
        # Longer than any call may be; what it ends with is none.
        b"x" * 512 + tail,
        b"x" * 5000 + tail,
    ]:
        before = line.begin()
        line.write(bad + b"\0")
        if bad != b"\0\0\0":
            # It is over for this client, whatever else it sends.
            line.write(line.call("Show", {"text": "discarded"}))
        # The next client is answered, and nothing else is.
        line.write(b"\0\0" + line.call("GetState"))
        state = line.message()["parameters"]["state"]
        assert state["text"] == before["text"], (bad, state)
        refused = state["refused"] - before["refused"]
        assert refused == (0 if bad == b"\0\0\0" else 1), (bad, refused)


def cut_off(line):
    """A client goes in the middle of its call, wherever that is, and another one comes."""
    call = line.call("Show", {"text": "cut off"})
    for cut in range(1, len(call) - 1):
        line.write(call[:cut])
        state = line.begin()
        assert state["text"].startswith("client"), (cut, state)
    # In the middle of a stream without an end, with another call begun, or all of it but its NUL.
    for behind in [b"", call[:9], call[:-1]]:
        line.write(line.call("Watch", {"every": 1}, more=True) + behind)
        for _ in range(3):
            assert line.message()["continues"]
        line.begin()
        line.write(line.call("SetLamp", {"lamp": "off"}))
        assert "before" in line.message()["parameters"]


def stop(qemu, path):
    command = [CLIENT, "device:" + path, "stop"]
    stopped = subprocess.run(command, stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    # The machine ends behind its reply, and a terminal that is hung up forgets what nobody has read.
    is_gone = b"the service closed the connection" in stopped.stderr
    assert stopped.returncode == 0 or is_gone, stopped
    assert qemu.wait(PATIENCE) == 0, qemu.returncode


def main():
    qemu, path = start()
    try:
        line = Line(path)
        # It may not have begun yet when the first bytes come; they wait for it.
        line.begin()
        reference(line)
        example(path)
        line.begin()
        hostile(line)
        cut_off(line)
        # The example, behind a client that has gone in the middle of its call, and of its stream.
        line.write(line.call("Watch", {"every": 1}, more=True) + b'{"meth')
        line.message()
        example(path)
        state = line.begin()
        stop(qemu, path)
        print(state["stack"])
    finally:
        qemu.kill()
        qemu.wait()


main()
