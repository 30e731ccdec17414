#!/bin/sh
# Runs inside a fresh mount namespace: mounts the job's folder at /opt/ml and becomes the program.
#   enter.sh FOLDER PROGRAM [ARGUMENT ...]
# Nothing of the host changes: where /opt/ml does not exist, an empty file system is laid over /opt in this namespace
# alone, and what /opt held is mounted back into it.
set -eu
fail() {
    echo "haliotis: cannot give the job its own /opt/ml: $1" >&2
    exit 125
}
ml=$1
shift
[ -d /opt ] || fail "the folder /opt does not exist on this machine; make it (mkdir /opt)"
if [ ! -d /opt/ml ]; then
    here=$(pwd)
    # From here the old /opt stays reachable by relative names after the new one covers it, and only so.
    cd /opt
    mount -t tmpfs -o mode=755 haliotis-opt /opt || fail "cannot lay a tmpfs over /opt"
    for entry in * .[!.]*; do
        if [ -L "$entry" ]; then
            cp -P "$entry" "/opt/$entry"
        elif [ -d "$entry" ]; then
            mkdir "/opt/$entry"
            mount --no-canonicalize --rbind "$entry" "/opt/$entry" || fail "cannot mount /opt/$entry"
        elif [ -f "$entry" ]; then
            : > "/opt/$entry"
            mount --no-canonicalize --bind "$entry" "/opt/$entry" || fail "cannot mount /opt/$entry"
        fi
    done
    mkdir /opt/ml
    cd "$here"
fi
mount --bind "$ml" /opt/ml || fail "cannot mount $ml at /opt/ml"
exec "$@"
