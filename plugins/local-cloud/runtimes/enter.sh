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
    kept="$ml.opt"
    mkdir -p "$kept" || fail "cannot make $kept"
    mount --rbind /opt "$kept" || fail "cannot mount $kept"
    mount -t tmpfs -o mode=755 haliotis-opt /opt || fail "cannot lay a tmpfs over /opt"
    for entry in "$kept"/* "$kept"/.[!.]*; do
        name=/opt/${entry##*/}
        if [ -L "$entry" ]; then
            cp -P "$entry" "$name"
        elif [ -d "$entry" ]; then
            mkdir "$name" && mount --rbind "$entry" "$name" || fail "cannot mount $name"
        elif [ -f "$entry" ]; then
            : > "$name" && mount --bind "$entry" "$name" || fail "cannot mount $name"
        fi
    done
    mkdir /opt/ml
fi
mount --bind "$ml" /opt/ml || fail "cannot mount $ml at /opt/ml"
exec "$@"
