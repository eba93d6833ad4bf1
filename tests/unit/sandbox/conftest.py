from __future__ import annotations

import pytest

from adapters.sandbox.customs import CustomsAuthority, Settings
from tests.unit.sandbox import wire
from tests.unit.sandbox.port import Port, PortFactory


@pytest.fixture(scope="session")
def signer() -> wire.Signer:
    return wire.make_signer()


@pytest.fixture
def open_port(signer: wire.Signer) -> PortFactory:
    def make(settings: Settings | None = None, seed: int = 1) -> Port:
        return Port(CustomsAuthority(seed, settings or Settings.demo()), signer)

    return make


@pytest.fixture
def port(open_port: PortFactory) -> Port:
    return open_port()
