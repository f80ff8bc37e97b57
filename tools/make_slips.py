"""Write the order slips that labkit packs for question answering: `python tools/make_slips.py [FILE]`.

A slip is a line of what a shop hands its courier; a question asks for one thing on it. Half of the things stand there without
a word before them: a name is then known by its looks. Slips, things and wordings of questions are drawn by a seed from the lists below, all written for labkit. Two
wordings of each question stand in test rows alone: the column `wording` calls those rows "unseen".
"""

import json
import random
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "labkit" / "assets" / "slips.jsonl"
ROWS = {"train": 600, "valid": 100, "test": 300}
UNSEEN = 75  # of the test rows
BARE = 0.5  # share of the things that stand there without a word before them

FAMILY = "林陈王李张刘黄周吴徐孙马朱胡郭何高罗郑梁"
GIVEN = ("小满", "大江", "春生", "雨桐", "志远", "海燕", "一鸣", "文静", "国强", "秋月", "子安", "晓梅", "建平", "思齐")
STREETS = (
    "青石路",
    "河边街",
    "新华路",
    "东风巷",
    "梅园路",
    "北门街",
    "长春路",
    "白云巷",
    "花溪路",
    "南湖路",
    "学院路",
    "西城街",
)
SHOPS = (
    "老王水果店",
    "好再来面馆",
    "东门小卖部",
    "春风花店",
    "一家人超市",
    "海边鱼铺",
    "阳光书店",
    "小城茶馆",
    "北街包子铺",
)
GOODS = (
    *("红枣", "大米", "苹果", "牛肉面", "鲜花", "白菜", "鸡蛋", "豆腐", "龙井茶", "葡萄", "西瓜", "酸奶"),
    *("书包", "雨伞", "电池", "毛巾", "鲜鱼", "面包", "蜂蜜", "核桃"),
)
UNITS = ("斤", "箱", "盒", "份", "袋", "瓶", "包", "件")
DAYS = ("今天", "明天", "周一", "周二", "周三", "周四", "周五", "周六")
HOURS = ("上午9点", "上午10点", "中午12点", "下午2点", "下午3点", "下午5点", "晚上6点", "晚上8点")
PAYMENTS = ("现金", "刷卡", "微信", "月底结账", "支付宝", "货到付款", "会员卡")


def person(rng) -> str:
    return rng.choice(FAMILY) + rng.choice(GIVEN)


