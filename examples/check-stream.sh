#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh check-stream.sh COMMAND...
# A network that awk computes, and whose parameters it writes as docs/weights.md has it, must say
# the same in mlstm-stream; files and lines that do not fit must be refused. COMMAND is mlstm-stream,
# where it needs one under an emulator.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "$*" >&2
    exit 1
}

# refuse SENTENCE FILE LINE COMMAND...
refuse() {
    sentence=$1 file=$2 line=$3
    shift 3
    if printf '0.5\n%s\n' "$line" | "$@" "$file" >output 2>error ||
        ! grep -q "$sentence" error; then
        cat error
        fail "$file, \"$line\": not refused with \"$sentence\""
    fi
}

# The parameters are some of eight numbers, whose float32 are two bytes of 0 and these, in octal.
awk '
BEGIN {
    H = 8; O = 2
    split("0.25 -0.5 0.375 1 -0.125 0.5 -0.375 0.0625", numbers)
    split("200\\076 000\\277 300\\076 200\\077 000\\276 000\\077 300\\276 200\\075", bytes)
    write("layer0.kernel", 1 + H, 4 * H); write("layer0.bias", 4 * H, 1)
    write("layer1.kernel", H + H, 4 * H); write("layer1.bias", 4 * H, 1)
    write("readout.kernel_h", H, O); write("readout.bias", O, 1)
    for (step = 0; step < 40; step++) {
        x[0] = step * 7 % 11 / 8 - 0.5
        print x[0] >"inputs"
        layer(0, x, 1)
        for (u = 0; u < H; u++) below[u] = h[0, u]
        layer(1, below, H)
        for (o = 0; o < O; o++) {
            y[o] = value["readout.bias", o]
            for (u = 0; u < H; u++) y[o] += h[1, u] * value["readout.kernel_h", u * O + o]
        }
        p = sigmoid(y[1] - y[0]) # softmax of two
        printf "%.9g %.9g\n", 1 - p, p >"expected"
    }
}

function write(name, rows, columns,    k, n) {
    printf "value %s %d %d\\n", name, rows, columns >"format"
    for (k = 0; k < rows * columns; k++) {
        n = k * (k + length(name)) % 37 % 8 + 1
        value[name, k] = numbers[n]
        printf "\\000\\000\\%s", bytes[n] >"format"
    }
}

function sigmoid(v) { return 1 / (1 + exp(-v)) }
function tanh(v) { return 2 * sigmoid(2 * v) - 1 }

# Gates i, j, f, o, and 1 added to f (cell.h).
function layer(l, x, inputs,    u, g, r, sum, before) {
    for (u = 0; u < H; u++) before[u] = h[l, u]
    for (u = 0; u < H; u++) {
        for (g = 0; g < 4; g++) {
            sum[g] = value["layer" l ".bias", g * H + u]
            for (r = 0; r < inputs + H; r++)
                sum[g] += (r < inputs ? x[r] : before[r - inputs]) \
                    * value["layer" l ".kernel", (r * 4 + g) * H + u]
        }
        c[l, u] = sigmoid(sum[2] + 1) * c[l, u] + sigmoid(sum[0]) * tanh(sum[1])
        h[l, u] = sigmoid(sum[3]) * tanh(c[l, u])
    }
}'
printf "$(cat format)" >params
"$@" params <inputs >got
paste -d ' ' expected got | awk '
function off(a, b) { return (a > b ? a - b : b - a) > 1e-6 }
NF != 4 || off($1, $3) || off($2, $4) { print "step " NR ": " $0; bad = 1 }
$1 != first { different++; first = $1 }
END { exit bad || NR != 40 || different < 40 }' || fail "other numbers than these"

# What a checkpoint has after its parameters is of no matter.
(cat params && echo "updates 7 rate 0x1p-1") >checkpoint
"$@" checkpoint <inputs | cmp - got

printf '0.5\r\n\t-0.5 \n' | "$@" params >/dev/null
refuse 'not 1 numbers: one' params one "$@"
refuse 'not 1 numbers: $' params '' "$@"
refuse 'more than 1 numbers: 1 2' params '1 2' "$@"
size=$(wc -c <params)
head -c "$((size - 1))" params >short
refuse 'ends in the numbers of "value readout.bias 2 1"' short 1 "$@"
sed 's/layer1.bias/layer1.bais/' params >wrong
refuse 'does not go on with "value layer1.bias 32 1"' wrong 1 "$@"
refuse 'missing: No such file' missing 1 "$@"
