"""Number words of several languages, and detection of compound, misspelled and disguised ones."""

import re
from functools import lru_cache

ONES: dict[str, float] = dict(zip("zero one two three four five six seven eight nine".split(), range(10), strict=True))
TEENS: dict[str, float] = dict(
    zip(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        range(10, 20),
        strict=True,
    )
)
TENS: dict[str, float] = dict(
    zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True)
)
SCALES: dict[str, float] = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "quadrillion": 1e15,
    "lakh": 1e5,
    "crore": 1e7,
    "dozen": 12.0,
}
CARDINALS: dict[str, float] = {**ONES, **TEENS, **TENS, "fourty": 40, "nought": 0, "naught": 0, "nil": 0, "couple": 2}
ORDINALS: dict[str, float] = {
    **dict(
        zip(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth".split(),
            range(1, 20),
            strict=True,
        )
    ),
    **{f"{ten[:-1]}ieth": value for ten, value in TENS.items()},
    "hundredth": 1e2,
    "thousandth": 1e3,
    "millionth": 1e6,
    "billionth": 1e9,
}
PARTS: dict[str, float] = {
    **{word: 1.0 / value for word, value in ORDINALS.items() if value >= 3},
    "half": 0.5,
    "quarter": 0.25,
}
"""Value of a word after "a", "one" or a count: a third, two fifths."""
MULTIPLES: dict[str, float] = {
    **dict.fromkeys("twice double doubled doubles doubling doubly twofold".split(), 2.0),
    **dict.fromkeys("thrice triple tripled triples tripling triply treble trebled trebles trebling".split(), 3.0),
    **dict.fromkeys("quadruple quadrupled quadruples quadrupling".split(), 4.0),
    **dict.fromkeys("quintuple quintupled quintuples quintupling".split(), 5.0),
    **dict.fromkeys("sextuple sextupled".split(), 6.0),
    **dict.fromkeys("septuple septupled".split(), 7.0),
    **dict.fromkeys("octuple octupled".split(), 8.0),
    **dict.fromkeys("halve halved halves halving".split(), 0.5),
    "tenfold": 10.0,
}
YEARS: dict[str, float] = {"decade": 10, "century": 100, "millennium": 1000}

