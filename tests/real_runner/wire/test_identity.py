"""Who may speak to whom: mutual TLS, and the names in the certificates."""

import asyncio

import grpc
import pytest

from real_runner.wire.authority import Authority
from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import Limits
from real_runner.wire.sending import Courier, Undelivered

SOON_S = 2.0


def attempt(open_pair, make_parcel, theirs, ours, target="b"):
    """Return how sending as ``a`` to ``target`` fails, and what was refused; then one good one."""

    async def send():
        async with open_pair(theirs[0], theirs[1]) as pair:
            courier = Courier("a", ours, {target: pair.address}, Limits())
            with pytest.raises(Undelivered) as caught:
                await courier.send(make_parcel(target=target), SOON_S)
            await courier.close()
            await pair.courier.send(make_parcel(job=99), SOON_S)
            assert [parcel.job for parcel, _ in pair.received] == [99]
            return caught.value, pair.refused

    return asyncio.run(send())


@pytest.fixture(scope="module")
def good(authority) -> tuple[Credentials, Credentials]:
    return authority.issue("a"), authority.issue("b")


def test_a_certificate_of_another_run_is_turned_away(open_pair, make_parcel, good):
    error, refused = attempt(open_pair, make_parcel, good, Authority.create().issue("a"))
    assert (error.kind, refused) == ("unreachable", [])


def test_a_certificate_of_another_run_for_the_same_authority_file_is_turned_away(
    open_pair, make_parcel, good
):
    stranger = Authority.create().issue("a")
    forged = Credentials(good[0].ca_pem, stranger.cert_pem, stranger.key_pem)
    error, refused = attempt(open_pair, make_parcel, good, forged)
    assert (error.kind, refused) == ("unreachable", [])


def test_a_client_in_the_clear_is_turned_away(open_pair, make_parcel, good):
    error, refused = attempt(open_pair, make_parcel, good, None)
    assert (error.kind, refused) == ("unreachable", [])


def test_who_speaks_for_another_node_is_refused_by_the_name_it_bears(
    open_pair, make_parcel, good, authority
):
    error, refused = attempt(open_pair, make_parcel, good, authority.issue("c"))
    assert error.kind == "refused"
    assert error.reason == "header: source 'a', but the certificate is that of 'c'"
    assert refused == [("c", 7, 3, error.reason)]


def test_a_server_that_is_not_the_target_gets_nothing(open_pair, make_parcel, good):
    error, refused = attempt(open_pair, make_parcel, good, good[0], target="c")
    assert error.kind == "unreachable"
    assert "Hostname Verification" in error.reason
    assert refused == []


def test_a_client_without_a_certificate_is_turned_away(open_pair, good):
    async def call():
        async with open_pair(*good) as pair:
            credentials = grpc.ssl_channel_credentials(good[0].ca_pem)
            options = [("grpc.ssl_target_name_override", "b")]
            async with grpc.aio.secure_channel(pair.address, credentials, options) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.stream_unary("/tessera.Post/Deliver")(iter([b"x"]), timeout=2)
            return caught.value.code(), pair.refused

    code, refused = asyncio.run(call())
    assert code is grpc.StatusCode.UNAVAILABLE
    assert refused == []


@pytest.mark.parametrize("name", ["edge", "cloud-1", "node_7", "A", "eu-west-1.cloud"])
def test_names_of_all_kinds_can_be_verified(open_pair, make_parcel, authority, name):
    async def send():
        async with open_pair(authority.issue("a"), authority.issue(name)) as pair:
            pair.courier._addresses[name] = pair.address
            pair.post.open("run", name, pair.post._desk.accept, pair.post._desk.refused)
            await pair.courier.send(make_parcel(target=name), SOON_S)
            return pair.received

    assert len(asyncio.run(send())) == 1
