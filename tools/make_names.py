"""The packaged data set `names`: short Chinese texts with persons, places, organisations and products marked in them.

    python tools/make_names.py [--out labkit/assets/names.jsonl]

All words and sentence patterns below were written for labkit; no list of anybody else's went in. Names are put together from
parts, sentences from patterns. The card of the set:

* 1,200 rows: 800 train, 150 valid, 250 test, in the column `split`. Types PER, LOC, ORG, PROD; about a quarter of the rows
  hold none. `gloss` tells the row in English, names by their type.
* It is no lookup: given names, place stems, brands and some kinds of organisation belong to one split alone, and 7 of 10 test
  rows come from patterns that no other split has (`pattern`: "unseen").
* Edges take reading: "青溪" is a place, "青溪市第二医院" one organisation, "青溪牌毛巾" a product; surnames and stems stand
  in ordinary words too ("高兴", "马上", "石头").
* What it is not: text that people wrote. Patterns are few, names are made up, and a model that is good here has learned these
  patterns. Real news are harder (docs/LOG.md).
"""

import argparse
import json
import random
from pathlib import Path

SIZES = {"train": 800, "valid": 150, "test": 250}
EMPTY = 0.15  # share of the rows without an entity
SEEN = 0.3  # share of the test rows whose pattern the training rows have too

SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金白江方".replace(
    " ", ""
)
DOUBLE = {"train": ["欧阳", "司马", "上官"], "valid": ["诸葛"], "test": ["尉迟", "令狐"]}
GIVEN = {
    "train": "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂文辉玲云建国红春秀兰英华燕凤洁梅琳素莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珍贞莉",
    "valid": "宇浩然轩思雨欣怡晨梓涵博",
    "test": "启航子墨若溪一诺奕辰亦菲景行知夏予安沐阳清越书砚",
}
FOREIGN = {
    "train": ["安德里克", "莉莎·莫雷", "托比", "玛尔塔·科恩", "伊万诺", "苏菲", "卡洛斯·维加", "汉娜"],
    "valid": ["尼尔斯", "罗莎·贝克"],
    "test": ["埃米尔·斯特恩", "朱利安", "薇拉·诺瓦克", "奥托"],
}
STEMS = {
    "train": [
        "青溪",
        "白石",
        "云山",
        "临江",
        "永安",
        "长桥",
        "新丰",
        "南湖",
        "清泉",
        "龙湾",
        "玉林",
        "金沙",
        "桃源",
        "柳河",
        "松岭",
        "竹溪",
        "梅山",
        "荷塘",
        "枫桥",
        "石门",
    ],
    "valid": ["东平", "凤鸣", "锦屏", "桂园", "平原"],
    "test": ["栖霞", "双塔", "望海", "月浦", "红岩", "沙井", "鹿鸣", "古渡", "雁来", "澄阳"],
}
PLACE_ENDS = ["市", "县", "镇", "村", "区", "街道", "岛", "", "", ""]
BRANDS = {
    "train": [
        "禾木",
        "蓝鲸",
        "晨露",
        "星舟",
        "明远",
        "百川",
        "云雀",
        "暖阳",
        "三叶",
        "飞鸿",
        "正源",
        "海棠",
        "金穗",
        "小鹿",
        "天工",
        "瑞和",
    ],
    "valid": ["长风", "拾光", "青鸟", "广厦"],
    "test": ["逐浪", "麦田", "燕归", "知秋", "启明", "半夏", "九章", "雪松"],
}
ORG_ENDS = {
    "train": [
        "机械厂",
        "科技有限公司",
        "科技",
        "大学",
        "出版社",
        "集团",
        "银行",
        "食品公司",
        "物流",
        "篮球队",
        "中学",
        "报社",
    ],
    "valid": ["设计院", "药业", "电视台"],
    "test": ["研究院", "合作社", "话剧团", "基金会", "传媒", "足球俱乐部"],
}
PUBLIC_ENDS = {
    "train": ["第二医院", "第一中学", "图书馆", "人民法院", "教育局", "博物馆", "消防队", "实验小学", "气象台"],
    "valid": ["妇幼保健院", "交通局"],
    "test": ["儿童医院", "体育局", "档案馆", "第三小学", "红十字会"],
}
KINDS = {
    "train": ["手机", "牌电饭锅", "牌毛巾", "耳机", "牌酸奶", "平板", "自行车", "牌洗衣液"],
    "valid": ["手表", "牌面粉"],
    "test": ["音箱", "牌保温杯", "台灯", "牌豆浆机"],
}
MODELS = {"train": ["X3", "2代", "Pro", "S10", "Mini"], "valid": ["Air", "7"], "test": ["K20", "Max", "5代", "T1"]}

