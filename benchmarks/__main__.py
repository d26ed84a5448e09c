"""``python -m benchmarks``: measures, and says what came of it."""

from __future__ import annotations

import argparse

from benchmarks import endpoints
from benchmarks.peers import PEERS
from benchmarks.profiles import PROFILES
from benchmarks.results import summarise
from benchmarks.runner import Plan, run
from benchmarks.workloads import BY_NAME


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--profile", action="append", choices=PROFILES)
    parser.add_argument("--peer", action="append", choices=PEERS)
    parser.add_argument("--workload", action="append", choices=BY_NAME)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    folder = endpoints.simulator_folder()
    for name in args.profile or ["lan"]:
        with endpoints.simulator(folder) if folder else endpoints.moto() as endpoint:
            plan = Plan(PROFILES[name], args.peer or list(PEERS), args.workload or list(BY_NAME), args.rounds)
            for workload, peers in summarise(run(plan, endpoint)).items():
                print(
                    workload,
                    *(f"{peer} {record.failure or round(record.seconds, 3)}" for peer, record in peers.items()),
                    sep=" | ",
                )


main()
