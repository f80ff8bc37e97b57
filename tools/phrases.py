"""Short phrases in seven languages and what each is in Chinese, written by program: numbers 0 to 99, dates, orders.

make_clips.py has them spoken, make_tiny_speech.py pretrains on them, bench_phrases.py asks for them. Everything is lower case
and without punctuation, as it is said; French and Spanish keep their accents.
"""

from dataclasses import dataclass

LANGUAGES = ("en", "fr", "es", "nl", "ru", "zh", "de")


@dataclass(frozen=True)
class Phrase:
    """What is said in a language, and the same in Chinese."""

    kind: str  # "number", "date" or "order"
    index: int  # the same for the same thing in every language
    language: str
    text: str
    chinese: str

    @property
    def held(self) -> bool:
        """Whether it is never heard in this language before it is asked for: other languages may hear it."""
        shift = LANGUAGES.index(self.language)
        if self.kind == "number":  # each ten and each digit is heard in other numbers
            return self.index > 20 and self.index % 10 > 0 and (3 * self.index + 2 * shift + self.index // 10) % 5 == 0
        return (self.index + 2 * shift) % 7 == 0


# Numbers

CHINESE = "零一二三四五六七八九"
ONES = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix_sept dix_huit "
    "dix_neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho "
    "veintinueve",
    "nl": "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien "
    "achttien negentien",
    "ru": "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать четырнадцать "
    "пятнадцать шестнадцать семнадцать восемнадцать девятнадцать",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn",
}
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "fr": "vingt trente quarante cinquante soixante",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "nl": "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
    "ru": "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
}
ONES = {k: [w.replace("_", " ") for w in v.split()] for k, v in ONES.items()}
TENS = {k: v.split() for k, v in TENS.items()}


def number(language: str, n: int) -> str:
    """A number from 0 to 99 in words.

    >>> number("fr", 97), number("de", 74), number("zh", 23)
    ('quatre vingt dix sept', 'vierundsiebzig', '二十三')
    """
    ten, one = divmod(n, 10)
    if language == "zh":
        return CHINESE[n] if n < 10 else (CHINESE[ten] if ten > 1 else "") + "十" + (CHINESE[one] if one else "")
    ones = ONES[language]
    if n < len(ones):
        return ones[n]
    if language == "fr" and n >= 60:
        rest = n - 60 if n < 80 else n - 80
        base = "soixante" if n < 80 else "quatre vingt" + ("" if rest else "s")
        return " ".join([base, *(["et"] if rest in (1, 11) and n < 80 else []), *([ones[rest]] if rest else [])])
    tens = TENS[language][ten - 2]
    if not one:
        return tens
    if language == "de":
        return ("ein" if one == 1 else ones[one]) + "und" + tens
    if language == "nl":
        return ones[one] + ("ën" if ones[one].endswith("e") else "en") + tens
    between = {"fr": " et " if one == 1 else " ", "es": " y "}.get(language, " ")
    return tens + between + ones[one]


# Dates

MONTHS = {
    "en": "january february march april may june july august september october november december",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
}
MONTHS = {k: v.split() for k, v in MONTHS.items()}
ORDINALS = {
    "en": "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth",
    "ru": "первое второе третье четвёртое пятое шестое седьмое восьмое девятое десятое одиннадцатое двенадцатое тринадцатое "
    "четырнадцатое пятнадцатое шестнадцатое семнадцатое восемнадцатое девятнадцатое двадцатое",
    "de": "erste zweite dritte vierte fünfte sechste siebte achte",
}
ORDINALS = {k: v.split() for k, v in ORDINALS.items()}
THIRTIETH = {"en": "thirtieth", "ru": "тридцатое"}


def ordinal(language: str, n: int) -> str:
    """A day of the month as an ordinal number: English, Russian, German."""
    known = ORDINALS[language]
    if n <= len(known):
        return known[n - 1]
    if language == "de":
        return number("de", n) + ("te" if n < 20 else "ste")
    if n == 30:
        return THIRTIETH[language]
    return f"{TENS[language][n // 10 - 2]} {known[n % 10 - 1]}"