THINGS = {  # what may stand on a slip: how it is drawn
    "recipient": person,
    "courier": person,
    "phone": lambda rng: f"{rng.randint(200, 899)}-{rng.randint(0, 9999):04}",
    "address": lambda rng: f"{rng.choice(STREETS)}{rng.randint(1, 199)}号",
    "goods": lambda rng: rng.choice(GOODS),
    "amount": lambda rng: f"{rng.randint(1, 30)}{rng.choice(UNITS)}",
    "price": lambda rng: f"{rng.randint(5, 480)}元",
    "time": lambda rng: f"{rng.choice(DAYS)}{rng.choice(HOURS)}",
    "payment": lambda rng: rng.choice(PAYMENTS),
    "shop": lambda rng: rng.choice(SHOPS),
}
LEADS = {  # what a slip writes before each of them
    "recipient": ("收件人：", "收货人：", "顾客：", "收："),
    "courier": ("骑手：", "送货员：", "派送：", "由"),
    "phone": ("电话：", "联系电话：", "手机：", "请打"),
    "address": ("地址：", "送货地址：", "住址：", "送到"),
    "goods": ("货物：", "商品：", "品名：", "买了"),
    "amount": ("数量：", "件数：", "共", "总共"),
    "price": ("金额：", "总价：", "应付：", "收款"),
    "time": ("时间：", "送达时间：", "要求送到：", "约在"),
    "payment": ("付款：", "付款方式：", "结算：", "用"),
    "shop": ("店铺：", "商家：", "发货店：", "来自"),
}
ASKED = {  # wordings of the question that any row may have
    "recipient": ("谁来收这份货？", "收件人叫什么名字？", "这是给哪位顾客的？", "收货人是谁？"),
    "courier": ("谁来送这一单？", "骑手叫什么名字？", "送货员是谁？", "这一单派给了哪位骑手？"),
    "phone": ("联系电话是多少？", "单子上写的电话号码是什么？", "要找顾客，打哪个电话？", "手机号是多少？"),
    "address": ("货送到什么地方？", "送货地址是哪里？", "地址写的是什么？", "这一单要送去哪里？"),
    "goods": ("买的是什么东西？", "这一单是什么商品？", "送的是什么货物？", "单子上的品名是什么？"),
    "amount": ("一共买了多少？", "数量是多少？", "这一单有几件？", "货物总共有多少？"),
    "price": ("要付多少钱？", "总价是多少？", "这一单的金额是多少？", "应该收多少钱？"),
    "time": ("什么时候送到？", "送达时间是几点？", "要求哪天送到？", "时间写的是什么？"),
    "payment": ("怎么付款？", "付款方式是什么？", "用什么方式结账？", "这一单怎么结算？"),
    "shop": ("是哪家店发的货？", "店铺叫什么名字？", "商家是谁？", "东西来自哪家店？"),
}
ASKED_UNSEEN = {  # wordings that stand in test rows alone
    "recipient": ("哪位顾客等着收货？", "东西交到谁手上？"),
    "courier": ("跑这一趟的骑手是哪位？", "派谁去送货？"),
    "phone": ("怎样打电话找到他？", "请告诉我联系号码。"),
    "address": ("货要送往哪条路？", "顾客住在哪里？"),
    "goods": ("袋子里装的是什么商品？", "顾客买了啥？"),
    "amount": ("货物有几件？", "这些货数一数有多少？"),
    "price": ("总价要付多少？", "顾客得掏多少钱？"),
    "time": ("哪一天要送到？", "最晚几点送达？"),
    "payment": ("用哪种付款方式？", "钱从哪里付？"),
    "shop": ("商家的名字是什么？", "谁家店铺卖的？"),
}
MEANING = {  # of the question, for readers of English
    "recipient": "Who receives it?",
    "courier": "Who delivers it?",
    "phone": "What is the telephone number?",
    "address": "Where does it go?",
    "goods": "What was bought?",
    "amount": "How many?",
    "price": "What does it cost?",
    "time": "When is it to arrive?",
    "payment": "How is it paid?",
    "shop": "Which shop does it come from?",
}


def slip(rng) -> tuple[str, dict[str, tuple[str, int]]]:
    """The text of a slip, and each thing on it with the place where it stands."""
    names = rng.sample(sorted(THINGS), rng.randint(4, 6))
    text, found, gap = "", {}, rng.choice("，，；")
    for name in names:
        text += gap if text else ""
        if name == "courier" or rng.random() > BARE:  # of two names nobody could tell which is whose
            text += rng.choice(LEADS[name])
        value = THINGS[name](rng)
        found[name] = (value, len(text))
        text += value
    return text + "。", found


def rows() -> list[dict]:
    """Every row, in the order of the file."""
    rng, made = random.Random(20), []
    for split, count in ROWS.items():
        for i in range(count):
            unseen = split == "test" and i < UNSEEN
            text, found = slip(rng)
            name = rng.choice(sorted(found))
            value, start = found[name]
            made.append(
                {
                    "question": rng.choice((ASKED_UNSEEN if unseen else ASKED)[name]),
                    "context": text,
                    "answers": {"text": [value], "answer_start": [start]},
                    "split": split,
                    "asks": name,
                    "holds": " ".join(found),
                    "wording": "unseen" if unseen else "seen",
                    "gloss": MEANING[name],
                }
            )
    return made


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    place.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()), "utf-8")
    print(f"{place}: {place.stat().st_size:,} bytes")
