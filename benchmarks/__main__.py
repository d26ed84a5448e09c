"""``python -m benchmarks``: measures, and says what came of it.

With the simulator (`S3SIM` names its folder) and nothing left out, the results are also written down, for each
profile: benchmarks/results.json, docs/performance.md and a picture. Otherwise they are only printed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import baseline, endpoints, report, results, runner
from benchmarks.baseline import Baseline
from benchmarks.peers import OURS, PEERS
from benchmarks.peers.base import Access
from benchmarks.profiles import LAN, MEASURED, MOTO, PROFILES, QUICK, Profile
from benchmarks.results import Results
from benchmarks.surroundings import about
from benchmarks.workloads import BY_NAME

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "performance.md"


def main() -> None:
    """Measure each profile, print its report, write it down where it is complete."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # local files are deleted, as at ctrl-C
    args = _arguments()
    folder = endpoints.simulator_folder()
    is_complete = bool(folder) and not (args.endpoint or args.peer or args.workload or args.baseline or args.tls)
    earlier = _baseline(args.baseline) if args.baseline else None
    for profile in _profiles(args, folder):
        plan = runner.Plan(profile, chosen_peers(args, earlier), args.workload or list(BY_NAME), args.rounds, earlier)
        measured = measure(plan, _endpoint(args, folder, profile))
        print(report.report(measured), flush=True)
        if args.json:
            results.save(args.json, measured)
        if is_complete and profile.name != QUICK.name:
            results.save(RESULTS, measured)
            write_page(results.load(RESULTS))


def measure(plan: runner.Plan, server: AbstractContextManager[endpoints.Endpoint]) -> Results:
    """All records of a plan, and what they need to be understood."""
    distributions = [name for peer in plan.peers if peer in PEERS for name in PEERS[peer].distributions]
    surroundings = about("benchmarks", distributions) | {"rounds": f"{plan.rounds}, of which the median is shown"}
    if plan.baseline:
        surroundings["baseline"] = baseline.describe(plan.baseline)
    titles = {name: BY_NAME[name].title(plan.profile.sizes) for name in plan.workloads}
    moved = {name: BY_NAME[name].bytes_moved(plan.profile.sizes) for name in plan.workloads}
    with server as endpoint:
        records = runner.run(plan, endpoint)
    return Results(plan.profile.name, plan.profile.title, titles, surroundings, records, moved)


def write_page(measured: list[Results]) -> None:
    """The tables and pictures of docs/performance.md."""
    from benchmarks.plot import plot

    order = [profile.name for profile in MEASURED]
    measured = sorted(measured, key=lambda each: order.index(each.profile))
    for each in measured:
        plot(each, PAGE.with_name(picture(each)))
    PAGE.write_text(report.inserted(PAGE.read_text(encoding="utf-8"), tables(measured)), encoding="utf-8")


def tables(measured: list[Results]) -> str:
    """What stands between the markers of the page."""
    return "\n\n".join(report.report(each, picture(each)) for each in measured)


def picture(measured: Results) -> str:
    """The file name of a profile's picture, beside the page."""
    return f"performance-{measured.profile}.png"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--profile", action="append", choices=PROFILES, help="default: tls, lan, wan and wan-tls, or quick"
    )
    parser.add_argument("--peer", action="append", choices=PEERS, help="again for more; default: all")
    parser.add_argument("--workload", action="append", choices=BY_NAME, help="again for more; default: all")
    parser.add_argument(
        "--baseline", metavar="COMMIT", help="of this repository: a further peer, which ours is compared with"
    )
    parser.add_argument("--tls", action="store_true", help="the simulator speaks https, whatever the profile")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="a file for the results, too")
    parser.add_argument("--endpoint", help="URL of an S3 server, instead of the simulator or moto's")
    parser.add_argument("--bucket", help="there; the benchmark's keys have a prefix and are deleted at the end")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-east-1"), help="default: %(default)s")
    parser.add_argument("--accesskey", default=os.environ.get("AWS_ACCESS_KEY_ID"), help="or AWS_ACCESS_KEY_ID")
    parser.add_argument("--secretkey", default=os.environ.get("AWS_SECRET_ACCESS_KEY"), help="or AWS_SECRET_ACCESS_KEY")
    args = parser.parse_args()
    if args.endpoint and not (args.bucket and args.accesskey and args.secretkey):
        parser.error("--endpoint needs --bucket, --accesskey and --secretkey")
    if args.tls and (args.endpoint or not endpoints.simulator_folder()):
        parser.error("--tls is of the simulator, whose folder S3SIM names; an --endpoint says https itself")
    return args


def _baseline(commit: str) -> Baseline:
    try:
        return baseline.prepare(commit)
    except baseline.BaselineError as error:
        sys.exit(f"--baseline {commit}: {error}")


def chosen_peers(args: argparse.Namespace, earlier: Baseline | None) -> list[str]:
    """Those asked for; an earlier commit stands beside ours, whoever else is asked for."""
    asked = args.peer or list(PEERS)
    return [OURS, earlier.name, *(name for name in asked if name != OURS)] if earlier else asked


def _profiles(args: argparse.Namespace, folder: Path | None) -> Sequence[Profile]:
    """Those asked for. A network that cannot be had is not claimed: without the simulator they are only sizes."""
    if args.endpoint:
        return [_only_sizes(name, f"on {args.endpoint}") for name in args.profile or [LAN.name]]
    if not folder:
        return [_only_sizes(name, f"on moto's server. {MOTO}") for name in args.profile or [QUICK.name]]
    found = [PROFILES[name] for name in args.profile] if args.profile else MEASURED
    return [each.over_tls() if args.tls and not each.is_tls else each for each in found]


def _only_sizes(name: str, where: str) -> Profile:
    return Profile(name=f"{name} sizes", title=where, sizes=PROFILES[name].sizes)


def _endpoint(
    args: argparse.Namespace, folder: Path | None, profile: Profile
) -> AbstractContextManager[endpoints.Endpoint]:
    if args.endpoint:
        return endpoints.other(Access(args.endpoint, args.bucket, args.region, args.accesskey, args.secretkey))
    if profile.is_tls and folder:
        return endpoints.simulator_over_tls(folder)
    return endpoints.simulator(folder) if folder else endpoints.moto()


if __name__ == "__main__":
    main()
