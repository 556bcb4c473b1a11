"""Boots a kernel with our initramfs, and calls its first program from the host.

    drive.py KERNEL INITRAMFS TOOLS CLIENT [PARAMETER..]

TOOLS is an initramfs that also has nullctl, systemd-udevd and script.sh. It can be empty. CLIENT is the
example init, which is also the Nullink client. The other client is the Python reference. The PARAMETERs
are for the kernel. There are no fixed pauses, but every wait has a timeout.
"""

import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

import varlink

KERNEL, INITRAMFS, TOOLS, CLIENT, *PARAMETERS = sys.argv[1:]
HERE = os.path.dirname(os.path.abspath(__file__))
BOOT, UEVENTS = "org.example.boot", "org.example.uevents"
PATIENCE = 120  # in seconds; QEMU emulates the processor, and the host may be busy
NULL_DEVICE = "/devices/virtual/mem/null"


class Line:
    """The host's side of a line: sends and receives raw bytes and messages."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, parameters=None, **flags):
        call = {"method": method, "parameters": parameters or {}, **flags}
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.received:
            some = self.socket.recv(65536)
            assert some, "the line was closed"
            self.received += some
        message, _, self.received = self.received.partition(b"\0")
        # An empty message ends a message that the service could not finish for the previous client.
        return json.loads(message) if message else self.receive()

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.receive()

    def begin(self):
        """Begins as a client on a line: with a break, and a unique call to synchronize."""
        self.skip()
        return self

    def skip(self):
        """Synchronizes like `begin`. Returns the skipped messages, which are for the previous client."""
        marker = f"org.varlink.service.Marker{random.randrange(1 << 30)}"
        self.socket.sendall(b"\0\0")
        self.send(marker)
        skipped = []
        while True:
            try:
                skipped.append(self.receive())
                if skipped[-1].get("parameters") == {"method": marker}:
                    return skipped[:-1]
            except ValueError:
                pass  # the end of a cut message


class Listener(subprocess.Popen):
    """A client process that is killed at the end of the block."""

    def __exit__(self, *failure):
        self.kill()
        return super().__exit__(*failure)


class Machine:
    """A virtual machine with two lines, which are hvc0 and ttyS1 inside."""

    def __init__(self, directory, initramfs=INITRAMFS, *more):
        self.hvc, self.tty = os.path.join(directory, "hvc0"), os.path.join(directory, "ttyS1")
        self.console = os.path.join(directory, "console")
        parameters = ["console=ttyS0", "quiet", *more, *PARAMETERS]
        parameters += ["nullink.device=/dev/hvc0", "nullink.device=/dev/ttyS1"]
        command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "128M", "-no-reboot", "-nodefaults"]
        command += ["-display", "none", "-kernel", KERNEL, "-initrd", initramfs]
        command += ["-append", " ".join(parameters), "-serial", f"file:{self.console}"]
        command += ["-chardev", f"socket,id=tty,path={self.tty},server=on,wait=off"]
        command += ["-chardev", f"socket,id=hvc,path={self.hvc},server=on,wait=off"]
        command += ["-serial", "chardev:tty", "-device", "virtio-serial-pci"]
        command += ["-device", "virtconsole,chardev=hvc"]
        self.begin = time.monotonic()
        self.process = subprocess.Popen(command)

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        self.process.kill()
        self.process.wait()
        if failed:
            with open(self.console, errors="replace", encoding="utf-8") as console:
                print("The console:\n" + console.read())

    def wait_for(self, path, method, accepts):
        """Calls until `accepts` is true for a reply, and returns that reply. Bytes may be lost while the
        line is not open in the machine, so each attempt has a short timeout.
        """
        while time.monotonic() < self.begin + 2 * PATIENCE and self.process.poll() is None:
            try:
                with Line(path) as line:
                    line.socket.settimeout(0.5)
                    line.socket.sendall(b"\0\0")
                    reply = line.call(method).get("parameters", {})
                    if accepts(reply):
                        return reply
            except (ConnectionError, FileNotFoundError, TimeoutError):
                pass
        raise AssertionError("no such reply before the timeout")

    def first_reply(self):
        """Returns the seconds from power on to the first reply."""
        self.wait_for(self.hvc, "org.varlink.service.GetInfo", lambda info: "vendor" in info)
        return time.monotonic() - self.begin

    def ours(self, path, *arguments, fails=False):
        """Runs the Nullink client, and returns its output."""
        command = [CLIENT, "--line", "unix:" + path, *arguments]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        assert (done.returncode != 0) == fails, done
        return (done.stderr if fails else done.stdout).decode()

    def reference(self, path):
        """Returns a client of the Python reference. The line is synchronized before."""
        with Line(path) as line:
            line.begin()
        return varlink.Client("unix:" + path)

    def says(self, text):
        """Waits for a line on the console."""
        end = time.monotonic() + PATIENCE
        while True:
            with open(self.console, errors="replace", encoding="utf-8") as console:
                if text in console.read():
                    return
            assert time.monotonic() < end, f"not on the console: {text}"

    def has_ended(self):
        """Waits until the machine has powered off. After a kernel panic it does not."""
        return self.process.wait(PATIENCE) == 0


def definition(name):
    with open(os.path.join(HERE, "../../examples/shared", name + ".varlink"), encoding="utf-8") as file:
        return file.read()


def refused(call, errno):
    return {"error": BOOT + ".Refused", "parameters": {"call": call, "errno": errno}}


def ours_calls(machine):
    info = json.loads(machine.ours(machine.hvc, "info"))
    assert info["product"] == "Init" and info["interfaces"][1:] == [BOOT, UEVENTS], info
    state = machine.ours(machine.tty, "state")
    assert "Serving, no status, 6 modules, 0 running, 0 orphans" in state, state
    failed = machine.ours(machine.hvc, "load", "/nowhere", fails=True)
    assert 'Refused { call: "open", errno: 2 }' in failed, failed
    with Line(machine.tty) as line:
        parameters = {"message": "a line from outside", "level": "error"}
        assert line.begin().call(BOOT + ".Log", parameters) == {}
    machine.says("init: a line from outside")
    # Programs: one that fails, a client of the Unix socket inside, and one that leaves an orphan.
    assert "ended with 1\n" in machine.ours(machine.hvc, "start", "/report")
    assert "ended with 0\n" in machine.ours(machine.hvc, "start", "/report", "from inside")
    state = machine.ours(machine.tty, "state")
    assert "Serving, from inside, 6 modules, 0 running, 0 orphans" in state, state
    with Line(machine.tty) as watcher:
        watcher.begin().send(BOOT + ".GetState", more=True)
        assert "ended with 0\n" in machine.ours(machine.hvc, "start", "/report", "--later", "an orphan")
        state = {}
        while (state.get("status"), state.get("orphans")) != ("an orphan", 1):
            reply = watcher.receive()
            assert reply["continues"], reply
            state = reply["parameters"]["state"]
        assert state["running"] == 0, state
    # Uevents on one line, triggered on the other.
    command = [CLIENT, "--line", "unix:" + machine.hvc, "uevents", "mem"]
    with Listener(command, stdout=subprocess.PIPE) as listener, Line(machine.tty) as line:
        line.begin()
        assert listener.stdout.readline() == b"listening (0 lost)\n"
        for action in ["change", "move"]:
            parameters = {"devpath": NULL_DEVICE, "action": action}
            reply = line.call(UEVENTS + ".Trigger", parameters)
            assert reply == {}, reply
            heard = listener.stdout.readline().decode()
            assert heard == f"{action} {NULL_DEVICE}\n", heard


def reference_calls(machine):
    with machine.reference(machine.hvc) as client:
        assert client.get_interfaces()
        assert client.info["product"] == "Init", client.info
        assert client.get_interface(BOOT).description == definition(BOOT)
        with client.open(BOOT) as boot:
            assert boot.GetState()["state"]["modules"] == 6
            boot.Report("seen by the reference")
            assert boot.GetState()["state"]["status"] == "seen by the reference"
            try:
                boot.Mount(type="nothing", target="/nothing")
                raise AssertionError("an unknown file system was mounted")
            except varlink.VarlinkError as error:
                assert error.error() == BOOT + ".Refused", error
                assert error.parameters() == {"call": "mount", "errno": 19}, error.parameters()
        with client.open(UEVENTS) as uevents, Line(machine.tty) as line:
            line.begin()
            reports = uevents.Monitor(subsystem="mem", _more=True)
            assert "event" not in next(reports)
            for _ in range(3):
                line.call(UEVENTS + ".Trigger", {"devpath": NULL_DEVICE, "action": "change"})
                event = next(reports)["event"]
                assert (event["action"], event["devpath"]) == ("change", NULL_DEVICE), event


def hostile_bytes(machine):
    noise = random.Random(1)
    deep = b'{"method":' + b"[" * 200_000 + b"\0"
    hostile = [
        b"\0" * 10_000,
        noise.randbytes(100_000),
        bytes(byte or 1 for byte in noise.randbytes(300_000)),
        deep,
        b'{"method":"org.example.boot.Nothing","parameters":' + b"9" * 100_000,
        b'{"method":"org.example.boot.PowerOff","parameters":{"then":"never"}}\0' * 1000,
        b'{"method":"org.example.boot.GetState"' + b"\n" * 100 + b',"more":1}\0',
    ]
    for path in [machine.hvc, machine.tty]:
        for part in hostile:
            with Line(path) as line:
                # The replies are not read.
                line.socket.sendall(part[:20_000] if path == machine.tty else part)
            with Line(path) as line:
                assert line.begin().call("org.varlink.service.GetInfo")["parameters"]["product"] == "Init"
    # After an error, calls before the next break are not answered: the client has lost track.
    for path in [machine.hvc, machine.tty]:
        with Line(path) as line:
            line.begin().socket.sendall(b"nonsense\0")
            line.send("org.varlink.service.GetInfo")
            skipped = line.skip()
            assert skipped == [], skipped
    # A client that leaves in the middle of its message, and one that leaves during a reply.
    for cut in [b'{"method":"org.va', b'{"method":"org.example.boot.GetState","more":true}\0{"meth']:
        with Line(machine.hvc) as line:
            line.socket.sendall(cut)
        assert "Init" in machine.ours(machine.hvc, "info")
        with Line(machine.hvc) as line:
            line.socket.sendall(cut)
        with machine.reference(machine.hvc) as client:
            assert client.get_interface(BOOT).description == definition(BOOT)


def powers_off(machine):
    machine.ours(machine.hvc, "power-off")
    assert machine.has_ended()


def switches_root(machine):
    machine.ours(machine.hvc, "mount", "tmpfs", "/new")
    machine.ours(machine.hvc, "mount", "tmpfs", "/run/new")
    machine.ours(machine.hvc, "mount", "proc", "/new/inner")
    # Refused: a root that is not a mount point, one that would be moved into itself, one where the
    # directories for the other mounts cannot be made, and a program that does not exist.
    for root, call, errno in [
        ("/modules", "mount", 22),
        ("/", "mount", 22),
        ("/run", "mount", 22),
        ("//run/new", "mount", 22),
        ("/new/../run/new", "mount", 22),
        ("/nowhere", "open", 2),
        ("/new/inner", "mkdir", 2),
        ("/new", "execve", 2),
    ]:
        failed = machine.ours(machine.hvc, "switch-root", root, "/monitor", fails=True)
        assert f'Refused {{ call: "{call}", errno: {errno} }}' in failed, (root, failed)
    failed = machine.ours(machine.hvc, "switch-root", "/new", "/inner", fails=True)
    assert 'Refused { call: "execve", errno: 13 }' in failed, failed
    machine.ours(machine.hvc, "copy", "/report", "/run/kept")
    for program in ["/init", "/monitor"]:
        machine.ours(machine.hvc, "copy", program, "/new" + program)
    # Calls of another client do not postpone it.
    with Line(machine.tty) as busy:
        busy.begin()
        machine.ours(machine.hvc, "switch-root", "/new", "/init")
        busy.socket.settimeout(2)
        try:
            for _ in range(200):
                busy.call(BOOT + ".Report", {"status": "busy"})
                if busy.call(BOOT + ".GetState")["parameters"]["state"]["modules"] == 0:
                    break
            else:
                raise AssertionError("the switch of the root is postponed")
        except TimeoutError:
            pass  # the switch happened during a call
    # The same program was executed again in the new root. The files of the old root are gone, and the
    # mounts were moved.
    fresh = lambda progress: progress.get("state", {}).get("modules") == 0
    machine.wait_for(machine.hvc, BOOT + ".GetState", fresh)
    machine.ours(machine.hvc, "copy", "/run/kept", "/kept")
    failed = machine.ours(machine.hvc, "copy", "/modules/virtio.ko", "/run/virtio.ko", fails=True)
    assert 'Refused { call: "open", errno: 2 }' in failed, failed
    with Line(machine.tty) as line:
        parameters = {"devpath": NULL_DEVICE, "action": "change"}
        assert line.begin().call(UEVENTS + ".Trigger", parameters) == {}


def becomes_the_monitor(machine):
    machine.ours(machine.hvc, "mount", "tmpfs", "/new")
    machine.ours(machine.hvc, "copy", "/monitor", "/new/monitor")
    machine.ours(machine.hvc, "switch-root", "/new", "/monitor", "device:/dev/hvc0")
    another = lambda info: info.get("product") == "Monitor"
    info = machine.wait_for(machine.hvc, "org.varlink.service.GetInfo", another)
    assert info["interfaces"][1:] == [UEVENTS], info
    with machine.reference(machine.hvc) as client:
        assert client.get_interface(UEVENTS).description == definition(UEVENTS)


def follows_the_script(machine):
    """Runs the script, and compares each line that it prints. A * in transcript.txt is any text."""
    status = machine.ours(machine.hvc, "start", "/bin/sh", "/script")
    assert "ended with 0\n" in status, status
    machine.says("end of the transcript")
    with open(os.path.join(HERE, "transcript.txt"), encoding="utf-8") as transcript:
        expected = [line.rstrip("\n") for line in transcript]
    with open(machine.console, errors="replace", encoding="utf-8") as console:
        lines = [line.rstrip("\n") for line in console]
    printed = itertools.dropwhile(lambda line: line != expected[0], lines)
    for number, (wanted, line) in enumerate(itertools.zip_longest(expected, printed), 1):
        pattern = re.escape(wanted or "").replace(r"\*", ".*")
        if line is None or not re.fullmatch(pattern, line):
            # The log of the kernel, of the first program and of udevd.
            machine.ours(machine.hvc, "start", "/bin/sh", "-c", "busybox dmesg | busybox tail")
            raise AssertionError(f"transcript.txt:{number}: expected {wanted!r}, not {line!r}")


def main():
    with tempfile.TemporaryDirectory() as directory, Machine(directory) as machine:
        print(f"boot: {machine.first_reply():.1f} s from power on to the first reply")
        ours_calls(machine)
        reference_calls(machine)
        hostile_bytes(machine)
        powers_off(machine)
        print("boot: called, attacked, and powered off")
    with tempfile.TemporaryDirectory() as directory, Machine(directory) as machine:
        machine.first_reply()
        switches_root(machine)
        becomes_the_monitor(machine)
        print("boot: another program answers in the new root")
    if not TOOLS:
        return
    # Only the script prints to the console: a line of the kernel could be within one of its lines.
    with tempfile.TemporaryDirectory() as directory, Machine(directory, TOOLS, "loglevel=1") as machine:
        machine.first_reply()
        follows_the_script(machine)
        powers_off(machine)
        seconds = time.monotonic() - machine.begin
        print(f"boot: a script has called this program and udevd ({seconds:.1f} s)")


main()
