"""Words that are said alone, in eight languages: the digits and ten orders. Written for this project; zh as Pinyin with tones.

make_commands.py has some of them packaged, make_tiny_commands.py pretrains on the others.
"""

WORDS = {
    "en": "zero one two three four five six seven eight nine yes no stop go up down left right open close",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf oui non arrête avance monte descends gauche droite ouvre ferme",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve sí no para sigue sube baja izquierda derecha abre cierra",
    "nl": "nul een twee drie vier vijf zes zeven acht negen ja nee stop rijden omhoog omlaag links rechts openen sluiten",
    "ru": "ноль один два три четыре пять шесть семь восемь девять да нет стой иди вверх вниз влево вправо открой закрой",
    "zh": "ling2 yi1 er4 san1 si4 wu3 liu4 qi1 ba1 jiu3 shi4 bu4 ting2 zou3 shang4 xia4 zuo3 you4 kai1 guan1",
    "it": "zero uno due tre quattro cinque sei sette otto nove sì no ferma vai sali scendi sinistra destra apri chiudi",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun ja nein halt los hoch runter links rechts auf zu",
}
WORDS = {language: words.split() for language, words in WORDS.items()}
PRETRAINED = tuple(language for language in WORDS if language != "de")  # German stays new, for who is to learn it
