#!/bin/sh
# Counts the instructions of calls with callgrind. Checking a call must take fewer than dispatching it,
# and must be linear in the length of any message.
set -eu
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || {
    [ "${CI:-}" != true ] || { echo "instructions: needs valgrind" >&2; exit 1; }
    echo "skipped: needs valgrind"
    exit 0
}
bench=$(cargo bench --quiet --locked --bench dispatch --no-run --message-format=json |
    sed -n 's/.*"name":"dispatch".*"executable":"\([^"]*\)".*/\1/p')

# total SCENARIO COUNT: prints the instructions of COUNT runs.
total() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : *//p'
}
# each SCENARIO: prints the instructions of one run, without those of the program's start.
each() {
    few=$(total "$1" 2)
    many=$(total "$1" 12)
    echo $(((many - few) / 10))
}

fail() {
    echo "instructions: $*" >&2
    exit 1
}

# limit SCENARIO COUNT: fails if a run takes more instructions.
limit() {
    count=$(each "$1")
    echo "instructions: $1 takes $count of $2"
    [ "$count" -le "$2" ] || fail "$1 takes more than $2"
}

unchecked=$(each ping-unchecked)
checked=$(each ping)
echo "instructions: a call of Ping takes $checked, $((checked - unchecked)) of them to check it"
[ $((checked - unchecked)) -lt "$unchecked" ] || fail "checking takes more than dispatching"

# The measured counts when this was written, and 3 % more.
limit ping 2559
limit text 10664
limit text-escaped-10 30302
limit text-escaped-2 67840
limit integers 36784

# Checking is linear: up to 256 instructions for each byte of the message, or 512 if keys are not in
# the order of the definition and must be searched among the 256 names of a structure.
for scenario in plain-keys escaped-keys empty-structures map long-keys maps; do
    limit "$scenario" $((4096 * 256))
done
for scenario in large-map large-long-keys large-maps large-empty-structures; do
    limit "$scenario" $((65536 * 256))
done
limit reversed-keys $((4096 * 512))
limit large-last-fields $((65536 * 512))

# Nesting costs nothing: nested maps take as much as one map of the same length, and up to 10 % more.
limit large-maps $(($(each large-map) * 11 / 10))

# The cost of a server's turn depends on the active connections only: 1000 places, or 900 more idle
# connections, take no more than 8 places, with up to 10 % or 20 % of tolerance.
ulimit -n 4096 2>/dev/null || true
limit server-8 3957
limit server-8-pipelined 298138
eight=$(each server-8)
limit server-1000 $((eight * 11 / 10))
limit server-1000-idle $((eight * 12 / 10))
