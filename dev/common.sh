# What the scripts in dev/ share: messages, elapsed times, the place of the cache. Sourced, not run.
# shellcheck shell=bash

# Prints a line for people. Standard output belongs to results.
say() { printf '%s\n' "$*" >&2; }

# Ends the script, saying what is wrong and what to do about it.
die() {
    say "error: $*"
    exit 1
}

# Prints seconds as people say them: `7 s`, `3 min 05 s`.
elapsed() {
    if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}

# Where builds are kept: outside the checkout, so that a fresh clone does not build them again.
cache_dir() { printf '%s\n' "${NSM_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set: set NSM_CACHE}/.cache}/namespace-manager}"; }

# Waits for process $1 and tells how it goes: `$2: <what function $3 prints>, <elapsed>`. Returns the exit code of the process.
# A terminal sees one line that changes every second, a log sees a line every ten seconds.
follow() {
    local pid=$1 what=$2 status=$3 began=$SECONDS every=10 start='' end=$'\n' next code=0
    if [[ -t 2 ]]; then every=1 start=$'\r\e[K' end=''; fi
    next=$((SECONDS + every))
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS >= next)); then
            printf '%s%s: %s, %s%s' "$start" "$what" "$("$status")" "$(elapsed $((SECONDS - began)))" "$end" >&2
            next=$((SECONDS + every))
        fi
    done
    printf '%s' "$start" >&2
    wait "$pid" || code=$?
    return "$code"
}

# What the tests and the programs under test are built with.
test_features=(--features cli/test-timings)

# How many tests of the profile `wall` run at a time: they wait most of the time.
wall_threads() { printf '%d\n' $((4 * $(nproc))); }

# Prints the filter of cargo-nextest for the tests whose names contain one of these.
named() {
    local names
    names=$(printf ' | test(%s)' "$@")
    printf '%s\n' "${names# | }"
}

# Runs the tests of a profile of .config/nextest.toml: `run_tests PROFILE THREADS ARGUMENT…`.
run_tests() {
    local profile=$1 threads=$2
    shift 2
    cargo nextest run --workspace --locked "${test_features[@]}" --profile "$profile" --test-threads "$threads" "$@"
}

# Lets every cargo command that follows build for this machine alone, and link statically: what the tests run is then what is put into
# images, which hold nothing but the program, and one build serves both. Only what runs while building (macros) is left as it is, by
# naming the target. Where the C library is another, nothing is changed.
build_static() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    if [[ $host == *-linux-gnu ]]; then
        export CARGO_BUILD_TARGET=$host
        # Once: other flags would build everything anew.
        if [[ ${RUSTFLAGS:-} != *+crt-static* ]]; then export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"; fi
    fi
}