def date(language: str, month: int, day: int) -> str:
    """A day of the year: `date("de", 11, 23) == "der dreiundzwanzigste november"`."""
    if language == "zh":
        return f"{number('zh', month)}月{number('zh', day)}日"
    name = MONTHS[language][month - 1]
    match language:
        case "en":
            return f"the {ordinal('en', day)} of {name}"
        case "fr":
            return f"le {'premier' if day == 1 else number('fr', day)} {name}"
        case "es":
            return f"el {'primero' if day == 1 else number('es', day)} de {name}"
        case "nl":
            return f"{number('nl', day)} {name}"
        case "ru":
            return f"{ordinal('ru', day)} {name}"
    return f"der {ordinal('de', day)} {name}"


# Orders

PLEASE = {
    "en": "please",
    "fr": "s'il vous plaît",
    "es": "por favor",
    "nl": "alstublieft",
    "ru": "пожалуйста",
    "de": "bitte",
    "zh": "请",
}
PLAIN = {  # one order a column, the same order in every language
    "zh": "打开门|关上门|打开窗户|关上窗户|打开盒子|关上盒子|打开灯|关掉灯|打开收音机|关掉收音机|打开风扇|关掉风扇|向左转|向右转|一直走",
    "en": "open the door|close the door|open the window|close the window|open the box|close the box|turn on the light|"
    "turn off the light|turn on the radio|turn off the radio|turn on the fan|turn off the fan|turn left|turn right|go straight on",
    "fr": "ouvrez la porte|fermez la porte|ouvrez la fenêtre|fermez la fenêtre|ouvrez la boîte|fermez la boîte|allumez la lumière|"
    "éteignez la lumière|allumez la radio|éteignez la radio|allumez le ventilateur|éteignez le ventilateur|tournez à gauche|"
    "tournez à droite|allez tout droit",
    "es": "abre la puerta|cierra la puerta|abre la ventana|cierra la ventana|abre la caja|cierra la caja|enciende la luz|"
    "apaga la luz|enciende la radio|apaga la radio|enciende el ventilador|apaga el ventilador|gira a la izquierda|"
    "gira a la derecha|sigue recto",
    "nl": "open de deur|sluit de deur|open het raam|sluit het raam|open de doos|sluit de doos|doe het licht aan|doe het licht uit|"
    "doe de radio aan|doe de radio uit|doe de ventilator aan|doe de ventilator uit|ga naar links|ga naar rechts|ga rechtdoor",
    "ru": "открой дверь|закрой дверь|открой окно|закрой окно|открой коробку|закрой коробку|включи свет|выключи свет|"
    "включи радио|выключи радио|включи вентилятор|выключи вентилятор|поверни налево|поверни направо|иди прямо",
    "de": "öffne die tür|schließ die tür|öffne das fenster|schließ das fenster|öffne die kiste|schließ die kiste|mach das licht an|"
    "mach das licht aus|mach das radio an|mach das radio aus|mach den ventilator an|mach den ventilator aus|geh nach links|"
    "geh nach rechts|geh geradeaus",
}
PLAIN = {k: v.split("|") for k, v in PLAIN.items()}
DRINKS = {
    "zh": ("茶", "咖啡", "水"),
    "en": ("tea", "coffee", "water"),
    "fr": ("thé", "café", "eau"),
    "es": ("té", "café", "agua"),
    "nl": ("thee", "koffie", "water"),
    "ru": ("чая", "кофе", "воды"),
    "de": ("tee", "kaffee", "wasser"),
}


def russian(n: int, one: str, few: str, many: str) -> str:
    """The form of a Russian noun behind a number."""
    last = n % 10
    if last == 1 and n != 11:
        return one
    return few if last in (2, 3, 4) and not 11 < n < 15 else many