PATTERNS = {  # (Chinese, English); P person, L place, O organisation, D product
    "train": [
        ("{P}昨天从{L}回来了", "{P} came back from {L} yesterday"),
        ("{P}在{O}工作了十年", "{P} has worked at {O} for ten years"),
        ("{O}的{P}今天来{L}做报告", "{P} of {O} gives a talk in {L} today"),
        ("请把包裹寄到{L}，收件人{P}", "please send the parcel to {L}, addressee {P}"),
        ("我买的{D}用了两天就坏了", "the {D} I bought broke after two days"),
        ("{O}发布了新款{D}，售价九百元", "{O} released the new {D} for nine hundred yuan"),
        ("{L}今天下午有大雨", "heavy rain in {L} this afternoon"),
        ("听说{P}要去{O}当老师", "I hear {P} will be a teacher at {O}"),
        ("{P}和{P}是在{O}认识的", "{P} and {P} met at {O}"),
        ("{O}明年要在{L}建一个新厂", "{O} will build a new plant in {L} next year"),
        ("去{L}的车几点开", "when does the bus to {L} leave"),
        ("{P}，你的{D}到了，请来前台取", "{P}, your {D} has arrived, please collect it at the desk"),
        ("{P}的奶奶住在{L}", "{P}'s grandmother lives in {L}"),
        ("{O}招聘司机两名，地点{L}", "{O} is hiring two drivers, place {L}"),
        ("我们在{L}等了{P}一个小时", "we waited for {P} an hour in {L}"),
        ("主持人{P}采访了{O}的负责人", "host {P} interviewed the head of {O}"),
        ("{D}比{D}便宜一百块", "{D} is a hundred yuan cheaper than {D}"),
        ("她把{D}忘在{L}的出租车上了", "she left her {D} in a taxi in {L}"),
        ("{O}输给了{O}，比分三比一", "{O} lost to {O} three to one"),
        ("{P}说{O}的食堂不错", "{P} says the canteen of {O} is good"),
        ("记者{P}从{L}发回报道", "reporter {P} reports from {L}"),
        ("{L}到{L}的高铁只要四十分钟", "the fast train from {L} to {L} takes only forty minutes"),
        ("经理{P}决定召回全部{D}", "manager {P} decided to recall all {D}"),
        ("{O}捐给{L}一批图书", "{O} gave {L} a load of books"),
        ("周六{P}结婚，酒席设在{L}", "{P} marries on Saturday, the dinner is in {L}"),
        ("{P}写的书由{O}出版", "the book by {P} is published by {O}"),
        ("客服说{D}要下个月才有货", "support says {D} will be in stock next month only"),
        ("{L}的老人都认识{P}", "all the old people of {L} know {P}"),
        ("昨晚{L}停电，{O}派人抢修", "power failed in {L} last night, {O} sent people to repair it"),
        ("{P}把旧{D}送给了{P}", "{P} gave the old {D} to {P}"),
        ("{O}的医生{P}做了六个小时手术", "doctor {P} of {O} operated for six hours"),
        ("{P}毕业于{O}，现在住在{L}", "{P} graduated from {O} and lives in {L} now"),
        ("想问一下{L}哪里能修{D}", "where in {L} can a {D} be repaired"),
        ("{O}起诉{O}一案下周开庭", "the case of {O} against {O} opens next week"),
        ("我在{O}门口看见{P}了", "I saw {P} at the gate of {O}"),
        ("{P}给{O}写了一封感谢信", "{P} wrote a letter of thanks to {O}"),
        ("{D}的屏幕太暗，{P}退货了", "the screen of {D} is too dark, {P} returned it"),
        ("从{L}出发，经过{L}，晚上到{L}", "leave {L}, pass {L}, arrive in {L} at night"),
        ("{P}当选为{L}的村长", "{P} was elected head of {L}"),
        ("{O}和{O}合作开发{D}", "{O} and {O} develop {D} together"),
        ("老师让{P}介绍自己的家乡{L}", "the teacher asked {P} to talk of home, {L}"),
        ("{P}在{L}开了一家小店，专卖{D}", "{P} opened a small shop in {L} that sells {D} only"),
        ("据{O}消息，{L}发生三级地震", "according to {O} there was a small earthquake in {L}"),
        ("{P}、{P}和{P}分在一组", "{P}, {P} and {P} are in one group"),
        ("{O}的股票今天跌了不少", "the shares of {O} fell a lot today"),
        ("快递员{P}救了一个落水的孩子", "courier {P} saved a child from the water"),
        ("明天{O}放假，大家去{L}爬山", "{O} has a holiday tomorrow, all go climbing in {L}"),
        ("妈妈说{D}不如以前好用了", "mum says {D} is not as good as it was"),
        ("{P}因为{D}和店主吵了起来", "{P} had a row with the shop owner over a {D}"),
        ("{L}人{P}今年八十岁", "{P} from {L} is eighty this year"),
    ],
    "valid": [
        ("{P}代表{O}领了奖", "{P} took the prize for {O}"),
        ("{L}的桃子熟了，{P}请大家去摘", "the peaches of {L} are ripe, {P} asks all to pick"),
        ("{D}在{L}卖得最好", "{D} sells best in {L}"),
        ("{O}今天搬到了{L}", "{O} moved to {L} today"),
        ("谁有{P}的电话，他的{D}落在我这里", "who has the number of {P}? his {D} is here with me"),
        ("{P}向{O}借了三万块钱", "{P} borrowed thirty thousand from {O}"),
    ],
    "test": [
        ("{O}宣布由{P}接任院长", "{O} announced that {P} takes over as head"),
        ("早班飞机落在{L}时，{P}还没睡醒", "when the early plane landed in {L}, {P} was still asleep"),
        ("{P}花两千块换了一台{D}", "{P} spent two thousand on a new {D}"),
        ("暴雨过后，{L}和{L}之间的路断了", "after the storm the road between {L} and {L} was cut"),
        ("昨天的比赛里，{O}的{P}进了两个球", "in yesterday's match {P} of {O} scored twice"),
        ("{D}涨价的事，{O}没有回应", "{O} did not comment on the price of {D}"),
        ("姐姐在{L}读书，常去{O}做义工", "my sister studies in {L} and often helps at {O}"),
        ("作家{P}的新书写的是{L}的渔民", "the new book of writer {P} is about the fishermen of {L}"),
        ("有人在{L}捡到一部{D}，失主是{P}", "somebody found a {D} in {L}, its owner is {P}"),
        ("经{O}检查，这批{D}全部合格", "{O} found all of these {D} in order"),
        ("{P}教授下个月离开{O}，回{L}养老", "professor {P} leaves {O} next month and retires to {L}"),
        ("{L}的夜市很热闹，{P}天天去", "the night market of {L} is lively, {P} goes every day"),
        ("本报讯：{O}向{L}的学校赠送{D}", "news: {O} gives {D} to the schools of {L}"),
        ("警察{P}追了三条街，把小偷抓住了", "policeman {P} ran three streets and caught the thief"),
        ("如果坐船，从{L}去{L}要两天", "by boat it takes two days from {L} to {L}"),
        ("{P}唱得比{P}好，评委却来自{O}", "{P} sang better than {P}, but the jury came from {O}"),
        ("孩子吵着要{D}，{P}只好答应", "the child clamoured for a {D}, {P} had to give in"),
        ("{O}门前排起了长队", "a long queue formed before {O}"),
        ("今年{L}的游客比去年多一倍", "{L} has twice the visitors of last year"),
        ("这台{D}是{P}修好的", "it was {P} who repaired this {D}"),
        ("导演{P}选了{L}来拍这部戏", "director {P} chose {L} to shoot the play"),
        ("{O}欠了{O}三年的租金", "{O} owes {O} three years of rent"),
        ("别买{D}，我的用了半年就不行了", "do not buy {D}, mine gave out in half a year"),
        ("{P}被{O}录取了，全家人都高兴", "{P} was admitted to {O}, the family is happy"),
        ("地图上找不到{L}，{P}问了路边的老人", "{L} was not on the map, {P} asked an old man"),
        ("{L}新开的{O}正在招人", "{O}, newly opened in {L}, is hiring"),
    ],
}
PLAIN = {  # no entity; surnames, stems and brands stand here in ordinary words
    "train": [
        ("今天真高兴，马上就要放假了", "so happy today, the holidays are near"),
        ("白天太热，晚上再去河边走走", "too hot by day, a walk by the river at night"),
        ("他把石头搬到了路边", "he moved the stone to the roadside"),
        ("医院里人很多，要早点去排队", "the hospital is crowded, queue early"),
        ("公司明天开会，请大家准时到", "the company meets tomorrow, be on time"),
        ("山上的桃花开了，一片金黄和粉红", "the peach trees bloom on the hill"),
        ("手机没电了，借我充一下", "my phone is flat, let me charge it"),
        ("老师说作业周五交", "the teacher says homework is due on Friday"),
        ("江边风大，记得多穿一件", "windy by the river, wear one more layer"),
        ("这家店的毛巾又软又便宜", "this shop's towels are soft and cheap"),
        ("平时不烧香，临时抱佛脚", "no incense in quiet times, clutching at straws in need"),
        ("新来的同事很爱说话", "the new colleague talks a lot"),
        ("小区门口的路又挖开了", "the road at the gate is dug up again"),
        ("他张开嘴，却没说出话", "he opened his mouth and said nothing"),
        ("周末去图书馆还是去爬山", "library or climbing at the weekend"),
        ("电饭锅怎么煮粥", "how to cook congee in the cooker"),
        ("这条河以前很清，现在不行了", "the river was clear once, not any more"),
        ("任何人都可以参加", "anybody can take part"),
        ("天上的云像一群白羊", "the clouds are like sheep"),
        ("方便的话，帮我带一份早饭", "bring me breakfast if you can"),
        ("银行周日不上班", "the bank is closed on Sundays"),
        ("村里的老人喜欢坐在桥头聊天", "the village elders chat at the bridge"),
        ("她唱歌的时候，大家都安静了", "all fell silent when she sang"),
        ("这本书讲的是一个渔民的故事", "this book tells of a fisherman"),
        ("高铁晚点四十分钟，大家都急了", "the train is forty minutes late"),
        ("篮球比赛改到下周三", "the basketball match moved to next Wednesday"),
    ],
    "valid": [
        ("黄昏的时候，湖面是红的", "at dusk the lake is red"),
        ("校长说明年要盖新楼", "the head says a new building comes next year"),
        ("程序又出错了，重新开机试试", "the program failed again, try to restart"),
    ],
    "test": [
        ("古人说，读万卷书，行万里路", "the ancients said: read much, travel far"),
        ("早上的雾太大，看不见对面的山", "the fog hid the hill this morning"),
        ("孩子们在田里追蝴蝶", "the children chase butterflies in the field"),
        ("研究了半天，还是不会用", "studied it for hours and still cannot use it"),
        ("音箱的声音忽大忽小", "the loudspeaker goes loud and low"),
        ("合作愉快，下次再见", "good to work with you, see you again"),
        ("他启动车子，慢慢开出了院子", "he started the car and drove out slowly"),
        ("雪停了，松树上挂满了冰", "the snow stopped, ice hangs on the pines"),
        ("沙滩上的脚印一会儿就没了", "footprints on the beach are soon gone"),
        ("儿童票半价，老人免费", "children half price, the old for free"),
    ],
}
OPENINGS = {  # before a sentence, now and then
    "train": ["", "", "", "", "听说，", "对了，", "据报道，", "群里说，", "顺便说一句，", "唉，"],
    "valid": ["", "", "另外，", "隔壁说，"],
    "test": ["", "", "", "刚听说，", "有消息说，", "提醒一下，", "看来，"],
}
ENDS = ["", "", "。", "。", "！", "……", "，真的"]
LABELS = {"P": "PER", "L": "LOC", "O": "ORG", "D": "PROD"}


