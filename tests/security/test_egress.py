"""No caller makes the gateway call what only the gateway can reach."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.base import NO_ANSWER, NOT_ALLOWED, Exchange, Request, Response
from adapters.egress import AddressRefused, EgressPolicy, check_address, checked_url
from adapters.http import CheckedResolver, HTTPClient

STRICT = EgressPolicy()
PRIVATE = EgressPolicy(ports=frozenset(), allows_private=True, allows_plain=True)

URLS = """
http://hooks.example.com/
HTTP://hooks.example.com/
ftp://hooks.example.com/
file:///etc/passwd
gopher://hooks.example.com/
ws://hooks.example.com/
javascript:alert(1)
data:text/plain,x
//hooks.example.com/
/hooks
hooks.example.com
https:hooks.example.com
https:/hooks.example.com
https:///hooks.example.com
https://
https://?x
https://#x
https://:443/
https://hooks.example.com:0/
https://hooks.example.com:22/
https://hooks.example.com:80/
https://hooks.example.com:25/
https://hooks.example.com:6379/
https://hooks.example.com:9200/
https://hooks.example.com:65536/
https://hooks.example.com:-1/
https://hooks.example.com:4 43/
https://hooks.example.com:443:80/
https://hooks.example.com:0443/
https://user@hooks.example.com/
https://user:secret@hooks.example.com/
https://hooks.example.com@127.0.0.1/
https://127.0.0.1@hooks.example.com/
https://hooks.example.com:443@127.0.0.1/
https://@127.0.0.1/
https://hooks.example.com%40127.0.0.1/
https://hooks.example.com\\@127.0.0.1/
https://127.0.0.1\\.hooks.example.com/
https://hooks.example.com\\\\127.0.0.1/
https://%31%32%37.0.0.1/
https://127%2e0%2e0%2e1/
https://hooks%2eexample.com/
https://hooks.example.com%00.evil.test/
https://localhost/
https://LOCALHOST/
https://localhost./
https://sub.localhost/
https://localhost.localdomain/
https://printer.local/
https://metadata.google.internal/
https://vault.internal/
https://router.lan/
https://wiki.corp/
https://nas.home/
https://nas.home.arpa/
https://1.0.0.127.in-addr.arpa/
https://intranet/
https://hooks/
https://127.0.0.1/
https://127.0.0.1:8443/
https://127.1/
https://127.0.1/
https://127.255.255.254/
https://0.0.0.0/
https://0/
https://0.1.2.3/
https://2130706433/
https://017700000001/
https://0x7f000001/
https://0x7f.0.0.1/
https://0x7f.1/
https://0177.0.0.1/
https://127.0.0.01/
https://127.0.0.0x1/
https://127.0.0.1./
https://00127.0.0.1/
https://4294967295/
https://255.255.255.255/
https://256.256.256.256/
https://10.0.0.1/
https://10.255.255.255/
https://172.16.0.1/
https://172.31.255.255/
https://192.168.0.1/
https://169.254.169.254/
https://169.254.170.2/
https://169.254.42.42/
https://100.64.0.1/
https://100.100.100.200/
https://100.127.255.255/
https://168.63.129.16/
https://192.0.0.192/
https://192.0.2.1/
https://192.88.99.1/
https://198.18.0.1/
https://198.19.255.255/
https://198.51.100.1/
https://203.0.113.1/
https://224.0.0.1/
https://239.255.255.250/
https://240.0.0.1/
https://[::]/
https://[::1]/
https://[0:0:0:0:0:0:0:1]/
https://[::127.0.0.1]/
https://[::7f00:1]/
https://[::ffff:127.0.0.1]/
https://[::ffff:7f00:1]/
https://[::ffff:a9fe:a9fe]/
https://[::ffff:8.8.8.8]/
https://[::ffff:0:127.0.0.1]/
https://[64:ff9b::7f00:1]/
https://[64:ff9b::169.254.169.254]/
https://[64:ff9b::808:808]/
https://[64:ff9b:1::a00:1]/
https://[2002:7f00:1::]/
https://[2002:a9fe:a9fe::1]/
https://[2001:0:7f00:1::1]/
https://[2001:db8::1]/
https://[2001:10::1]/
https://[3fff::1]/
https://[100::1]/
https://[fc00::1]/
https://[fd00:ec2::254]/
https://[fe80::1]/
https://[fe80::1%25eth0]/
https://[fe80::1%eth0]/
https://[fec0::1]/
https://[ff02::1]/
https://[5f00::1]/
https://[::1/
https://::1/
https://[v1.fe80]/
https://-hooks.example.com/
https://hooks-.example.com/
https://hooks..example.com/
https://.example.com/
https://hooks_internal.example.com/
https://hooks.example.com,127.0.0.1/
https://hooks.example.com;127.0.0.1/
https://{hooks}.example.com/
https://hooks.example.com|127.0.0.1/
https://hooks.example.com<x>/
https://hooks.example.com`id`/
https://hooks.example.com/a b
""".strip().splitlines()
UNPRINTABLE = (
    "https://hooks.example.com/\r\nHost: 127.0.0.1",
    "https://hooks.example.com\t/",
    "https://hooks.example.com\x00/",
    " https://hooks.example.com/",
    "https://hooks.example.com/\x7f",
    "https://ⓔxample.com/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://ex\u00admple.com/",
    "https://exámple.com/",
    "https://hooks.example.com\u2044@127.0.0.1/",
    "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 130 + "example.com/",
    "https://hooks.example.com/" + "x" * 2000,
)

# What a name resolves to, in the order of asking: each script ends in a refusal.
SCRIPTS: dict[str, Sequence[Sequence[str]]] = {
    "private at once": [["10.0.0.1"]],
    "rebinding to the host": [["93.184.215.14"], ["127.0.0.1"]],
    "rebinding to metadata": [["93.184.215.14"], ["93.184.215.14"], ["169.254.169.254"]],
    "one private among public": [["93.184.215.14", "192.168.1.1"]],
    "private last": [["93.184.215.14"] * 15 + ["127.0.0.1"]],
    "private after the cap": [["93.184.215.14"] * 40 + ["127.0.0.1"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "mapped in hex": [["::ffff:a9fe:a9fe"]],
    "NAT64": [["64:ff9b::a9fe:a9fe"]],
    "local NAT64": [["64:ff9b:1::7f00:1"]],
    "6to4": [["2002:a00:1::"]],
    "Teredo": [["2001:0:4136:e378:8000:63bf:3fff:fdd2"]],
    "IPv4-compatible": [["::7f00:1"]],
    "unique local": [["fd00:ec2::254"]],
    "link local with scope": [["fe80::1%eth0"]],
    "public v4 and private v6": [["93.184.215.14", "::1"]],
    "carrier-grade NAT": [["100.64.0.1"]],
    "unspecified": [["0.0.0.0"]],
    "broadcast": [["255.255.255.255"]],
    "multicast": [["224.0.0.251"]],
    "documentation": [["192.0.2.7"]],
    "benchmarking": [["198.18.0.7"]],
    "the cloud's own wire server": [["168.63.129.16"]],
    "no address at all": [["not-an-address"]],
    "an odd form": [["127.1"]],
}
GOOD = (
    "https://hooks.example.com",
    "https://hooks.example.com/a/b?c=d&e=%20",
    "https://hooks.example.com:8443/",
    "HTTPS://Hooks.Example.com/",
    "https://xn--fiqs8s.example.com/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://hooks.example.com?x=1",
)


class Names(AbstractResolver):
    """Answers as a script says; stays at its last answer."""

    def __init__(self, script: Sequence[Sequence[str]], port: int = 443) -> None:
        self.script = list(script)
        self.asked = 0
        self.port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in found
        ]

    async def close(self) -> None:
        pass


def once(url: str) -> Exchange[Response]:
    return (yield Request("POST", url, body=b"{}", timeout_s=5))


@asynccontextmanager
async def listening(
    answer: web.StreamResponse | None = None,
) -> AsyncIterator[tuple[int, list[str]]]:
    seen: list[str] = []

    async def take(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Host"])
        return answer or web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.port, seen
    finally:
        await runner.cleanup()


def test_the_corpus_is_large_enough() -> None:
    assert len({*URLS, *UNPRINTABLE}) + len(SCRIPTS) >= 120
    assert len(URLS) + len(UNPRINTABLE) == len({*URLS, *UNPRINTABLE})


@pytest.mark.parametrize("url", [*URLS, *UNPRINTABLE])
def test_an_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        checked_url(url, STRICT)


@pytest.mark.parametrize("url", GOOD)
def test_a_public_address_is_taken(url: str) -> None:
    assert checked_url(url, STRICT).scheme == "https"


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
async def test_a_name_is_refused_as_soon_as_one_of_its_addresses_is(
    script: Sequence[Sequence[str]],
) -> None:
    resolver = CheckedResolver(Names(script), STRICT)
    for _ in script[:-1]:
        assert await resolver.resolve("hooks.example.com", 443)
    with pytest.raises(AddressRefused):
        await resolver.resolve("hooks.example.com", 443)


def test_a_list_of_hosts_lets_only_those_through() -> None:
    policy = EgressPolicy(hosts=frozenset({"hooks.example.com"}))
    assert checked_url("https://hooks.example.com/", policy).raw_host == "hooks.example.com"
    for url in ("https://example.com/", "https://hooks.example.com.evil.test/", "https://8.8.8.8/"):
        with pytest.raises(AddressRefused):
            checked_url(url, policy)


def test_private_addresses_are_for_development() -> None:
    for url in ("http://127.0.0.1:9/", "http://localhost:9/", "https://[::1]/"):
        assert checked_url(url, PRIVATE)
    for url in ("http://user@127.0.0.1/", "ftp://127.0.0.1/", "http://127.1/", "http://0x7f.1/"):
        with pytest.raises(AddressRefused):
            checked_url(url, PRIVATE)
    check_address("10.0.0.1", PRIVATE)


async def test_nothing_is_sent_to_a_name_that_turns_private() -> None:
    async with listening() as (port, seen):
        names = Names([["127.0.0.1"]])
        policy = EgressPolicy(ports=frozenset(), allows_plain=True)
        async with HTTPClient(policy, names=names) as client:
            answer = await client.run(once(f"http://hooks.example.com:{port}/"))
        assert (answer.status, seen, names.asked) == (NOT_ALLOWED, [], 1)
        async with HTTPClient(policy) as client:
            answer = await client.run(once(f"http://127.0.0.1:{port}/"))
        assert (answer.status, seen) == (NOT_ALLOWED, [])


async def test_the_checked_address_is_called_under_its_name_and_checked_again_each_time() -> None:
    closing = web.Response(text="ok", headers={"Connection": "close"})
    async with listening(closing) as (port, seen):
        names = Names([["127.0.0.1"]])
        async with HTTPClient(PRIVATE, names=names) as client:
            answer = await client.run(once(f"http://hooks.example.com:{port}/a"))
        assert (answer.status, answer.body) == (200, b"ok")
        assert seen == [f"hooks.example.com:{port}"]
    async with listening(web.Response(headers={"Connection": "close"})) as (port, seen):
        policy = EgressPolicy(ports=frozenset(), allows_plain=True, allows_private=True)
        names = Names([["127.0.0.1"], ["nowhere"]])
        async with HTTPClient(policy, names=names) as client:
            assert (await client.run(once(f"http://h.example.com:{port}/"))).status == 200
            assert (await client.run(once(f"http://h.example.com:{port}/"))).status == NOT_ALLOWED
        assert names.asked == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    headers = {"Location": "http://169.254.169.254/latest/meta-data/"}
    async with listening(web.Response(status=status, headers=headers)) as (port, seen):
        async with HTTPClient(PRIVATE) as client:
            answer = await client.run(once(f"http://127.0.0.1:{port}/"))
        assert (answer.status, len(seen)) == (status, 1)


async def test_an_answer_too_large_is_no_answer() -> None:
    async with listening(web.Response(body=b"x" * (1024 * 1024 + 1))) as (port, _):
        async with HTTPClient(PRIVATE) as client:
            assert (await client.run(once(f"http://127.0.0.1:{port}/"))).status == NO_ANSWER
