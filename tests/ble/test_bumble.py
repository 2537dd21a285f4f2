"""The same peripherals over bumble's virtual controllers: genuine HCI, L2CAP and ATT bytes instead of BlueZ.

It holds the bench to what an independent GATT stack does with a peripheral's values and an MTU.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import bleak
import numpy as np
import pytest
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from img2imu_bridge.virtual.options import VirtualOptions

from img2imu_edge.recording import Recording
from tests.ble.peripheral import Characteristic, Peripheral
from tests.ble.test_wearable import Host
from tests.ble.wearable import Wearable

pytest.importorskip("bumble", reason="bumble is missing; pip install bumble")

from bumble import controller, device, gatt, hci, host, link
from bumble.transport.common import AsyncPipeSink

_CENTRAL = "C4:F1:F1:F1:F1:F1"
_FLAGS = {"read": 0x02, "write-without-response": 0x04, "write": 0x08, "notify": 0x10, "indicate": 0x20}


class Air:
    """Two controllers on a link: a host's, and that of a peripheral, which believes itself on the bench."""

    def __init__(self, peripheral: Peripheral) -> None:
        self.loop = asyncio.get_running_loop()
        medium = link.LocalLink()
        self.central, self.device = (self._device(medium, name) for name in (_CENTRAL, peripheral.address))
        self.peripheral = peripheral
        self._something = asyncio.Event()
        self._served = {c: self._serve(c) for s in peripheral.services for c in s.characteristics}
        for service in peripheral.services:
            self.device.add_service(
                gatt.Service(service.uuid, [self._served[c] for c in service.characteristics])
            )
        self.device.gatt_server.max_mtu = peripheral.mtu
        self.device.on("connection", self._connected)
        peripheral.host = self

    @staticmethod
    def _device(medium: link.LocalLink, address: str) -> device.Device:
        radio = controller.Controller(address, link=medium, public_address=address)
        return device.Device(address=hci.Address(address), host=host.Host(radio, AsyncPipeSink(radio)))

    def _serve(self, ours: Characteristic) -> Any:
        def write(_: object, value: bytes) -> None:
            if ours.on_write is not None:
                ours.on_write(value)

        flags = gatt.Characteristic.Properties(sum(_FLAGS[flag] for flag in ours.flags))
        value = gatt.CharacteristicValue(read=lambda _: ours.value, write=write)
        rights = gatt.Characteristic.READABLE | gatt.Characteristic.WRITEABLE
        theirs = gatt.Characteristic(ours.uuid, flags, rights, value)

        def subscribed(*arguments: Any) -> None:
            ours.subscribed = arguments[-2]
            if ours.on_subscribe is not None:
                ours.on_subscribe(ours.subscribed)

        theirs.on("subscription", subscribed)
        return theirs

    def _connected(self, connection: Any) -> None:
        carrying = self.loop.create_task(self._carry(connection))
        self.peripheral.linked(connected=True)
        connection.on("disconnection", lambda *_: carrying.cancel())
        connection.on("disconnection", lambda *_: self.peripheral.linked(connected=False))

    async def _carry(self, connection: Any) -> None:
        while True:
            self._something.clear()
            if (queued := self.peripheral.take()) is None:
                await self._something.wait()
            else:
                server, theirs = self.device.gatt_server, self._served[queued.characteristic]
                await server.notify_subscriber(connection, theirs, queued.value)
                await asyncio.sleep(0)

    def wake(self, _: Peripheral) -> None:
        self.loop.call_soon_threadsafe(self._something.set)


class BumbleClient(BaseBleakClient):
    """A backend for bleak, as far as these tests go."""

    air: ClassVar[Air]
    is_connected = property(lambda self: self._peer is not None)
    mtu_size = property(lambda self: self._peer.gatt_client.mtu)
    _peer: Any = None

    async def connect(self, pair: bool, **_: Any) -> None:
        await self.air.central.power_on()
        await self.air.device.power_on()
        await self.air.device.start_advertising(own_address_type=hci.OwnAddressType.RANDOM)
        self._connection = await self.air.central.connect(self.air.device.random_address)
        self._connection.on("disconnection", lambda *_: (self._disconnected_callback or print)())
        self._peer = device.Peer(self._connection)
        await self._peer.request_mtu(517)
        await self._peer.discover_all()
        self.services = BleakGATTServiceCollection()
        for theirs in self._peer.services:
            service = BleakGATTService(theirs, theirs.handle, str(theirs.uuid.to_hex_str("-")).lower())
            self.services.add_service(service)
            for c in theirs.characteristics:
                flags: Any = [flag for flag, bit in _FLAGS.items() if c.properties & bit]
                named = (c, c.handle, str(c.uuid.to_hex_str("-")).lower(), flags)
                shown = BleakGATTCharacteristic(*named, lambda: self.mtu_size - 3, service)
                self.services.add_characteristic(shown)

    async def disconnect(self) -> None:
        await self._connection.disconnect()
        self._peer = self.services = None

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_: Any) -> bytearray:
        return bytearray(await characteristic.obj.read_value())

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        await characteristic.obj.write_value(bytes(data), with_response=response)

    async def start_notify(self, characteristic: Any, callback: Any, **_: Any) -> None:
        await characteristic.obj.subscribe(lambda value: callback(bytearray(value)))

    pair = unpair = stop_notify = read_gatt_descriptor = write_gatt_descriptor = None  # type: ignore


@pytest.mark.parametrize(("mtu", "batch"), [(23, 1), (247, 19), (517, 40)])
async def test_plays(monkeypatch: pytest.MonkeyPatch, run: Recording, mtu: int, batch: int) -> None:
    wearable = Wearable(run, VirtualOptions(speed=0, batch=40), mtu=mtu)
    BumbleClient.air = Air(wearable)
    monkeypatch.setattr(bleak, "get_platform_client_backend_type", lambda: (BumbleClient, "bumble"))
    hearing = Host(wearable)
    ledger = await hearing.hear_out()
    assert np.array_equal(hearing.samples(), wearable.tape.counts)
    assert max(len(data.payload) for data in hearing.data) == batch * 12
    assert ledger.samples_made == 1500
    assert wearable.lost == []
