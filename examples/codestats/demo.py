"""Runs `app.py` over every Python file of the standard library: `python demo.py DIRECTORY`."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

QUEUE = "codestats"
URGENT = 100
WARRENER = [sys.executable, "-m", "warrener"]


def main() -> int:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    tasks, results = directory / "tasks.jsonl", directory / "results.jsonl"
    count = write_tasks(tasks)
    print(f"{count} files of the standard library, one task each: {tasks}", flush=True)
    subprocess.run([*WARRENER, "delete", "--yes", "--queue", QUEUE], check=True, stderr=subprocess.DEVNULL)
    app = Path(__file__).with_name("app.py")
    run = subprocess.run(
        [*WARRENER, "run", str(app), str(tasks), "-o", str(results), "--queue", QUEUE], check=False
    )
    some_failed = 1  # as expected: some of the library's own test files do not parse
    if run.returncode not in (0, some_failed):
        return run.returncode
    print("\nThe ten most complex files:")
    rows = [json.loads(line)["value"] for line in results.read_text().splitlines()]
    for value in sorted(rows, key=lambda value: -value["complexity"])[:10]:
        print(f"{value['complexity']:>8} paths {value['lines']:>8} lines  {value['file']}")
    return 0


def write_tasks(target: Path) -> int:
    """One task per file; the hundred biggest files are urgent."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [path for path in library.rglob("*.py") if "site-packages" not in path.parts]
    files.sort(key=lambda path: -path.stat().st_size)
    with target.open("w") as lines:
        for rank, path in enumerate(files):
            kind, priority = ("urgent", 9) if rank < URGENT else ("normal", 5)
            task = {
                "id": str(path.relative_to(library)),
                "type": kind,
                "data": {"file": str(path)},
                "priority": priority,
            }
            lines.write(json.dumps(task) + "\n")
    return len(files)


if __name__ == "__main__":
    sys.exit(main())