_VAGUE = (
    "decades centuries millennia fortnight fortnights fortnightly halfway biannual biannually biennial bimonthly "
    "biweekly semiannual semiannually triennial quinquennial decennial centennial bicentennial centenary bicentenary "
    "quincentenary triannual quadrennial decupled nonuple sexagenarian septuagenarian octogenarian nonagenarian "
    "centenarian lustrum duo trio quartet quintet sextet septet octet nonet dyad triad tetrad pentad hexad heptad "
    "octad ennead trifecta triplet triplets quadruplet quadruplets quintuplet quintuplets sextuplet sextuplets "
    "threescore fourscore twelvemonth sennight umpteen umpteenth teens twenties thirties forties fifties sixties "
    "seventies eighties nineties googol myriad zilch nada nix aught cipher cypher squared cubed thou tithe tierce "
    "fiver fivers tenner tenners pi sevn seveen thre thret fiv foour eigth nineth eigh eihgt tewlve twleve tweleve "
    "twelv tweny zer niine twelf noughts dozens hundreds thousands millions billions trillions tens ones twos threes "
    "fours fives sixes sevens eights nines zeros zeroes lakhs crores quarters"
).split()
_FOREIGN: dict[str, str] = {
    "0 de": "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn "
    "siebzehn achtzehn neunzehn zwanzig",
    "0 fr": "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dixsept "
    "dixhuit dixneuf vingt",
    "0 es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis "
    "diecisiete dieciocho diecinueve veinte veintiuno veintidos veintitres veinticuatro veinticinco veintiseis "
    "veintisiete veintiocho veintinueve treinta",
    "0 it": "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici "
    "sedici diciassette diciotto diciannove venti",
    "0 pt": "zero um dois tres quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis "
    "dezessete dezoito dezenove vinte",
    "0 nl": "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien "
    "zeventien achttien negentien twintig",
    "0 sv": "noll ett tva tre fyra fem sex sju atta nio tio elva tolv tretton fjorton femton sexton sjutton arton "
    "nitton tjugo",
    "0 pl": "zero jeden dwa trzy cztery piec szesc siedem osiem dziewiec dziesiec jedenascie dwanascie trzynascie "
    "czternascie pietnascie szesnascie siedemnascie osiemnascie dziewietnascie dwadziescia",
    "0 ja": "rei ichi ni san yon go roku nana hachi kyu juu",
    "0 ru": "nol odin dva tri chetyre pyat shest sem vosem devyat desyat odinnadtsat dvenadtsat",
    "0 la": "nihil unus duo tres quattuor quinque sex septem octo novem decem undecim duodecim",
    "0 da": "nul en to tre fire fem seks syv otte ni ti elleve tolv tretten fjorten femten seksten sytten atten nitten "
    "tyve",
    "0 fi": "nolla yksi kaksi kolme nelja viisi kuusi seitseman kahdeksan yhdeksan kymmenen yksitoista kaksitoista "
    "kolmetoista neljatoista viisitoista kuusitoista",
    "0 tr": "sifir bir iki uc dort bes alti yedi sekiz dokuz on",
    "0 hu": "nulla egy ketto harom negy ot hat het nyolc kilenc tiz",
    "0 cs": "nula jeden dva tri ctyri pet sest sedm osm devet deset jedenact dvanact trinact ctrnact patnact",
    "0 ro": "zero unu doi trei patru cinci sase sapte opt noua zece",
    "0 id": "nol satu dua tiga empat lima enam tujuh delapan sembilan sepuluh sebelas",
    "0 sw": "sifuri moja mbili tatu nne tano sita saba nane tisa kumi",
    "0 eo": "nul unu du tri kvar kvin ses sep ok nau dek",
    "0 cy": "sero un dau tri pedwar pump chwech saith wyth naw deg",
    "0 el": "miden ena dyo tria tessera pente exi epta okto ennea deka enteka dodeka",
    "0 hi": "shunya ek do teen char paanch chhah saat aath nau das gyarah barah",
    "0 zh": "ling yi er san si wu liu qi ba jiu shi",
    "0 ar": "sifr wahid ithnan thalatha arbaa khamsa sitta sabaa thamania tisaa ashara",
    "0 he": "efes echad shtayim shalosh arba chamesh shesh sheva shmone tesha eser",
    "0 ko": "yeong hana dul set net daseot yeoseot ilgop yeodeol ahop yeol",
}
_FOREIGN_TENS = {
    10: "zehn dix diez dieci",
    20: "zwanzig vingt veinte venti twintig kaksikymmenta yirmi dwadziescia dvadtsat husz dvacet",
    30: "dreissig dreiszig trente treinta trenta trinta dertig trettio kolmekymmenta otuz tridtsat harminc tricet",
    40: "vierzig quarante cuarenta quaranta quarenta veertig fyrtio sorok negyven ctyricet",
    50: "funfzig cinquante cincuenta cinquanta cinquenta vijftig femtio elli pyatdesyat otven padesat",
    60: "sechzig soixante sesenta sessanta sessenta zestig sextio altmis hatvan",
    70: "siebzig septante setenta settanta zeventig sjuttio yetmis hetven",
    80: "achtzig huitante octante ochenta ottanta oitenta tachtig attio seksen nyolcvan",
    90: "neunzig nonante noventa novanta negentig nittio doksan kilencven",
    100: "hundert cent ciento cien cento honderd hundra hundrede sata yuz szaz seratus",
    200: "doscientos doscientas duecento",
    500: "quinientos quinientas",
    1000: "tausend mille mil mila duizend tusen tusind tuhat tysiac tysyacha ezer seribu",
}
_FOREIGN_OTHERS = (
    "zwo zweite dritte dritter drittel drittes viertel halb halbe hundertstel dutzend fuenf zwoelf fuenfzehn fuenfzig "
    "eine demi moitie quart douzaine dizaine vingtaine centaine mitad medio media tercio cuarto docena mezzo meta "
    "terzo dozzina doble dobro metade doppio verdoppelt verdreifacht doppelt halbiert milliard milliarde milliarden "
    "milliards millionen millones milioni mezza premier deuxieme troisieme quatrieme cinquieme dixieme segundo tercero "
    "secondo dreissigste zwanzigste einhundert eintausend zweihundert dreihundert ventuno ventotto trentuno trentotto"
).split()
ENGLISH_TOO = frozenset(
    "due seize once elf un mille cent tri san ni go sem sex sexton null media medio meta quart secondo segundo premier "
    "eine een rei ett um nul du ot das ti osm dix ones wan yi cipher cypher zip nol yon odin roku quince opt lima deg "
    "bir uc het ses sep dek naw wu liu qi ba jiu shi efes ena hana ek teen saat dau nova noua kirk doze dua".split()
)
"""Foreign words that are English too, or names or abbreviations: a number only before a unit."""

