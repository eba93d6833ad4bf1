"""The domain's reasons for refusing a value, in Chinese.

The domain gives its reasons in English (``InvalidValue.reason``); who reads Chinese gets the same
from here. A test holds this table complete.
"""

import re
from typing import Final

from gateway.api.faults import Fault
from gateway.domain.errors import InvalidValue

_TEXTS: Final = {
    "a conversion factor must be greater than 0": "换算系数必须大于 0",
    "a pack is activated by another person than who proposed it": "规则包须由提议人以外的人员启用",
    "a seller is one tenant; a key that spans tenants is no seller": "卖家密钥只属于一个租户",
    "at most 5 are possible": "最多 5 项",
    "belongs to an export alone": "仅出口方案可填写",
    "bonded modes need area and account_book (emsNo)": "保税模式须填写区域企业和账册编号 (emsNo)",
    "customs_code and port_code are 4-digit office codes": "申报地海关与口岸代码均为 4 位数字",
    "an export states how it is packed": "出口方案须填写包装种类",
    "an export states its destination_port (POD)": "出口方案须填写指运港 destination_port (POD)",
    "an import names who stands in for the tax": "进口方案须填写担保企业",
    "customs does not hold it yet": "海关尚未入库",
    "customs has not released the parcel": "海关尚未放行该包裹",
    "is filed by somebody else, who reports its delivery too": "由他方申报，妥投状态亦由其申报",
    "customs has not accepted its inventory": "海关尚未受理其清单",
    "is no export of which we file the consignments": "不是由我方申报总分单的出口案件",
    "its carrier files for itself, and reports departures too": "物流企业自行申报离境单",
    "its profile names no operator of the site": "方案未填写监管场所经营人",
    "somebody wants it stopped": "已要求停止申报",
    "travels under another bill than the first": "与第一个案件的提运单不同",
    "travels under no bill that is known": "提运单未知",
    "travels under no bill that is known: name its bill_no": "提运单未知，请填写 bill_no",
    "is for parcels whose waybills name no bill": "仅在运单未填提运单号时填写",
    "does not wait to be summed up": "没有待汇总的清单",
    "sums up inventories with is_summarised = true": "汇总申请须设置 is_summarised = true",
    "must lie between 0 and 14 days": "必须在 0 到 14 天之间",
    "was reported otherwise, and customs has not refused that": "已按其他内容申报，海关未退回",
    "must not lie in the future": "不得晚于现在",
    "customs refused this return": "海关未批准该退货申请",
    "belongs to the return of an export alone": "仅出口退货需要填写",
    "is required: what the exported goods come home on (213)":
        "必须填写：出口退货申请（213）须说明退运的运输工具、航次和提运单",
    "is required: only mail travels under no bill": "必须填写：只有邮件没有提运单",
    "is of no export: only exported goods are counted (215)":
        "不是出口退货，无需申报理货明细（215）",
    "the tally before it has not come to customs yet": "前一份理货明细尚未送达海关",
    "bonded goods travel under no bill": "保税货物没有提运单",
    "does not exist": "不存在",
    "files the entry list (711): name it": "入库明细单（711）由其报送，必须填写",
    "give unit2 and factor2 both, or neither": "第二单位与换算系数须同时填写或同时不填",
    "has no document form": "没有对应的单证形式",
    "is missing": "缺失",
    "is missing from the stored document": "已保存的内容中缺少此项",
    "is needed for account-stock and guarantees, and for no other table": (
        "账册库存表与担保额度表必须指明租户，其他表不可指明"
    ),
    "is needed with a specific rate or a threshold": "有从量税率或起征额时必填",
    "is no enterprise of this deployment": "不是已登记的企业",
    "is no field of a goods record that can be corrected": "不是可更正的商品备案字段",
    "is no field of a paper that can be corrected": "不是可更正的单证字段",
    "is no list of the direction": "该方向不报送此清单",
    "is no mode of the direction": "该方向不能使用此监管方式",
    "is no field of this paper": "该单证没有此字段",
    "is not a cursor of this list": "不是此列表的游标",
    "is not a cursor of this list; leave it out to begin": "不是此列表的游标；从头开始请不要填写",
    "is not an address": "不是有效地址",
    "is not one of the enterprise's registered roles": "不在该企业登记的角色之内",
    "judges imports; of exports it is export-default": "该规则包用于进口；出口请用 export-default",
    "must be 10 digits (8 tariff + 2 additional)": "必须是 10 位数字（8 位税号加 2 位附加码）",
    "must be 8 or 10 digits": "必须是 8 位或 10 位数字",
    "must be a 10-character customs or 18-character credit code":
        "必须是 10 位海关编码或 18 位统一社会信用代码",
    "must be a day as YYYY-MM-DD": "必须是 YYYY-MM-DD 格式的日期",
    "must be a day, such as 2026-01-01": "必须是日期，如 2026-01-01",
    "must be a fraction of one, below 1": "必须是小于 1 的小数",
    "must be a fraction of one, such as 0.13": "必须是小数，如 0.13",
    "must be a plain decimal with at most 14 digits before and 5 after the point":
        "必须是普通小数，整数最多 14 位，小数最多 5 位",
    "must be a whole number": "必须是整数",
    "must be a year": "必须是年份",
    "must be a year, such as 2026": "必须是年份，如 2026",
    "must be an absolute https or http address": "必须是完整的 https 或 http 地址",
    "must be an amount in CNY with at most two decimal places": "必须是人民币金额，最多两位小数",
    "must be at least 1": "至少为 1",
    "must be between 1 second and a day": "必须在 1 秒到 1 天之间",
    "must be between 0 and 100": "必须在 0 到 100 之间",
    "must be greater than 0 and not above annual": "必须大于 0 且不超过年度限额",
    "must be hold": "必须为 hold",
    "must be printable ASCII of at most 2000 characters": "必须是最多 2000 个可打印的 ASCII 字符",
    "nobody: only an export may spare its receipt of funds":
        "nobody 仅适用于出口方案的收款单",
    "must be receipt when filed by us": "由我方申报时必须为 receipt",
    "must be seller or warehouse": "必须为 seller 或 warehouse",
    "must be statement, api or subscription while gate is true": (
        "gate 为真时必须为 statement、api 或 subscription"
    ),
    "must be the registered name": "必须是登记的名称",
    'must be times of day such as "16:30"': "必须是时刻，如 \"16:30\"",
    "must have 2 to 4 characters": "必须有 2 到 4 个字符",
    "must lie between 0 and 30 days": "必须在 0 到 30 天之间",
    "must lie between 0 and what the case has still used": "必须在 0 与该案件尚占用的额度之间",
    "must lie in the future": "必须晚于现在",
    "must not be below 0": "不可小于 0",
    "must not be empty": "不可为空",
    "must not exceed gross_weight_kg": "不可超过毛重",
    "must not hold a fragment": "不可包含片段标识 (#)",
    "must not hold a user name or password": "不可包含用户名或密码",
    "must not lie before valid_from": "不可早于 valid_from",
    "name at least one carrier and one payment company": "至少填写一家物流企业和一家支付企业",
    "names a rule pack that is not loaded": "所填规则包未加载",
    "names no enterprise of this deployment": "不是已登记的企业",
    "names no line of the order": "订单中没有此行",
    "needs a value": "必须填写",
    "needs at least one row": "至少需要一行",
    "needs both account_book and item_record_no": "账册编号与账册备案料号须同时填写",
    "needs both the registered code and name": "登记的编码与名称均须填写",
    "rows must follow each other by in_force": "各行须按生效日期先后排列",
    "stands twice in the table": "在表中重复",
    "the check character is wrong": "校验码错误",
    "this paper was stored by a newer version": "该单证由更新的版本保存",
    "use 1 to 64 characters": "请填写 1 到 64 个字符",
    "use 1 to 64 letters, digits, hyphens, underscores or dots":
        "请使用 1 到 64 个字母、数字、连字符、下划线或点",
    "was changed by somebody else meanwhile": "已被他人修改",
}  # fmt: skip

