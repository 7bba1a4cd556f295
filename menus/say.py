"""What the bot says by itself, in Chinese. Merchants' words come from their menu and questions."""

from __future__ import annotations

from wangxin.protocol.bodies import Order

TO_A_PERSON = "转人工"
CHOOSE = "请选择您想了解的内容："
NO_PRODUCTS = "暂时没有可以展示的商品，您可以直接告诉我想找什么，或让人工客服帮您挑选。"
NO_QUESTIONS = "这里暂时没有整理好的问题，您可以直接描述，或让人工客服帮您。"
NO_ORDERS = "没有查到您的相关订单。如果是用其他账号下的单，可以让人工客服帮您查。"
GUEST_NO_ORDERS = "您现在是游客身份，登录后我就能看到您的订单；也可以把订单号发给人工客服。"
NOTHING_SHIPPED = "您目前没有在途的包裹。"
NO_SUCH_ORDER = "没有在您名下查到这个订单。"
NOT_SHIPPED_YET = "这个订单还没有发出，发出后会第一时间通知您。"
STILL_OPEN = "还有其他需要吗？"
WHERE_IS_IT = "查物流"
RETURN_IT = "退换货"
REMIND = "催发货"
SUBMIT = "提交"
WHICH_ORDER = "请问是哪一笔订单需要退换？"
NOTHING_TO_RETURN = "没有查到可以退换的订单，可以让人工客服帮您看看。"
AFTERSALE = "售后"
RETURN_KIND = "您希望"
RETURN_KINDS = ("退货退款", "仅退款", "换尺码", "换颜色", "换同款新的")
RETURN_REASON = "原因"
RETURN_REASONS = ("尺码不合适", "不喜欢", "颜色与图片不符", "质量问题", "发错或少发", "其他")
RETURN_WORDS = "补充说明"
RETURN_PICTURE = "照片凭证"
RETURN_VIDEO = "短视频凭证"
CASE_OPEN_ALREADY = "这笔订单的售后申请还在处理中，有进展会在这里告诉您。"
CASE_WITHDRAW = "撤销申请"
CASE_WITHDRAWN = "已为您撤销。"
CASE_NOT_NOW = "这份申请现在不能撤销了，需要的话可以转人工。"
REMINDED = "已为您登记催促，仓库会优先处理；一般 24 小时内发出。"
SHOP_SILENT = "店铺系统暂时没有回应，请稍后再试，或让人工客服帮您处理。"
GUEST_NO_MEMBER = "您现在是游客身份，登录后我就能看到您的会员信息。"
NO_MEMBER = "没有查到您的会员信息，可以让人工客服帮您看看。"
MEMBER_LEVEL = "会员等级："
MEMBER_POINTS = "积分："
MEMBER_NOTHING = "您是我们的会员，目前没有积分或等级。"
MEMBER_PAGE = "会员中心"
NOTHING_TO_INVOICE = "没有查到可以开票的订单，可以让人工客服帮您看看。"
WHICH_INVOICE = "请问是哪一笔订单需要开发票？"
INVOICE_HEAD = "发票抬头"
INVOICE_TAX = "税号（企业填写）"
INVOICE_MAIL = "收票邮箱"
INVOICE = "发票"
NO_SUCH_PRODUCT = "没有查到这款商品的库存，可以让人工客服帮您看看。"
NOTHING_LEFT = "：目前没有现货，需要的话可以让人工客服帮您留意。"
ALL_KINDS = "全部规格"
SUBSCRIBE = "订阅"
LEAVE = "不再订阅"
SUBSCRIBED = "已为您订阅，有消息会在这里告诉您。"
LEFT = "已为您取消订阅。"
CANCEL_ORDER = "取消订单"
CONFIRM_ORDER = "确认收货"
CHANGE_ADDRESS = "改收货地址"
NEW_ADDRESS = "新的收货地址（含姓名电话）"
NOT_BY_MYSELF = "这件事我办不了，让人工客服帮您。"
FORM_TO_PERSON = "已收到您填写的内容，正在为您转接人工客服，不用再重复说明。"
FORM_THANKS = "已收到，谢谢您！"
PICTURE_BELOW = "见图片"
FILL_IN = "还有必填内容没有填写。"

HANDING_OVER = "好的，正在为您转接人工客服。"
HANDING_OVER_ANGRY = "非常抱歉让您久等、不满意了，马上为您转接人工客服。"
HANDING_OVER_FAILED = "抱歉，这个问题我没能帮上忙，正在为您转接人工客服。"
ALREADY_WAITING = "您已经在等待人工客服了，轮到您时会马上接待。"
ALREADY_SERVED = "人工客服正在为您服务，请直接留言。"
DID_YOU_MEAN = "您想问的是下面哪一个？"
NOT_UNDERSTOOD = "我还没明白您的意思。可以换个说法、说具体一点，或者直接找人工客服。"
TELL_MORE = "您能说得再具体一点吗？比如是哪笔订单、想办什么事。"
SEEN_PICTURE = "我收到图片了，不过我看不懂图片内容。需要人工客服帮您看吗？"
HEARD_VOICE = "我收到语音了，不过我听不懂语音。您可以打字告诉我，也可以找人工客服听。"
SHOWN = {"image": "图片", "video": "视频", "voice": "语音"}
"""What a card in a note to the agent is called."""
CARD_ORDER = "订单 "
CARD_PRODUCT = "商品 "
ABOUT_PRODUCT = "您想了解这款商品的什么？"
HELLO = "您好，我是智能客服，请问有什么可以帮您？"
WELCOME_BACK = "不客气，祝您购物愉快！"
OKAY = "好的，有需要随时叫我。"

_STATES = {
    "unpaid": "待付款",
    "paid": "待发货",
    "shipped": "已发货",
    "signed": "已签收",
    "refunding": "退款中",
    "refunded": "已退款",
    "cancelled": "已取消",
}


def about_order(order: str, state: str) -> str:
    return f"最近的订单 {order} {_STATES.get(state, state)}，需要我做什么？"


def other_parcel(order: Order) -> str:
    return f"看另一单：{_title(order)}"


def this_order(order: Order) -> str:
    return f"{_title(order)}（{_STATES.get(order.state, order.state)}）"


def return_title(order: str) -> str:
    return f"退换申请 · {order}"


def _title(order: Order) -> str:
    title = order.lines[0].title if order.lines else order.order
    return title if len(title) <= 18 else title[:17] + "…"


def invoice_title(order: str) -> str:
    return f"开发票 · {order}"


def address_title(order: str) -> str:
    return f"改收货地址 · {order}"


def left(count: int) -> str:
    return f"剩 {count} 件" if count < 10 else "有货"