_ENGLISH_ONLY = frozenset("en to on hat pet ok do char set net ling ne er si fire pump as".split())
"""Foreign numbers whose spelling is a common English word: never a number."""

_TEN_STEMS = {"funf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "ein": 1, "zwei": 2, "drei": 3, "vier": 4}
_GERMAN_TENS = {
    "zwanzig": 20, "dreissig": 30, "vierzig": 40, "funfzig": 50, "sechzig": 60, "siebzig": 70, "achtzig": 80,
    "neunzig": 90,
}  # fmt: skip
_ITALIAN_ONES = {"due": 2, "tre": 3, "quattro": 4, "cinque": 5, "sei": 6, "sette": 7, "nove": 9}
_ITALIAN_TENS = {
    "venti": 20, "trenta": 30, "quaranta": 40, "cinquanta": 50, "sessanta": 60, "settanta": 70, "ottanta": 80,
    "novanta": 90,
}  # fmt: skip


def _foreign_words() -> dict[str, float | None]:
    words: dict[str, float | None] = dict.fromkeys(_FOREIGN_OTHERS)
    for line in _FOREIGN.values():
        words |= {word: float(value) for value, word in enumerate(line.split())}
    words["treinta"] = 30.0
    for value, line in _FOREIGN_TENS.items():
        words |= dict.fromkeys(line.split(), float(value))
    words |= {f"{one}und{ten}": float(n + t) for one, n in _TEN_STEMS.items() for ten, t in _GERMAN_TENS.items()}
    words |= {f"{ten}{one}": float(n + t) for one, n in _ITALIAN_ONES.items() for ten, t in _ITALIAN_TENS.items()}
    words |= {
        f"{ten[:-1]}{one}": float(t + n) for ten, t in _ITALIAN_TENS.items() for one, n in (("uno", 1), ("otto", 8))
    }
    return {word: value for word, value in words.items() if word not in _ENGLISH_ONLY}


FOREIGN = _foreign_words()
_ENGLISH: dict[str, float | None] = {
    **dict.fromkeys(_VAGUE),
    **CARDINALS,
    **SCALES,
    **ORDINALS,
    **MULTIPLES,
    **YEARS,
    **dict.fromkeys([f"{word}s" for word in ORDINALS if word != "second"]),
    "half": 0.5,
    "quarter": 0.25,
}
WORDS: dict[str, float | None] = {**FOREIGN, **_ENGLISH}
"""Every single word that is a number, folded to plain letters; None if its value is vague or depends on context."""

_STEMS = sorted(
    {*CARDINALS, *SCALES, *ORDINALS, "half", "hundreds", "thousands", "millions"} - {"couple"}, key=len, reverse=True
)
_ENDINGS = (
    ""
    "fold|s|th|ths|percent|percents|pct|percentage|points?|bps?|basis(?:points?)?|years?|months?|weeks?|days?|times|ish|x|dollars?|euros?"
)
_GROWN = re.compile(f"(?:(?:{'|'.join(_STEMS)})(?:and)?)+(?:{_ENDINGS})?")
_GERMAN = re.compile(
    r"(?:(?:ein|zwei|drei|vier|funf|fuenf|sechs|sieben|acht|neun|zehn|elf|zwolf|zwoelf|zwanzig|\w{3,6}zig|dreissig|"
    r"hundert|tausend)(?:und)?){2,}(?:s?te[nrs]?|prozent|fach)?|\w*(?:hundert|tausend)\w*|\w{3,}prozent(?:ig\w*)?"
)
_ILLION = re.compile(r"(?:m|b|tr|quadr|quint|sext|sept|oct|non|dec|z|gaz|baz|baj|squ|j|k)illion(?:s|th|ths|fold|aire)?")
_LONG = tuple(
    word
    for word in {*CARDINALS, *SCALES, *ORDINALS}
    if len(word) >= 6 and word not in {"nought", "naught", "second", "couple"}
)
_INSIDE = re.compile("|".join(sorted({*_LONG, "seven", "fifty", "sixty", "forty", "dozen"} - {"eighty"})))
_EDITED = (*_LONG, *"three seven eight forty fifty sixty".split())
_LONG_OF = {length: tuple(w for w in _EDITED if abs(len(w) - length) <= 1) for length in range(4, 16)}
_BACKWARDS = frozenset(word for word in {*CARDINALS, *SCALES} if len(word) >= 4)
_NEAR = frozenset(
    "weighty thirsty fourths minion pillion mullion bullion seconds season forth nicety mighty there thee threw tree "
    "thrive even evens seen sever severn steven stevens severe light lights might night nights right rights sight "
    "sights tight fight fights height heights weight weights freight wight bight fort forts forte forths nifty shree "
    "tree trees these theme".split()
)
"""English words one letter away from a number."""
_LEET = str.maketrans("$€£!|@+¥", "selilaty")


@lru_cache(maxsize=8192)
def is_number_word(word: str) -> bool:
    """Whether a lower-case word is a number, in any spelling."""
    if word in WORDS:
        return True
    if word in _NEAR:
        return False
    if _GROWN.fullmatch(word) or _ILLION.fullmatch(word) or _GERMAN.fullmatch(word):
        return True
    return _is_disguised(word)


def _is_disguised(word: str) -> bool:
    if len(word) < 4:
        return False
    if _INSIDE.search(word) or _squeeze(word) in _SQUEEZED or word[::-1] in _BACKWARDS:
        return True
    return any(within_one_edit(word, number) for number in _LONG_OF.get(len(word), ()))


def _squeeze(word: str) -> str:
    """Collapse letters repeated three times or more; empty if there are none."""
    return re.sub(r"([a-z])\1{2,}", r"\1", word) if re.search(r"([a-z])\1{2,}", word) else ""


_SQUEEZED = frozenset({*_ENGLISH, *(re.sub(r"(.)\1+", r"\1", word) for word in _ENGLISH)}) - {""}


def unmask(word: str) -> str:
    """Replace look-alike signs by letters: `$even`, `f!ve`, `tvvelve`."""
    return word.translate(_LEET).replace("vv", "w").replace("\\/\\/", "w")


def within_one_edit(word: str, number: str) -> bool:
    """Whether one insertion, deletion, replacement or swap of neighbours turns `word` into `number`."""
    start = next((i for i, (a, b) in enumerate(zip(word, number, strict=False)) if a != b), None)
    if start is None:
        return True
    rest, number_rest = word[start:], number[start:]
    swapped = len(rest) > 1 and rest[1] + rest[0] + rest[2:] == number_rest
    return swapped or rest[1:] == number_rest[1:] or rest[1:] == number_rest or rest == number_rest[1:]
