"""Where the time goes: `make profile`, or `make profile TASKS=50000 BROKER=embedded`.

Publishes, works off and collects tasks that do nothing: first plainly, for rates and CPU time, then each command under
cProfile, for the functions that cost most by themselves. It sees the publisher's, the supervisor's and the collector's
process, not the children, and makes many small calls look dearer than they are.
"""

from __future__ import annotations

import argparse
import pstats
from contextlib import ExitStack
from pathlib import Path

from benchmarks import marks
from benchmarks.run import broker
from benchmarks.stage import Place, Ran

COMMANDS = {
    "publish": ("tasks.jsonl",),
    "work": ("--drain", "--processes", "2"),
    "results": ("-o", "results.jsonl"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiling", description=__doc__)
    parser.add_argument("--tasks", type=int, default=50_000)
    parser.add_argument("--broker", choices=("rabbitmq", "embedded"), default="rabbitmq")
    parser.add_argument("--top", type=int, default=25, help="how many functions")
    options = parser.parse_args()
    with ExitStack() as stack:
        place = stack.enter_context(Place(broker(stack), Path(), options.tasks))
        if options.broker == "embedded":
            place.use_embedded()
        place.write_tasks()
        commands = {
            verb: (place.app("noop"), *words) if verb == "work" else words for verb, words in COMMANDS.items()
        }
        for verb, words in commands.items():
            sanitize(place, verb, place.warrener(verb, *words))
        place.warrener("delete", "--yes")
        for verb, words in commands.items():
            place.new_marks()
            ran = place.run(place.python, "-m", "cProfile", "-o", verb, "-m", "warrener", verb, *words)
            print("\nunder the profiler, ", end="")
            sanitize(place, verb, ran)
            pstats.Stats(str(place.directory / verb)).strip_dirs().sort_stats("tottime").print_stats(
                options.top
            )


def sanitize(place: Place, verb: str, ran: Ran) -> None:
    seconds = marks.seen(place.marks).seconds if verb == "work" else ran.seconds
    rate, cpu = place.tasks / seconds, ran.cpu / place.tasks * 1e6
    print(f"{verb}: {rate:,.0f} tasks/s; {cpu:.0f} us of CPU for each, start and children included")


if __name__ == "__main__":
    main()