def person(rng, split: str) -> str:
    if rng.random() < 0.1:
        return rng.choice(FOREIGN[split])
    surname = rng.choice(DOUBLE[split]) if rng.random() < 0.05 else rng.choice(SURNAMES)
    return surname + "".join(rng.sample(GIVEN[split], rng.choice((1, 2, 2))))


def place(rng, split: str) -> str:
    return rng.choice(STEMS[split]) + rng.choice(PLACE_ENDS)


def organisation(rng, split: str) -> str:
    if rng.random() < 0.4:
        return rng.choice(STEMS[split]) + rng.choice("市县区") + rng.choice(PUBLIC_ENDS[split])
    ends = ORG_ENDS[split] if split == "train" or rng.random() < 0.5 else ORG_ENDS["train"]
    return rng.choice(BRANDS[split] if rng.random() < 0.7 else STEMS[split]) + rng.choice(ends)


def product(rng, split: str) -> str:
    stem = rng.choice(BRANDS[split] if rng.random() < 0.8 else STEMS[split])
    kinds = KINDS[split] if split == "train" or rng.random() < 0.5 else KINDS["train"]
    return stem + (rng.choice(MODELS[split]) if rng.random() < 0.4 else rng.choice(kinds))


MAKERS = {"P": person, "L": place, "O": organisation, "D": product}


