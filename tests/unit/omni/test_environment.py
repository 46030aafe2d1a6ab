"""The environment's words about the way: whom `no_proxy` names."""

from __future__ import annotations

import pytest

from airflow_provider_omni.omni.environment import excepts


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("*", "api.example.com"),
        ("api.example.com", "api.example.com"),
        ("API.Example.COM", "api.example.com."),
        ("example.com", "api.example.com"),
        (".example.com", "api.example.com"),
        (".example.com", "example.com"),
        ("*.example.com", "api.example.com"),
        ("a.org;b.org, example.com", "api.example.com"),
        ("a.org\nexample.com", "api.example.com"),
        ("https://example.com/", "api.example.com"),
        ("example.com:443", "api.example.com"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.99/8", "10.1.2.3"),
        ("10.0.0.0/255.0.0.0", "10.1.2.3"),
        ("10.1.2.3:443", "10.1.2.3"),
        ("fd00::/8", "fd00::17"),
        ("[fd00::/8]", "fd00::17"),
        ("fd00:0::17", "fd00::17"),
        ("[fd00::17]", "fd00::17"),
        ("[FD00::17]:443", "fd00::17"),
    ],
)
def test_a_host_is_excepted_from_the_proxy(no_proxy: str, host: str) -> None:
    assert excepts(no_proxy, host, 443)


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("", "api.example.com"),
        (" , ", "api.example.com"),
        (".", "api.example.com"),
        ("ample.com", "api.example.com"),
        ("api.example.com.evil.org", "api.example.com"),
        ("example.com:8443", "api.example.com"),
        ("10.0.0.0/8", "11.1.2.3"),
        ("10.0.0.0/33", "10.0.0.0"),
        ("10.0.0.0/8", "10.example.com"),
        ("10.1.2.3:8443", "10.1.2.3"),
        ("0.0.0.0/0", "api.example.com"),
        ("fd00::/8", "fe80::1"),
        ("[fd00::17]:8443", "fd00::17"),
        ("1.2.3", "10.1.2.3"),
        ("[", "api.example.com"),
    ],
)
def test_a_host_that_is_not_named_is_not_excepted(no_proxy: str, host: str) -> None:
    assert not excepts(no_proxy, host, 443)
