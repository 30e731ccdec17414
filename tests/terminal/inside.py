"""Runs a command in a terminal of its own and says what came: python3 inside.py SECONDS KEYS COMMAND...

KEYS are typed after SECONDS, when the command has not ended by itself; it is given ten more seconds then. Prints JSON:
`code`, `frames` (reads that brought something) and `text`. Standard library alone.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

seconds, keys, command = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
out, frames, typed = b"", 0, False
end = time.monotonic() + seconds
while True:
    now = time.monotonic()
    if now >= end:
        if typed or not keys:
            os.kill(pid, 9)
            break
        os.write(fd, keys.encode())
        typed, end = True, now + 10
    ready, _, _ = select.select([fd], [], [], 0.05)
    if not ready:
        continue
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    out += data
    frames += 1
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
print(json.dumps({"code": code, "frames": frames, "text": out.decode(errors="replace")}))