# Reasons that hold a value: the English form, and the Chinese one for its groups.
_FORMS: Final = tuple(
    (re.compile(english, re.DOTALL), chinese)
    for english, chinese in (
        (r"at most (.+) of this line can be returned", r"此行最多可退 \1"),
        (r"(.+) is there already; raise the version", r"\1 已存在，请提高版本号"),
        (r"there is no (.+) in this scope", r"此范围内没有 \1"),
        (r"there is no route (.+); see /v1/openapi\.json", r"没有接口 \1，见 /v1/openapi.json"),
        (r"must be some of (.+)", r"必须取自：\1"),
        (r"must be one of (.+)", r"必须是其中之一：\1"),
        (r"is no column; there are (.+)", r"没有此列；可用的列：\1"),
        (
            r"the transfer enterprise is no registered .+ of the profile: have the .+ file it, or "
            r"name (.+) in entrusted",
            r"传输企业不是方案中登记的相应企业：请由该企业申报，或将 \1 列入 entrusted",
        ),
        (r"give 1 to (\d+) rows", r"请提供 1 到 \1 行"),
        (r"at most (.+) records at a time", r"每次最多 \1 条"),
        (r"must lie between 1 and (.+)", r"必须在 1 到 \1 之间"),
        (r"(\S+) is (\S+)", r"\1 当前为 \2"),
    )
)


def reason_zh(reason: str) -> str:
    """A reason in Chinese; one that the table does not know stays as it is."""
    known = _TEXTS.get(reason)
    if known is not None:
        return known
    for english, chinese in _FORMS:
        found = english.fullmatch(reason)
        if found is not None:
            return found.expand(chinese)
    return reason


def value_fault(error: InvalidValue) -> Fault:
    """The fault of a value that the domain refuses, in both languages."""
    return Fault(error.path, error.reason, reason_zh(error.reason))