def cups(language: str, n: int, drink: int) -> str:
    """From two to nine cups of something."""
    what, many = DRINKS[language][drink], number(language, n)
    if language == "ru":
        many = "две" if n == 2 else many
    return {
        "zh": f"给我{'两' if n == 2 else many}杯{what}",
        "en": f"bring me {many} cups of {what}",
        "fr": f"donnez moi {many} tasses {'d’' if what == 'eau' else 'de '}{what}".replace("’", "'"),
        "es": f"dame {many} tazas de {what}",
        "nl": f"geef me {many} koppen {what}",
        "ru": f"дай мне {many} {russian(n, '', 'чашки', 'чашек')} {what}",
        "de": f"gib mir {many} tassen {what}",
    }[language]


def wake(language: str, hour: int) -> str:
    many = number(language, hour)
    return {
        "zh": f"{'两' if hour == 2 else many}点叫醒我",
        "en": f"wake me at {many} o'clock",
        "fr": f"réveillez moi à {'une heure' if hour == 1 else many + ' heures'}",
        "es": f"despiértame a la{' una' if hour == 1 else 's ' + many}",
        "nl": f"maak me om {many} uur wakker",
        "ru": f"разбуди меня в {'час' if hour == 1 else many + ' ' + russian(hour, 'час', 'часа', 'часов')}",
        "de": f"weck mich um {'ein' if hour == 1 else many} uhr",
    }[language]


def warm(language: str, degrees: int) -> str:
    many = "veintiún" if (language, degrees) == ("es", 21) else number(language, degrees)
    return {
        "zh": f"暖气调到{many}度",
        "en": f"set the heating to {many} degrees",
        "fr": f"réglez le chauffage à {many} degrés",
        "es": f"pon la calefacción a {many} grados",
        "nl": f"zet de verwarming op {many} graden",
        "ru": f"поставь отопление на {many} {russian(degrees, 'градус', 'градуса', 'градусов')}",
        "de": f"stell die heizung auf {many} grad",
    }[language]


def orders(language: str) -> list[str]:
    """Every order in a language, in the same sequence for all: first plainly, then politely."""
    plain = [*PLAIN[language], *(cups(language, n, drink) for n in range(2, 10) for drink in range(3))]
    plain += [*(wake(language, hour) for hour in range(1, 13)), *(warm(language, n) for n in range(10, 31))]
    join = "" if language == "zh" else " "
    return plain + [PLEASE[language] + join + order for order in plain]


def phrases(language: str) -> list[Phrase]:
    """Every phrase of a language: 100 numbers, 366 dates, 144 orders."""
    found = [Phrase("number", n, language, number(language, n), number("zh", n)) for n in range(100)]
    days = [
        (month, day) for month in range(1, 13) for day in range(1, 32 - (month in (4, 6, 9, 11)) - 2 * (month == 2))
    ]
    found += [Phrase("date", i, language, date(language, *d), date("zh", *d)) for i, d in enumerate(days)]
    pairs = zip(orders(language), orders("zh"), strict=True)
    return found + [Phrase("order", i, language, *pair) for i, pair in enumerate(pairs)]


# How Chinese is written for the synthesizer, which misreads characters but not pinyin

PINYIN = (
    "零ling2 一yi1 二er4 两liang3 三san1 四si4 五wu3 六liu4 七qi1 八ba1 九jiu3 十shi2 月yue4 日ri4 打da3 开kai1 关guan1 上shang4 "
    "掉diao4 门men2 窗chuang1 户hu4 盒he2 子zi5 灯deng1 收shou1 音yin1 机ji1 暖nuan3 气qi4 风feng1 扇shan4 给gei3 我wo3 杯bei1 "
    "茶cha2 咖ka1 啡fei1 水shui3 点dian3 叫jiao4 醒xing3 向xiang4 左zuo3 右you4 转zhuan3 直zhi2 走zou3 请qing3 调tiao2 到dao4 度du4"
)
PINYIN = {word[0]: word[1:] for word in PINYIN.split()}


def pinyin(text: str) -> str:
    """`pinyin("二十三") == "er4 shi2 san1"`."""
    return " ".join(PINYIN[character] for character in text)
