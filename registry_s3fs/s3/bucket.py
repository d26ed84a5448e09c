"""The class with one method for each S3 operation that is used, and the location of one object in it.

The methods take keys and return the types of `model.objects`. Every request of the package is sent from here.
"""

from __future__ import annotations

from typing import NamedTuple

from registry_s3fs.s3.reads import Reads


class ObjectLocation(NamedTuple):
    """The bucket and the key of one object, which need not exist."""

    bucket: Bucket
    key: str

    @property
    def path(self) -> str:
        """Return the path by which an error names the object."""
        return self.bucket.path(self.key)


class Bucket(Reads):
    """The operations on one bucket under one rootdirectory.

    They raise what `errors` describes. Threads may share an instance.
    """

    def presign(self, key: str, operation: str, seconds: int, **request: object) -> str:
        """Return a URL that anyone may use for so many seconds.

        The URL is made without a request.
        """
        with self._translated(key):
            client = self._s3.presigning_client
            known = client.meta.method_to_api_mapping.get(operation)  # of others botocore says that they are none
            shape = client.meta.service_model.operation_model(known).input_shape if known else None
            fields = shape.members if shape else request
            for field in request:
                if field not in fields:
                    raise TypeError(f"{field!r} is no keyword argument here, nor a field of {known}")
            url = client.generate_presigned_url(operation, {**self._name, "Key": key, **request}, ExpiresIn=seconds)
        return str(url)
