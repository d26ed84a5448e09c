"""What is left to boto3 of many requests."""

from __future__ import annotations

import pytest

from registry_s3fs.s3.fast_path.call import Call
from registry_s3fs.s3.fast_path.engine import Exchange
from registry_s3fs.s3.many_requests import for_boto3
from registry_s3fs.threads.pool import Pool


@pytest.mark.parametrize(("is_unreachable", "most", "count"), [(True, 8, 8), (True, 0, 2), (False, 8, 2)])
def test_where_the_server_is_gone_as_many_are_tried_as_may_be_in_flight(
    is_unreachable: bool, most: int, count: int
) -> None:
    """Few were begun before that was known. Where the server answers, those alone that were left are tried."""
    call: Call[str] = Call("ListObjectsV2", "", Exchange("GET", bytes), "begun")
    call.is_unreachable = is_unreachable
    assert len(list(for_boto3([("begun", call), ("left", None)], lambda: "due", most))) == count


def test_where_nothing_is_left_boto3_has_all_that_is_due() -> None:
    """Until nothing is."""
    due = ["b", "a"]
    assert list(for_boto3([], lambda: due.pop() if due else None, 0)) == [("a", None), ("b", None)]


def test_a_worker_does_in_place_what_it_hands_in() -> None:
    """And the thread that it works for does not."""
    pool = Pool(2)
    assert (pool.is_in_place, pool.submit(lambda: pool.is_in_place).result()) == (False, True)
