"""How much is measured, over what network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from benchmarks.data import KIB, MIB

MOTO = "That server is slower than any client: these ratios are its own, not the clients'"
"""What is to be said of every result from there."""


@dataclass(frozen=True)
class Sizes:
    """Bytes and counts of the workloads."""

    large_bytes: int
    """Of the object that is streamed, read whole, fetched and stored."""
    copy_bytes: int
    """Of the object that is copied in the server."""
    reads: int
    """Random reads through one open file."""
    ranges: int
    """Ranges of one `cat_ranges`."""
    small: int
    """Small objects: read, stored and deleted side by side."""
    lookups: int
    """Files looked at one by one."""
    flat: int
    """Keys of one folder."""
    tree: int
    """Keys of a registry, ten an image."""
    repositories: int
    """Repositories that are walked."""

    many: int = 50
    """Files that are fetched and stored together."""
    many_bytes: int = 8 * MIB
    mixed: int = 2_000
    """Files of mixed sizes, by `data.mixed_sizes`."""
    mixed_largest_bytes: int = 64 * MIB
    two_bytes: int = 128 * MIB
    """Of each of two objects that are read together."""
    read_bytes: int = 64 * KIB
    range_bytes: int = 128 * KIB
    small_bytes: int = 16 * KIB


@dataclass(frozen=True)
class Profile:
    """A network, and the sizes that suit it."""

    name: str
    title: str
    sizes: Sizes
    knobs: Mapping[str, float] = field(default_factory=dict)
    """Of the simulator, while something is measured: milliseconds before an answer, MB/s of a connection."""
    is_tls: bool = False
    """Whether the simulator speaks https, with a certificate that each peer is told to trust."""

    def over_tls(self) -> Profile:
        """The same over https."""
        return replace(self, name=f"{self.name}-tls", title=f"https, {self.title}", is_tls=True)


_TLS_KNOBS = {"latencyMs": 10, "bandwidthMBps": 200}
"""What a client in S3's region meets."""

_NETWORK = "{latencyMs} ms before each answer, {bandwidthMBps} MB/s a connection"

TLS = Profile(
    name="tls",
    title=f"https, {_NETWORK.format(**_TLS_KNOBS)}",
    sizes=Sizes(
        large_bytes=256 * MIB, copy_bytes=512 * MIB, reads=100, ranges=200, small=1_000,
        lookups=100, flat=20_000, tree=100_000, repositories=100,
    ),
    knobs=_TLS_KNOBS,
    is_tls=True,
)  # fmt: skip

LAN = Profile(
    name="lan",
    title="no latency, no limit to bandwidth",
    sizes=Sizes(
        large_bytes=512 * MIB, copy_bytes=512 * MIB, reads=500, ranges=200, small=1_000,
        lookups=500, flat=20_000, tree=100_000, repositories=500,
    ),
)  # fmt: skip

_WAN_KNOBS = {"latencyMs": 30, "bandwidthMBps": 90}
"""What a client far from S3 meets, and what S3 gives to one connection."""

WAN = Profile(
    name="wan",
    title=_NETWORK.format(**_WAN_KNOBS),
    sizes=Sizes(
        large_bytes=256 * MIB, copy_bytes=512 * MIB, reads=60, ranges=200, small=1_000,
        lookups=60, flat=20_000, tree=100_000, repositories=60,
    ),
    knobs=_WAN_KNOBS,
)  # fmt: skip

QUICK = Profile(
    name="quick",
    title="small sizes, which only prove that everything works",
    sizes=Sizes(
        large_bytes=34 * MIB, copy_bytes=34 * MIB, reads=20, ranges=20, small=50,
        lookups=20, flat=200, tree=500, repositories=25,
        many=4, many_bytes=9 * MIB, mixed=40, mixed_largest_bytes=9 * MIB, two_bytes=9 * MIB,
    ),
)  # fmt: skip

MEASURED = (TLS, LAN, WAN, WAN.over_tls())
"""What is measured by default, in the order of the page."""

PROFILES = {profile.name: profile for profile in (*MEASURED, QUICK)}
