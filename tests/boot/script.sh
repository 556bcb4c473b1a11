#!/bin/sh
# What a script of an image does with nullctl. The first program starts it, the shell is busybox's. The
# script decides nothing: it prints commands, outputs and exit statuses on the console, and drive.py
# compares them with transcript.txt.
export PATH=/bin
boot=/run/org.example.boot
udev=/run/udev/io.systemd.Udev

# try ARGUMENT...: runs nullctl, and prints its output and its exit status. The output is not a terminal.
try() {
    echo "$ nullctl $*"
    output=$(nullctl "$@" 2>&1)
    status=$?
    [ -z "$output" ] || echo "$output"
    echo "exit status $status"
}

# exists PATH: prints whether a file exists.
exists() {
    if [ -e "$1" ]; then echo "$1 exists"; else echo "$1 does not exist"; fi
}

# background ARGUMENT...: runs nullctl, whose output is then read from descriptor 3.
background() {
    echo "$ nullctl $* &"
    nullctl "$@" >/run/lines &
    exec 3</run/lines
}

echo "begin of the transcript"
busybox mkfifo /run/lines

try wait --timeout=60 $boot
try info $boot
try list-interfaces $boot
try call $boot org.example.boot.Report '{"status":"a script runs"}'
try call $boot org.example.boot.GetState '{}'
try call $boot org.example.boot.GetStat '{}'
try call $boot org.example.boot.Unmount '{"target":"/absent"}'
try call --graceful=org.example.boot.Refused $boot org.example.boot.LoadModule '{"path":"/absent"}'
try wait --timeout=0.1 /run/absent

# The monitor's lines about its second client. The first is `wait`, and its last line can come late.
background monitor $boot /run/monitored
try wait --timeout=60 /run/monitored
try call /run/monitored org.example.boot.Report '{"status":"monitored"}'
while read -r line <&3; do
    case $line in "2 "*) echo "$line" ;; esac
    [ "$line" != "2 -- closed" ] || break
done
# The shell may print that a job was terminated.
{
    kill $!
    wait $!
} 2>/dev/null

# Without udevd.
try udev ping
try udev settle --timeout=60
try wait --timeout=0.1 $udev

# The first program starts udevd, and tells when it has ended. The log of udevd is not part of the transcript.
background call --more $boot org.example.boot.Start \
    '{"path":"/bin/sh","arguments":["-c","exec /usr/lib/systemd/systemd-udevd 2>/dev/kmsg"]}'
read -r line <&3
echo "$line"
pid=${line##*:}
pid=${pid%\}}
try wait --timeout=60 $udev
try info $udev
try ping $udev
try udev ping
try log-level $udev
try log-level $udev err
try log-level $udev
try log-level $udev loud
try reload $udev
try call $udev io.systemd.Udev.Pong '{}'
try udev trigger add --subsystems
try udev trigger
try udev settle --timeout=60
exists /dev/by-rule

# A new rule is read after `reload`, and has been applied when `settle` returns. The time is too short for
# `settle` while udevd cannot receive the events, and while the rule waits for this script.
busybox mkdir -p /run/udev/rules.d
busybox mkfifo /run/gate
echo 'ACTION=="change", KERNEL=="null", PROGRAM=="/bin/busybox cat /run/gate", SYMLINK+="by-rule"' \
    >/run/udev/rules.d/50-null.rules
try udev reload
kill -STOP "$pid"
try udev trigger
try udev settle --timeout=1
kill -CONT "$pid"
try udev settle --timeout=5
exists /dev/by-rule
: >/run/gate
try udev settle --timeout=60
exists /dev/by-rule

try call $udev io.systemd.Udev.Exit '{}'
read -r line <&3
echo "$line"
wait $!
echo "exit status $?"
try udev ping

echo "end of the transcript"
