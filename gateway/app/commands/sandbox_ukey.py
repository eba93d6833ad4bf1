"""The sandbox UKey control by itself, for those who integrate signing by card."""

import re
import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from gateway.app.commands.frame import JSONOption, Unusable, emit, out, run, show_table
from gateway.app.surroundings import SystemClock, SystemRng
from gateway.domain.codec import from_micros
from signing import Certificate, KeyKind, facts_of, load_file, load_pem, new_development_key

if TYPE_CHECKING:
    from adapters.sandbox.ukey import Card

_PORT: Final = 61232
_PRIVATE: Final = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\s*", re.DOTALL
)


def ukey(
    *,
    listing: Annotated[
        bool, typer.Option("--list", help="List the faults and end / 列出故障")
    ] = False,
    json: JSONOption = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="WebSocket port / WebSocket 端口")
    ] = _PORT,
    key: Annotated[
        Path | None,
        typer.Option(
            help="PEM with key and certificate; else a new one / 密钥文件", metavar="FILE"
        ),
    ] = None,
    kind: Annotated[Literal["rsa", "sm2"], typer.Option(help="Of the new key / 密钥类型")] = "rsa",
    pin: Annotated[str, typer.Option(help="PIN of the card / 卡口令")] = "000000",
    pace_ms: Annotated[
        int, typer.Option(min=0, max=60_000, help="Time of a signature / 每次签名毫秒")
    ] = 250,
    fault: Annotated[str, typer.Option(help="What is wrong with it / 故障")] = "none",
    control: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="API to change the fault on this port / 控制端口"),
    ] = None,
) -> None:
    """Be an e-port client control with a UKey in it / 沙箱电子口岸卡控件

    Speaks the control's WebSocket calls; after five wrong PINs the card locks. The control port has
    `GET /`, `POST /fault` with {"fault": NAME} and `POST /unlock`.
    """
    from adapters.sandbox.ukey import Control, Fault  # noqa: PLC0415 - only this command needs it
    from adapters.sandbox.ukey.page import FAULT_TEXTS, run_control  # noqa: PLC0415

    if listing:
        texts = [(one.value, *FAULT_TEXTS[one]) for one in Fault]
        if json:
            emit({"faults": [{"name": name, "zh": zh, "en": en} for name, zh, en in texts]})
        else:
            show_table("故障 Faults", ("名称 name", "说明", "what happens"), texts)
        return
    if fault not in set(Fault):
        raise Unusable(
            f"there is no fault {fault!r}; see `clearance sandbox ukey --list`",
            f"没有故障 {fault!r}；见 `clearance sandbox ukey --list`",
        )
    card = _card(key, KeyKind(kind), pin)
    device = Control(card, Fault(fault), seconds_a_signature=pace_ms / 1000)
    _tell(card, port, control)
    run(run_control(device, port, control))


def _card(path: Path | None, kind: KeyKind, pin: str) -> "Card":
    from adapters.sandbox.ukey import Card  # noqa: PLC0415

    if path is None:
        now = from_micros(SystemClock().now())
        made = new_development_key(
            subject="Sandbox UKey",
            serial=int.from_bytes(b"\x03\x00\x00\x00" + SystemRng().bytes(4), "big"),
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=365),
            kind=kind,
        )
        pem = made.pem()
    else:
        load_file(path, name=path.name)
        pem = path.read_bytes()
    private = _PRIVATE.search(pem)
    if private is None:
        raise Unusable(
            f"{path}: give a PEM file with the key in clear and its certificate",
            "请给出含未加密私钥及其证书的 PEM 文件",
        )
    certificate = load_pem(pem, name="card").certificate
    return Card(private[0], ssl.DER_cert_to_PEM_cert(certificate.der).encode(), pin=pin)


def _tell(card: "Card", port: int, control: int | None) -> None:
    facts = facts_of(Certificate.from_pem(card.certificate_pem))
    for text in (
        f"WebSocket  ws://127.0.0.1:{port}",
        f"证书 certificate  {facts.serial}, {facts.key_kind} {facts.key_bits}",
        *(() if control is None else (f"控制 control  http://127.0.0.1:{control}/",)),
        "网关设置 settings of the gateway:",
        '  [keys.card]\n  kind = "ukey"\n  ring = "default"\n  pin_file = "card.pin"',
        f'  url = "ws://127.0.0.1:{port}"\n  pace_ms = 250',
        "Ctrl+C 结束 ends it.",
    ):
        out().print(text, markup=False, soft_wrap=True)
