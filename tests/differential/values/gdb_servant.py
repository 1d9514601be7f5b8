"""A GDB that runs gdb_stops.py, and the pipes to it."""

import json
import os
import subprocess

import harness

HERE = os.path.dirname(os.path.realpath(__file__))


class Gdb:
    """The servant of gdb_stops.py."""

    def __init__(self, program):
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        script = (f"ORDERS = {orders}; ANSWERS = {answers}; "
                  f"exec(open({os.path.join(HERE, 'gdb_stops.py')!r}).read())")
        self.process = harness.popen(["gdb", "-nx", "-batch", program, "-ex", f"python {script}"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, pass_fds=(orders, answers))
        os.close(orders)
        os.close(answers)
        self._lines = os.fdopen(self._answers)

    def ask(self, **order):
        os.write(self._orders, (json.dumps(order) + "\n").encode())

    def answer(self):
        return json.loads(self._lines.readline() or '"GDB ended"')

    def stop(self):
        harness.end(self.process)
        os.close(self._orders)
        self._lines.close()
