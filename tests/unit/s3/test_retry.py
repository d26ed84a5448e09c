"""The fast path and boto3 share one budget of attempts."""

from __future__ import annotations

import inspect
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from botocore.retries import standard

from registry_s3fs import DriverParameters
from registry_s3fs.s3 import retry
from registry_s3fs.s3.client import s3_client


def client(**retries: Any) -> Any:
    options = {"bucket": "demo", "region": "eu-west-1", "accesskey": "A", "secretkey": "S"}
    return s3_client(
        DriverParameters.from_mapping({**options, "config_kwargs": {"retries": retries} if retries else {}})
    )


@pytest.mark.parametrize(
    ("retries", "allowed"),
    [
        ({}, 4),
        ({"total_max_attempts": 2}, 2),
        ({"max_attempts": 2}, 3),
        ({"mode": "adaptive"}, 3),
        ({"mode": "legacy"}, 5),
    ],
)
def test_attempts_are_those_of_the_sdks_setting(retries: dict[str, Any], allowed: int) -> None:
    """In each of its forms."""
    assert retry.tries_allowed(client(**retries)) == allowed


ERROR = {"Error": {"Code": "SlowDown", "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 503}}


def test_a_call_ends_when_its_budget_is_spent() -> None:
    """boto3 counts its own attempts alone, and would go on: its exception, or S3's error, is raised instead."""
    end = retry.limiting_tries(client(total_max_attempts=3))
    operation = client().meta.service_model.operation_model("GetObject")
    broken = ConnectionError("broken")
    retry.begin_request()
    end(caught_exception=broken, attempts=3, operation=operation)
    retry.spend_attempt()
    end(caught_exception=broken, attempts=1, operation=operation)
    end(response=(None, {}), attempts=2, operation=operation)
    with pytest.raises(ConnectionError) as raised:
        end(caught_exception=broken, attempts=2, operation=operation)
    assert raised.value is broken
    with pytest.raises(ClientError, match="SlowDown") as refused:
        end(response=(None, ERROR), attempts=2, operation=operation)
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 2
    retry.begin_request()
    end(caught_exception=broken, attempts=2, operation=operation)


def test_what_was_damaged_on_its_way_is_sent_again_within_the_budget() -> None:
    """botocore would not."""
    again = retry.repeating_damaged(client(total_max_attempts=2))
    damaged = (None, {"Error": {"Code": "BadDigest"}})
    assert [again(response=damaged, attempts=number) for number in (1, 2)] == [0.0, None]
    assert again(response=(None, ERROR), attempts=1) is None


def test_the_pauses_are_those_of_the_sdks_standard_mode() -> None:
    """One of up to so many seconds comes before each attempt but the first, whoever sends the requests.

    Since 1.44 botocore's are shorter where the server is not busy.
    """
    detector = mock.Mock(**{"is_throttling_error_from_context.return_value": True})
    is_told_of_throttling = "throttling_detector" in inspect.signature(standard.ExponentialBackoff).parameters
    options = {"throttling_detector": detector} if is_told_of_throttling else {}
    longest = standard.ExponentialBackoff(random=lambda: 1.0, **options)
    contexts = [mock.Mock(attempt_number=number, http_response=None) for number in range(1, retry.TOTAL_MAX_ATTEMPTS)]
    assert tuple(map(longest.delay_amount, contexts)) == retry.LONGEST_PAUSES_S
