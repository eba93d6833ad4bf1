"""Reading receipts: words by kind, tolerance, hostile bytes, contradictions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from adapters.customs.ceb import CEBRegime
from adapters.customs.ceb.codes import says_duplicate, transport_answer, word_of
from gateway.domain.declaration import DeclarationKind, ReceiptFact, Word
from gateway.domain.ids import ReceiptId
from gateway.ports import Lookup, ReadFile, ReadKind, ReadRecord
from tests.unit.customs import make
from tests.unit.customs import receipts as files

REGIME = CEBRegime()
RECEIPT = ReceiptId("r-1")
ORDER, INVENTORY = DeclarationKind.ORDER, DeclarationKind.INVENTORY


def read(body: bytes) -> ReadFile:
    return REGIME.read(RECEIPT, body)


def one(body: bytes) -> ReadRecord:
    found = read(body)
    assert found.kind is ReadKind.RECEIPTS
    (record,) = found.records
    return record


def word(body: bytes) -> Word:
    fact = one(body).fact
    assert isinstance(fact, ReceiptFact)
    return fact.word


ORDER_WORDS = {
    "1": Word.UNKNOWN,
    "2": Word.LODGED,
    "3": Word.LODGED,
    "4": Word.NOT_SENT,
    "99": Word.UNKNOWN,
    "100": Word.REJECTED,
    "120": Word.STORED,
    "399": Word.STORED,
    "800": Word.UNKNOWN,
    "-301013": Word.FAILED_SYSTEM,
    "-301020": Word.FAILED_SIGNATURE,
    "-301010": Word.DUPLICATE,
    "-301011": Word.FAILED,
    "-301014": Word.FAILED,
    "-10101": Word.FAILED,
    "-999999": Word.FAILED,
}
INVENTORY_WORDS = {
    "1": Word.DRAFT_ONLY,
    "2": Word.LODGED,
    "3": Word.LODGED,
    "4": Word.NOT_SENT,
    "100": Word.REJECTED,
    "120": Word.ACCEPTED,
    "300": Word.REVIEW,
    "399": Word.APPROVED,
    "500": Word.INSPECTION,
    "501": Word.DETAINED,
    "502": Word.DETAINED,
    "503": Word.DETAINED,
    "599": Word.DETAINED,
    "600": Word.SUSPENDED,
    "700": Word.RETURNED_ABROAD,
    "800": Word.RELEASED,
    "899": Word.CLOSED,
    "816": Word.UNKNOWN,
    "-621005": Word.FAILED_LIMIT,
    "-621018": Word.FAILED_LIMIT,
    "-621004": Word.DUPLICATE,
    "-621011": Word.FAILED,
    "-621008": Word.FAILED_SYSTEM,
    "-621009": Word.FAILED_SYSTEM,
    "-621017": Word.FAILED_SYSTEM,
    "-621022": Word.FAILED_SYSTEM,
    "-621015": Word.FAILED_RIGHTS,
    "-621016": Word.FAILED_RIGHTS,
    "-621025": Word.FAILED_SIGNATURE,
    "-621026": Word.FAILED_SIGNATURE,
    "-621027": Word.FAILED,
    "-621028": Word.FAILED_SIGNATURE,
    "-621029": Word.FAILED_SIGNATURE,
}


class TestWords:
    @pytest.mark.parametrize("status, expected", ORDER_WORDS.items())
    def test_of_an_order(self, status: str, expected: Word) -> None:
        assert word(files.orders(files.order_return(status=status))) is expected

    @pytest.mark.parametrize("status, expected", INVENTORY_WORDS.items())
    def test_of_an_inventory(self, status: str, expected: Word) -> None:
        body = files.inventories(files.inventory_return(status=status, info="说明"))
        assert word(body) is expected

    @pytest.mark.parametrize(
        "text",
        [
            "该订单号已存在",
            "该清单已申报",
            "清单重复申报",
            "重复",
            "单证已经入库",
            "order already exists",
            "duplicate declaration",
        ],
    )
    def test_a_rejection_that_says_exists_already_is_a_duplicate(self, text: str) -> None:
        assert word_of(INVENTORY, "100", text) is Word.DUPLICATE
        assert word_of(INVENTORY, "120", text) is Word.ACCEPTED
        info = f"[Code:1399;Desc:{text}]"
        assert word(files.orders(files.order_return(status="100", info=info))) is Word.DUPLICATE

    @pytest.mark.parametrize(
        "text",
        [
            "运单编号六个月内重复使用",
            "商品序号重复",
            "支付单已存在",
            "订单已申报清单，当前状态不允许操作",
            "清单与订单商品信息不一致",
            "a waybill of this number already exists",
            "",
        ],
    )
    def test_other_repetitions_are_rejections(self, text: str) -> None:
        assert not says_duplicate(text)
        assert word_of(INVENTORY, "100", text) is Word.REJECTED


class TestFacts:
    def test_an_order_receipt(self) -> None:
        record = one(files.orders(files.order_return(7, "120", "[Code:1800;Desc:逻辑校验通过]")))
        assert record.lookup == Lookup("order", "3105961A01|HT2026-000007")
        assert record.fault is None
        fact = record.fact
        assert isinstance(fact, ReceiptFact)
        assert (fact.kind, fact.word, fact.codes) == (ORDER, Word.STORED, ("1800",))
        assert (fact.receipt_id, fact.position) == (RECEIPT, 0)
        assert fact.returned_at == files.TIME
        # 2026-03-01 09:30:05.123 in Beijing is 01:30:05.123 UTC.
        assert fact.returned_at_us == 1_772_328_605_123_000
        assert (fact.pre_no, fact.invt_no) == (None, None)

    def test_an_inventory_receipt(self) -> None:
        record = one(files.inventories(files.inventory_return(7, "800", "[Code:2600;Desc:放行]")))
        assert record.lookup == Lookup("cop_no", "CG0000000000000007")
        assert isinstance(record.fact, ReceiptFact)
        assert record.fact.word is Word.RELEASED
        assert record.fact.invt_no == "31052026I000000007"
        assert record.fact.pre_no == "B00000000000000007"

    def test_numbers_not_yet_given_are_none(self) -> None:
        record = one(files.inventories(files.inventory_return(status="2", invtNo="", preNo="")))
        assert isinstance(record.fact, ReceiptFact)
        assert (record.fact.pre_no, record.fact.invt_no) == (None, None)

    def test_personal_data_in_return_info_goes_nowhere(self) -> None:
        info = "[Code:13127;Desc:姓名不一致],[InvtHead.buyerName:王小明,OrderHead.buyerName王大明]"
        found = read(files.inventories(files.inventory_return(status="100", info=info)))
        fact = found.records[0].fact
        assert isinstance(fact, ReceiptFact)
        assert fact.codes == ("13127",)
        assert "王" not in repr(tuple(fact))
        assert "王" not in repr(found)

    def test_codes_in_any_case_and_more_than_one(self) -> None:
        info = "[code:1327;desc:甲;乙,丙][CODE:1332;Desc:丁][Code:1327;Desc:戊]"
        fact = one(files.orders(files.order_return(status="100", info=info))).fact
        assert isinstance(fact, ReceiptFact)
        assert fact.codes == ("1327", "1332")

    def test_positions_count_the_records_of_the_file(self) -> None:
        records = [files.inventory_return(number) for number in range(3)]
        assert [record.position for record in read(files.inventories(*records)).records] == [
            0,
            1,
            2,
        ]


class TestTolerance:
    @pytest.mark.parametrize("prefix", ["", "dxp", "ns2"])
    def test_envelopes_with_any_prefix(self, prefix: str) -> None:
        body = files.envelope(files.orders(files.order_return()), prefix=prefix)
        found = read(body)
        assert found.kind is ReadKind.RECEIPTS
        assert found.sender_id == files.CUSTOMS

    def test_a_bare_file_has_no_sender(self) -> None:
        assert read(files.orders(files.order_return())).sender_id is None

    def test_an_odd_guid_is_dropped(self) -> None:
        fact = one(files.orders(files.order_return(guid="王小明"))).fact
        assert isinstance(fact, ReceiptFact)
        assert fact.guid == ""
        assert one(files.orders(files.order_return(guid=""))).fact is not None

    def test_a_blank_return_info(self) -> None:
        assert word(files.orders(files.order_return(info=""))) is Word.LODGED

    def test_a_return_time_of_seconds(self) -> None:
        fact = one(files.orders(files.order_return(returnTime="20260301093005"))).fact
        assert isinstance(fact, ReceiptFact)
        assert fact.returned_at == "20260301093005000"
        assert fact.returned_at_us == 1_772_328_605_000_000

    def test_a_comment_inside_a_value_is_refused_and_neither_cut_nor_joined(self) -> None:
        record = files.inventory_return(status="800").replace(
            "<returnStatus>800", "<returnStatus>8<!-- x -->00"
        )
        assert one(files.inventories(record)).fault == "returnStatus: markup"

    @pytest.mark.parametrize(
        "changes, fault",
        [
            ({"returnTime": "20261301093005123"}, "returnTime: not-a-time"),
            ({"returnTime": "2026030109300512"}, "returnTime: not-a-time"),
            ({"returnTime": "２０２６0301093005123"}, "returnTime: not-a-time"),
            ({"status": "8OO"}, "returnStatus: not-a-number"),
            ({"status": ""}, "returnStatus: missing"),
            ({"copNo": ""}, "copNo: missing"),
            ({"invtNo": "王小明"}, "invtNo: not-a-number"),
            ({"preNo": "王小明"}, "preNo: not-a-number"),
        ],
    )
    def test_a_faulty_record_leaves_the_others_alone(
        self, changes: dict[str, str], fault: str
    ) -> None:
        bad = files.inventory_return(2, **changes)
        found = read(files.inventories(files.inventory_return(1), bad, files.inventory_return(3)))
        assert [record.fault for record in found.records] == [None, fault, None]
        assert [record.fact is None for record in found.records] == [False, True, False]

    def test_a_repeated_field_is_a_fault_not_a_choice(self) -> None:
        record = files.inventory_return(status="100").replace(
            "</InventoryReturn>", "<returnStatus>800</returnStatus></InventoryReturn>"
        )
        assert one(files.inventories(record)).fault == "returnStatus: repeated"


class TestRefusals:
    def test_a_refusal_names_its_message(self) -> None:
        found = read(files.envelope(files.refusal("MSG-7")))
        assert found.kind is ReadKind.REFUSAL
        assert (found.message_id, found.message_guid) == ("MSG-7", None)
        assert (found.code, found.retry, found.quarantine) == ("-1", "never", False)
        assert found.sender_id == files.CUSTOMS
        assert "王" not in repr(found)

    @pytest.mark.parametrize(
        "copy",
        [
            f'<ceb:CEB621Message xmlns:ceb="x" guid="{make.GUID}" version="1.0"><a/>',
            f"<?xml version='1.0'?>\n<CEB311Message version='1.0' guid = '{make.GUID}'>",
        ],
    )
    def test_the_copy_names_it_when_the_transfer_client_chose_the_id(self, copy: str) -> None:
        found = read(files.refusal("", copy))
        assert found.kind is ReadKind.REFUSAL
        assert (found.message_id, found.message_guid) == (None, make.GUID)

    def test_ids_come_back_in_either_case(self) -> None:
        copy = f"<CEB621Message guid='{make.GUID.lower()}'>"
        found = read(files.refusal(make.GUID.lower(), copy))
        assert (found.message_id, found.message_guid) == (make.GUID, make.GUID)
        answer = read(files.answer("0002", cop_msg_id=make.GUID.lower()))
        assert answer.message_id == make.GUID

    def test_a_guid_of_a_record_is_not_the_message(self) -> None:
        copy = f"<ceb:CEB621Message><ceb:Inventory guid='{make.GUID}'>"
        assert read(files.refusal("M", copy)).message_guid is None

    def test_a_refusal_that_names_nothing(self) -> None:
        found = read(files.refusal("", "garbage"))
        assert (found.kind, found.problem) == (ReadKind.UNREADABLE, "nothing_named")

    def test_a_signature_refusal_puts_the_key_in_doubt(self) -> None:
        assert read(files.refusal(status="-621029")).quarantine


class TestTransport:
    @pytest.mark.parametrize(
        "code, retry, quarantine",
        [
            ("0001", "never", False),
            ("0002", "never", False),
            ("1001", "never", True),
            ("1999", "never", True),
            ("2001", "never", False),
            ("3003", "later", False),
            ("3500", "later", False),
        ],
    )
    def test_classes(self, code: str, retry: str, quarantine: bool) -> None:
        found = read(files.answer(code))
        assert found.kind is ReadKind.TRANSPORT
        assert (found.message_id, found.code) == ("MSG-1", code)
        assert (found.retry, found.quarantine) == (retry, quarantine)
        assert found.sender_id == files.CUSTOMS
        assert found.info

    def test_several_answers_are_read_at_their_worst(self) -> None:
        assert read(files.answer("3001", "1004", "0002")).code == "1004"
        assert read(files.answer("3001", "2002")).code == "2002"

    @pytest.mark.parametrize("code", ["0000", "4711", "9999", "12", "", "１００１", "abcd"])
    def test_a_code_without_meaning_refuses_nothing(self, code: str) -> None:
        assert transport_answer(code) is None
        found = read(files.answer(code))
        assert (found.kind, found.problem) == (ReadKind.UNREADABLE, "transport_code_unknown")

    def test_answers_to_nobody_or_about_two(self) -> None:
        assert read(files.answer("0001", cop_msg_id="")).problem == "nothing_named"
        two = files.answer("0001").replace(
            b"</DxpRep>", files.answer("0002", cop_msg_id="MSG-2").split(b"</RecevierId>")[1]
        )
        assert read(two).problem == "ambiguous_answer"


class TestHostile:
    @pytest.mark.parametrize(
        "body, problem",
        [
            (b"", "SCHEMA-107"),
            (b"\x00\xff\xfe", "SCHEMA-107"),
            (b"<a>", "SCHEMA-107"),
            (b'<!DOCTYPE a [<!ENTITY b "c">]><a/>', "SCHEMA-103"),
            (b"<a/>", "SCHEMA-601"),
            (b" " * (10 * 1024 * 1024 + 1), "SCHEMA-101"),
            (files.message("CEB622Message", []), "no_records"),
            (files.message("CEB515Message", ["<PaymentReturn/>"]), "unsupported_message"),
            (files.message("CEB622Message", ["<x/>"], "urn:other"), "SCHEMA-601"),
            (files.message("CEB900Message", []), "no_records"),
            (files.envelope(b"not xml"), "SCHEMA-107"),
            (files.envelope(files.envelope(b"<a/>")), "unsupported_message"),
            (files.envelope(b"").replace(b"<Data>", b"<Data>!!"), "SCHEMA-600"),
        ],
    )
    def test_becomes_a_problem_code(self, body: bytes, problem: str) -> None:
        found = read(body)
        assert (found.kind, found.problem) == (ReadKind.UNREADABLE, problem)
        assert found.records == ()

    @for_all(st.binary(max_size=300))
    def test_any_bytes(self, body: bytes) -> None:
        assert read(body).kind is ReadKind.UNREADABLE
        assert read(files.envelope(body)).kind is ReadKind.UNREADABLE

    @for_all(st.data())
    def test_any_damage_to_a_real_file(self, data: st.DataObject) -> None:
        whole = data.draw(
            st.sampled_from(
                [
                    files.inventories(files.inventory_return(1), files.inventory_return(2)),
                    files.orders(files.order_return()),
                    files.refusal("M", "<CEB621Message/>"),
                    files.answer("0001"),
                    files.envelope(files.inventories(files.inventory_return())),
                ]
            )
        )
        start = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(start, min(len(whole), start + 40)))
        damaged = whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:]
        found = read(damaged)
        for record in found.records:
            assert (record.fact is None) is (record.fault is not None)

    @for_all(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
                for name in ("copNo", "status", "returnTime", "info", "invtNo", "preNo", "guid")
            },
        )
    )
    def test_any_values(self, values: dict[str, Any]) -> None:
        record = one(files.inventories(files.inventory_return(**values)))
        assert (record.fact is None) is (record.fault is not None)

    def test_unclosed_brackets_cost_nothing(self) -> None:
        info = "[code:1;desc:" * 80
        assert word(files.orders(files.order_return(status="100", info=info))) is Word.REJECTED

    def test_text_behind_the_last_bracket_hides_no_code(self) -> None:
        info = "[Code:1327;Desc:甲] 更多 [Code:1332;Desc:未完"
        fact = one(files.orders(files.order_return(status="100", info=info))).fact
        assert isinstance(fact, ReceiptFact)
        assert fact.codes == ("1327",)


class TestContradictions:
    def checks(self, **changes: str) -> dict[str, str | None]:
        record = one(files.inventories(files.inventory_return(1, **changes)))
        return dict(REGIME.checks(record, make.key(), make.profile()))

    def test_nothing_contradicts_what_we_declared(self) -> None:
        found = self.checks()
        assert set(found) == {"customs_code", "platform", "merchant", "agent", "invt_no_office"}
        assert not any(found.values())

    @pytest.mark.parametrize(
        "changes, name, value",
        [
            ({"customsCode": "2244"}, "customs_code", "2244"),
            ({"ebpCode": "X"}, "platform", "X"),
            ({"ebcCode": "X"}, "merchant", "X"),
            ({"agentCode": "X"}, "agent", "X"),
            ({"invtNo": "22442026I000000001"}, "invt_no_office", "2244"),
        ],
    )
    def test_a_foreign_field_is_named(self, changes: dict[str, str], name: str, value: str) -> None:
        found = self.checks(**changes)
        assert {key: text for key, text in found.items() if text} == {name: value}

    def test_what_a_receipt_does_not_repeat_is_not_held_against_it(self) -> None:
        found = self.checks(customsCode="", agentCode="", invtNo="", preNo="")
        assert set(found) == {"platform", "merchant"}

    def test_an_order_receipt_about_another_order(self) -> None:
        record = one(files.orders(files.order_return(2)))
        found = REGIME.checks(record, make.key(1), make.profile())
        assert found["order_no"] == "HT2026-000002"
