"""The program that stands over a broker's process, so that no broker outlives the tests that started it.

    guard.py FOLDER COMMAND...      run COMMAND, write its process id to standard output, wait

Standard input is a pipe from the starter. The letter `s` on it asks to freeze the command, and is answered by a line
once all of it stands still; `k` asks for a kill that keeps FOLDER; its end, however the starter came to its own, kills
the command and deletes FOLDER. Exits with the command's exit code.
Owns the process and its end. Must never import the product: it is run as a file, by any interpreter.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading


def _obey(child: subprocess.Popen[bytes], orders: list[bytes]) -> None:
    # os.read, not sys.stdin: a thread inside a buffered reader would trip the interpreter's shutdown.
    while (order := os.read(0, 1)) == b"s":
        os.kill(child.pid, signal.SIGSTOP)
        # The signal alone stops a process of many threads some time later.
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        os.write(1, b"s\n")
    orders.append(order)
    child.kill()


def main(folder: str, command: list[str]) -> None:
    """Run the command until it ends, or until the starter says so or is gone."""
    child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=2)  # noqa: S603 - our starter's words
    os.write(1, b"%d\n" % child.pid)
    orders: list[bytes] = []
    threading.Thread(target=_obey, args=(child, orders), daemon=True).start()
    code = child.wait()
    if orders == [b""]:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
