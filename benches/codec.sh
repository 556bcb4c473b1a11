#!/bin/sh
# Prints the user instructions that each library needs for a byte of a message, as a Markdown table.
set -eu
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || { echo "codec: needs valgrind" >&2; exit 1; }
bench=$(cargo bench --quiet --locked --bench codec --no-run --message-format=json |
    sed -n 's/.*"name":"codec".*"executable":"\([^"]*\)".*/\1/p')

# total LIBRARY STEP MESSAGE COUNT: prints the instructions of COUNT steps.
total() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" "$@" 2>&1 |
        sed -n 's/.*Collected : *//p'
}

# each LIBRARY STEP MESSAGE: prints the instructions of one step.
each() {
    few=$(total "$1" "$2" "$3" 2)
    many=$(total "$1" "$2" "$3" 12)
    echo $(((many - few) / 10))
}

echo "| message | bytes | step | Nullink | serde_json | serde-json-core |"
echo "|---|---:|---|---:|---:|---:|"
for message in short long escaped-10 escaped-2 records integers floats deep wide; do
    length=$("$bench" nullink copy "$message" 1)
    copy=$(each nullink copy "$message")
    for step in scan read write; do
        row="| $message | $length | $step |"
        for library in nullink serde_json core; do
            # It has no step that only checks, and does not decode escapes.
            case "$library $step $message" in
                core\ scan\ *|core\ read\ escaped*) row="$row |"; continue ;;
            esac
            count=$(($(each "$library" "$step" "$message") - copy))
            row="$row $(awk "BEGIN { printf \"%.2f\", $count / $length }") |"
        done
        echo "$row"
    done
done
