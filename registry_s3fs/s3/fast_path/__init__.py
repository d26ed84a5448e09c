"""The fast path: small and ranged requests without boto3's machinery.

Only the plain response is accepted. All else is left to boto3.
"""
