# SPDX-License-Identifier: MIT
"""usage: run.py FOLDER, with the environments that run.sh made in it.

Runs every comparison, prints the table, and fails where one fails, none was made, or an original is
not there.
"""
import pathlib
import subprocess
import sys

COMPARISONS = {"torch": ("pytorch_lstm", "pytorch_training"),
               "tensorflow": ("keras_lstm", "tensorflow_cells", "tensorflow_training"),
               "onnxruntime": ("onnxruntime_lstm",)}


class Table:
    def __init__(self):
        self.passed = self.failed = 0

    def count(self, ok):
        self.passed += ok
        self.failed += not ok
        return "ok" if ok else "FAILED"

    def print_original(self, name, version):
        print(f"\n{name + ' ' + version:63}   results  within gradients  within")

    def print_row(self, case, *numbers):
        """`numbers` are the two errors and their tolerances; "None" where there is no error."""
        pairs = [(float(error), float(within)) for error, within in
                 zip(numbers[:2], numbers[2:]) if error != "None"]
        cells = [f"{error:10.1e}{within:8.0e}" for error, within in pairs]
        ok = all(error <= within for error, within in pairs)
        print(f"  {case:60}{''.join(cells):36} {self.count(ok)}")

    def print_missing(self, feature, why):
        print(f"  no counterpart: {feature}: {why}")

    def print_failure(self, name, why):
        print(f"  {name}: {why} {self.count(False)}")

    def read(self, lines):
        """The lines of compare.py."""
        printers = {"original": self.print_original, "row": self.print_row,
                    "missing": self.print_missing, "failure": self.print_failure}
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            printers[kind](*fields)
            sys.stdout.flush()


def run(name, environment, table):
    if not (environment / "complete").exists():
        table.print_failure(name, f"{environment.name} could not be installed")
        return
    made = table.passed + table.failed
    script = pathlib.Path(__file__).with_name(name + ".py")
    log = environment.parent / (name + ".log")
    with subprocess.Popen([environment / "bin/python", script], stdout=subprocess.PIPE,
                          stderr=log.open("w"), text=True) as process:
        table.read(process.stdout)
    if process.returncode != 0:
        table.print_failure(name, f"ended with status {process.returncode}, see {log}")
    elif table.passed + table.failed == made:
        table.print_failure(name, "compared nothing")


def main():
    folder, table = pathlib.Path(sys.argv[1]), Table()
    for environment, names in COMPARISONS.items():
        for name in names:
            run(name, folder / environment, table)
    print(f"\n{table.passed} passed, {table.failed} failed")
    return table.failed > 0


if __name__ == "__main__":
    sys.exit(main())