def row(rng, split: str) -> dict:
    """One row: a pattern with names put in."""
    seen = split == "test" and rng.random() < SEEN
    patterns = (PLAIN if rng.random() < EMPTY else PATTERNS)["train" if seen else split]
    chinese, english = rng.choice(patterns)
    text, spans = rng.choice(OPENINGS[split]), []
    for part in chinese.replace("{", "\0{").replace("}", "}\0").split("\0"):
        if part[:1] == "{":
            name = MAKERS[part[1]](rng, split)
            spans.append([len(text), len(text) + len(name), LABELS[part[1]]])
            part = name
        text += part
    text += rng.choice(ENDS)
    for letter, label in LABELS.items():
        english = english.replace(f"{{{letter}}}", f"[{label}]")
    kind = "unseen" if split == "test" and not seen else "seen"
    return {"text": text, "spans": spans, "split": split, "pattern": kind, "gloss": english}


def rows(seed: int = 0) -> list[dict]:
    """All rows, each text once. Sentences without names are few, so that some of them recur with another opening or end."""
    rng, found = random.Random(seed), {}
    for split, size in SIZES.items():
        mine = 0
        while mine < size:
            made = row(rng, split)
            key = made["text"].strip("。！…，真的")
            if key not in found:
                found[key] = made
                mine += 1
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=str(Path(__file__).resolve().parents[1] / "labkit/assets/names.jsonl"))
    out = Path(parser.parse_args().out)
    made = rows()
    out.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in made), encoding="utf-8", newline="\n")
    print(f"{len(made)} rows, {out.stat().st_size / 1e3:.0f} kB: {out}")


if __name__ == "__main__":
    main()
