"""The names by which users of s3fs, obstore, boto3 and pyarrow know our parameters. Pure.

Names that look alike would mislead. s3fs's `key` looks like `keyid`, and is an access key.
"""

from __future__ import annotations

_SAME = {
    "accesskey": "key username access_key access_key_id accesskeyid aws_access_key_id aws_access_key user",
    "secretkey": "secret password secret_key secret_access_key aws_secret_access_key aws_secret_key passwd",
    "sessiontoken": "token session_token aws_session_token security_token aws_security_token",
    "region": "region_name aws_region default_region aws_default_region location",
    "regionendpoint": "endpoint_url endpoint endpoint_override aws_endpoint aws_endpoint_url host url",
    "secure": "use_ssl ssl scheme tls",
    "skipverify": "verify verify_ssl allow_invalid_certificates ssl_verify",
    "v4auth": "signature_version",
    "bucket": "bucket_name aws_bucket aws_bucket_name container",
    "rootdirectory": "prefix root root_directory base_path",
    "chunksize": "default_block_size block_size blocksize multipart_chunksize part_size",
    "forcepathstyle": "addressing_style virtual_hosted_style_request force_virtual_addressing path_style",
    "encrypt": "server_side_encryption serversideencryption sse",
    "keyid": "kms_key_id ssekmskeyid sse_kms_key_id aws_sse_kms_key_id",
    "storageclass": "storage_class",
    "objectacl": "acl canned_acl",
    "useragent": "user_agent user_agent_extra",
    "usedualstack": "use_dualstack_endpoint",
    "usefipsendpoint": "use_fips_endpoint",
    "anon": "anonymous skip_signature unsigned",
    "profile": "profile_name aws_profile",
    "max_concurrency": "max_pool_connections max_connections concurrency batch_size max_workers",
    "requester_pays": "request_payer requestpayer",
}
"""A mapping from each of our names to what others call it."""
_SENTENCES = {
    "client_kwargs": "what it held are options of their own here: region_name is region, endpoint_url is "
    "regionendpoint, verify=False is skipverify=True",
    "s3_additional_kwargs": "what it held are options of their own here: ServerSideEncryption is encrypt, SSEKMSKeyId "
    "is keyid, StorageClass is storageclass, ACL is objectacl",
    "version_aware": "leave it out: version_id= names a version in each call, and object_version_info lists them",
    "cache_regions": "leave it out: the bucket's region is region",
    "session": "leave it out: boto3.setup_default_session(...) is honoured, and so is profile",
    "boto_session": "leave it out: boto3.setup_default_session(...) is honoured, and so is profile",
    "default_cache_type": "give cache_type to each open",
    "default_fill_cache": "give cache_type to each open",
    "fill_cache": "give cache_type to each open",
    "fixed_upload_size": "leave it out: the parts of an upload have one size",
    "connect_timeout": "give config_kwargs={'connect_timeout': seconds}",
    "read_timeout": "give config_kwargs={'read_timeout': seconds}",
    "timeout": "give config_kwargs={'connect_timeout': seconds, 'read_timeout': seconds}",
    "request_timeout": "give config_kwargs={'read_timeout': seconds}",
    "max_attempts": "give config_kwargs={'retries': {'total_max_attempts': times}}",
    "max_retries": "give config_kwargs={'retries': {'total_max_attempts': times}}",
    "keys": "it is two here: accesskey and secretkey",
    "s3": "give config_kwargs={'s3': {...}}",
    "retries": "give config_kwargs={'retries': {'total_max_attempts': times}}",
    "proxies": "give config_kwargs={'proxies': {...}}",
    "proxy_options": "give config_kwargs={'proxies': {...}}",
    "hf": "Hugging Face's load_dataset put it into the dictionary that it was given: give it one of its own",
    "role_arn": "leave it out: boto3's own chain takes roles from profiles and web identities",
}
"""A mapping from each name to what to do in place of it."""
OF_CONFIG = frozenset(
    (
        *(
            "account_id_endpoint_mode",
            "auth_scheme_preference",
            "client_cert",
            "client_context_params",
            "defaults_mode",
        ),
        *("disable_request_compression", "endpoint_discovery_enabled", "ignore_configured_endpoint_urls"),
        *("inject_host_prefix", "parameter_validation", "proxies_config", "request_checksum_calculation"),
        *("request_min_compression_size_bytes", "response_checksum_validation", "s3_disable_express_session_auth"),
        *("sigv4a_signing_region_set", "tcp_keepalive", "user_agent_appid"),
    )
)
"""The names of `botocore.config.Config` that no other package has."""
OURS = {other: name for name, others in _SAME.items() for other in others.split()}
_INVERTED = ("verify", "verify_ssl", "ssl_verify", "virtual_hosted_style_request", "force_virtual_addressing")
"""The names that are true where ours is false."""


def counterpart(name: str) -> str:
    """Return what to give in place of another package's name, or "" for a name that is not known.

    >>> counterpart("key"), counterpart("verify")
    ("it is 'accesskey' here", "it is 'skipverify' here, which is true where that was false")
    >>> counterpart("encript")
    ''
    """
    plain = name.lower().replace("-", "_")
    if plain in _SENTENCES:
        return _SENTENCES[plain]
    if plain in OF_CONFIG:
        return f"give config_kwargs={{{plain!r}: ...}}"
    ours = OURS.get(plain)
    if ours is None:
        return ""
    return f"it is {ours!r} here" + (", which is true where that was false" if plain in _INVERTED else "")
