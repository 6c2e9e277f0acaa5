# Sourced by the other scripts: makes sure that the machine has what netlab needs, and says what it does.
# Costs a few file tests when there is nothing to do. Sets ROOT, VENV and PYTHON.
#
#   setup_system [PROGRAM:PACKAGE...]   system packages, by apt (needs root)
#   setup_old_kubectl                   kubectl 1.20 beside the environment's python, where apt has it; nothing is installed
#   setup_venv [EXTRA...]               the virtual environment with the pinned dependencies (+ pyproject.toml's extras)

ROOT=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)
VENV=${NETLAB_VENV:-$ROOT/.venv}
PYTHON=$VENV/bin/python
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf 'netlab: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

setup_system() {
    need=
    command -v iptables-legacy >/dev/null || need="$need iptables"
    command -v nft  >/dev/null || need="$need nftables"
    command -v ip   >/dev/null || need="$need iproute2"
    command -v curl >/dev/null || need="$need curl"
    command -v dig  >/dev/null || need="$need bind9-dnsutils"
    command -v ping >/dev/null || need="$need iputils-ping"
    command -v openssl >/dev/null || need="$need openssl"
    for pair in "$@"; do command -v "${pair%%:*}" >/dev/null || need="$need ${pair#*:}"; done
    # python-iptables is built here: a compiler, libc's and Python's headers; venv for the environment itself.
    if [ ! -e "$VENV/.ready" ] && [ -z "${NETLAB_PYTHON:-}" ]; then
        command -v gcc >/dev/null || need="$need gcc"
        [ -e /usr/include/stdlib.h ] || need="$need libc6-dev"
        for p in python3-venv python3-dev; do
            [ "$(dpkg-query -W -f '${db:Status-Status}' $p 2>/dev/null)" = installed ] || need="$need $p"
        done
    fi
    [ -n "$need" ] || return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing:$need. Run this command with sudo, or: apt-get install$need"
    command -v apt-get >/dev/null || die "these packages are missing:$need, and this machine has no apt-get. Install them by hand."
    say "installing system packages:$need"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { apt-get install -qq -y --no-install-recommends $need || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $need; }; } >"$log" 2>&1 </dev/null
    then
        tail -n 15 "$log" >&2; rm -f "$log"
        die "apt-get could not install:$need (its last words are above). Try: apt-get update; apt-get install$need"
    fi
    rm -f "$log"
}

find_python() {
    for p in "${NETLAB_PYTHON:-}" /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        [ -n "$p" ] && command -v "$p" >/dev/null && "$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$p"; return 0; }
    done
    return 1
}

setup_venv() {
    mark=$VENV/.ready
    fresh=
    [ -e "$mark" ] && [ ! "$ROOT/pyproject.toml" -nt "$mark" ] || fresh=1
    for extra in "$@"; do [ -e "$mark-$extra" ] && [ ! "$ROOT/pyproject.toml" -nt "$mark-$extra" ] || fresh=1; done
    [ -n "$fresh" ] || return 0
    base=$(find_python) || die "Python 3.11 or newer is needed, and none was found. Set NETLAB_PYTHON to one."
    if [ ! -x "$PYTHON" ]; then
        say "creating the virtual environment $VENV ($("$base" --version))"
        "$base" -m venv "$VENV" || die "$base -m venv failed. Try: apt-get install python3-venv"
    fi
    say "installing the pinned Python packages${*:+ (with: $*)}"
    list=$("$base" - "$ROOT/pyproject.toml" "$@" <<'PY'
import sys, tomllib
p = tomllib.load(open(sys.argv[1], "rb"))["project"]
print(*p["dependencies"], *(d for e in sys.argv[2:] for d in p["optional-dependencies"][e]))
PY
    ) || die "pyproject.toml cannot be read"
    # shellcheck disable=SC2086
    "$PYTHON" -m pip install -q --disable-pip-version-check --use-pep517 $list >&2 || die "pip could not install: $list"
    touch "$mark"
    for extra in "$@"; do touch "$mark-$extra"; done
}

setup_old_kubectl() {
    old=$VENV/bin/kubectl.1.20
    none=$VENV/.no-kubectl-1.20
    if [ -x "$old" ] || [ -e "$none" ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then return 0; fi
    dir=$(mktemp -d)
    get_old_kubectl() { (cd "$dir" && apt-get -qq download kubernetes-client) >/dev/null 2>&1 </dev/null; }
    get_old_kubectl || { [ "$(id -u)" = 0 ] && apt-get update -qq >/dev/null 2>&1 </dev/null && get_old_kubectl; } || true
    for deb in "$dir"/*.deb; do
        [ -e "$deb" ] && dpkg-deb -x "$deb" "$dir" || continue
        case $("$dir/usr/bin/kubectl" version --client 2>/dev/null) in
            *v1.20.*) say "unpacking kubectl 1.20 into $VENV for its tests"; cp "$dir/usr/bin/kubectl" "$old" ;;
        esac
    done
    rm -rf "$dir"
    [ -x "$old" ] || : >"$none"
}
