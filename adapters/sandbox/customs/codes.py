"""Receipt texts and codes, as public samples and the error table give them.

``OWN_*`` codes have no public counterpart: they are this sandbox's own and lie in a range
seen nowhere. A receiver must take any code it does not know.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OWN_BUYER_ID: Final = "13992"
OWN_ADDRESS: Final = "13993"
OWN_WAYBILL_USED: Final = "13994"
OWN_CONSIGNEE: Final = "13995"
OWN_MERCHANT: Final = "13996"
OWN_MODE: Final = "13997"
OWN_PARCEL: Final = "13998"

STATUS_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "1": "电子口岸已暂存[{guid}]",
        "2": "电子口岸申报中[{guid}]",
        "3": "发送海关成功[{guid}]",
        "4": "发送海关失败[{guid}]",
        "120": "[Code:1800;Desc:逻辑校验通过]",
        "300": "[Code:1200;Desc:待人工审核]",
        "399": "海关审结",
        "500": "查验",
        "501": "扣留移送通关",
        "502": "扣留移送缉私",
        "503": "扣留移送法规",
        "505": "移送处置",
        "599": "其它扣留",
        "600": "暂停",
        "700": "退运",
        "800": "[Code:2600;Desc:放行]",
        "899": "结关",
        "777": "其它状态",
    }
)

REJECTION_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "1300": "订单、支付单或运单不存在",
        "1304": "订单数据核验不通过",
        "1313": "订购人年度交易累计金额超限;totalPrice:26400.00,limitPrice:26000.00",
        "1320": "清单与订单商品项数不一致",
        "1322": "清单与订单商品信息不一致",
        "1327": "订单订购人与支付单支付人姓名或证件号码不一致",
        "1332": "支付金额与订单实际支付金额不一致",
        "13035": "订单与支付单支付企业不一致",
        "13127": "清单与订单订购人姓名不一致",
        "130126": "清单与订单订购人电话不一致",
        OWN_BUYER_ID: "清单与订单订购人证件号码不一致",
        OWN_ADDRESS: "清单与订单收货地址不一致",
        OWN_WAYBILL_USED: "运单编号六个月内重复使用",
        OWN_CONSIGNEE: "订单与运单收货人信息不一致",
        OWN_MERCHANT: "清单与订单电商企业不一致",
        OWN_MODE: "清单贸易方式与订单类型不符",
        OWN_PARCEL: "清单与运单件数或毛重不一致",
    }
)

EPORT_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "-301002": "订单表体序号重复",
        "-301008": "参数校验失败",
        "-301009": "报送类型错误，没有可操作的订单",
        "-301010": "该订单号已存在",
        "-301011": "订单已申报清单，当前状态不允许操作",
        "-301013": "系统异常",
        "-301014": "报文时间早于已入库报文，忽略",
        "-301015": "单个报文表头数量超限",
        "-301020": "验签失败",
        "-401003": "一个订单对应多个支付单",
        "-401006": "报送类型错误，没有可操作的支付单",
        "-401007": "该支付交易编号已存在",
        "-401008": "支付单已申报，当前状态不允许操作",
        "-401009": "参数校验失败",
        "-401012": "报文时间早于已入库报文，忽略",
        "-401013": "单个报文表头数量超限",
        "-504011": "参数校验失败",
        "-504013": "单个报文运单数量超限",
        "-504014": "报送类型错误，没有可操作的运单",
        "-504015": "该运单编号已存在",
        "-504016": "运单已申报，当前状态不允许操作",
        "-505011": "参数校验失败",
        "-505012": "该运单状态已存在",
        "-505014": "没有匹配的操作",
        "-505016": "报文时间早于已入库报文，忽略",
        "-505017": "单个报文表头数量超限",
        "-621001": "报文校验失败",
        "-621004": "该清单已申报",
        "-621005": "单次交易金额超限",
        "-621008": "已发往海关，状态更新失败",
        "-621009": "系统异常",
        "-621011": "没有可变更的清单",
        "-621012": "当前状态不允许变更",
        "-621015": "数据与卡信息不符，无权操作",
        "-621018": "订购人年度累计金额将超限",
        "-621020": "请求参数错误",
        "-621021": "主键为空或数据不存在",
        "-621027": "保存失败或商品序号重复",
        "-621030": "单个报文清单数量超限",
        "-623003": "清单编号不存在",
        "-623005": "清单状态不允许撤销",
        "-623008": "单个报文记录过多",
        "-623009": "该撤销申请已申报",
        "-623017": "签名为空",
        "-623018": "请求参数错误",
        "-623026": "无权限",
        "-625004": "申报失败",
        "-625017": "请求参数错误",
        "-625021": "无权限",
        "-625022": "清单状态不允许退货",
        "-625028": "签名为空",
        "-625033": "该退货申请已申报",
        "-625204": "按表头编号未找到清单",
        "-800000": "无表体",
        "-800001": "参数校验失败",
        "-800003": "该清单已存在",
        "-800005": "报文时间早于已入库报文，忽略",
        "-800006": "单个报文表头数量超限",
        "-625209": "序号或商品编码不在关联清单中",
    }
)

EXCHANGE_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "0001": "报文格式错误",
        "0002": "Schema校验失败",
        "1001": "签名无效",
        "1002": "签名过期",
        "1004": "签名与数据不符",
        "1999": "发送方未注册",
        "0999": "报文其他错误",
        "1003": "签名证书已撤销",
        "2001": "接收方不存在",
        "2002": "接收方地址不符",
        "2999": "路由其他错误",
        "3001": "中间件或数据库异常",
        "3002": "连接失败",
        "3003": "超时",
        "3999": "系统其他错误",
    }
)


def rejection_text(code: str, compared: str = "") -> str:
    """Return the returnInfo of a customs rejection, with the compared fields when given."""
    text = f"[Code:{code};Desc:{REJECTION_TEXTS.get(code, '逻辑校验不通过')}]"
    return f"{text},[{compared}]" if compared else text


def eport_text(code: str, detail: str = "") -> str:
    """Return the returnInfo of an e-port processing error."""
    text = EPORT_TEXTS.get(code, "处理异常")
    return f"{text}：{detail}" if detail else text


def meaning(code: str) -> str:
    """Return the text that goes with a code, whichever list it stands in; empty for none."""
    texts = (REJECTION_TEXTS, STATUS_TEXTS, EXCHANGE_TEXTS)
    found = next((one[code] for one in texts if code in one), EPORT_TEXTS.get(f"-{code}", ""))
    return found.partition(";totalPrice")[0]
