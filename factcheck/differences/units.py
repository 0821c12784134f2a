"""Units of measure and currencies: what they measure, and how much of the base unit they are.

A table of its own, because a unit is looked up for every number of every sentence: a parsing library costs a millisecond or
more a sentence (and reads "$2bn" as dollar-bit-newtons). Its factors are checked against pint by the tests.
"""

from dataclasses import dataclass

from factcheck.differences.lexicon import word_set
from factcheck.differences.records import Kind

__all__ = ["CURRENCY_PREFIXES", "UNITS", "Unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit.

    Attributes:
        name: one name for all its writings.
        base: the base unit of what it measures, or a currency's code.
        factor: how many of the base unit it is.
        offset: what is added after scaling (temperatures).
        kind: of the values that carry it.
    """

    name: str
    base: str
    factor: float = 1.0
    offset: float = 0.0
    kind: Kind = Kind.QUANTITY


_MEASURES = """
m 1: m metre metres meter meters | 1e3: km kms kilometre kilometres kilometer kilometers
m .01: cm centimetre centimetres centimeter centimeters
m .001: mm millimetre millimetres millimeter millimeters | 1609.344: mile miles mi | .3048: ft foot feet | .0254: inch inches
m .9144: yd yard yards | 1852: nmi nautical_mile nautical_miles | 9460730472580800: light-year light_year light_years
kg 1: kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes | .001: g gram grams gramme grammes | 1e-6: mg milligram milligrams
kg 1e3: tonne tonnes metric_ton metric_tons | .45359237: lb lbs pound pounds
kg .028349523125: oz ounce ounces
kg 6.35029318: stone | 907.18474: ton tons short_ton short_tons
m2 1: m² m2 sqm square_metre square_metres square_meter square_meters
m2 1e6: km² km2 sq_km square_kilometre square_kilometres square_kilometer square_kilometers
m2 2589988.110336: mi² sq_mi square_mile square_miles | .09290304: ft² sq_ft square_foot square_feet
m2 1e4: ha hectare hectares | 4046.8564224: acre acres
l 1: l litre litres liter liters | .001: ml millilitre millilitres milliliter milliliters | 3.785411784: gallon gallons gal
l 158.987294928: barrel barrels | 1e3: m³ m3 cubic_metre cubic_metres cubic_meter cubic_meters
m/s 1: m/s | .2777777777777778: km/h kmh kph kilometres_per_hour kilometers_per_hour kilometres_an_hour
m/s .44704: mph miles_per_hour miles_an_hour
m/s .5144444444444445: knot knots
W 1: w watt watts | 1e3: kw kilowatt kilowatts | 1e6: mw megawatt megawatts | 1e9: gw gigawatt gigawatts | 745.6998715822702: hp horsepower
J 3.6e6: kwh | 3.6e9: mwh | 3.6e12: gwh | 3.6e15: twh
byte 1e6: mb megabyte megabytes | 1e9: gb gigabyte gigabytes | 1e12: tb terabyte terabytes
Hz 1: hz hertz | 1e3: khz | 1e6: mhz | 1e9: ghz
""".strip()
_TIMES = """
s 1: s sec secs second seconds | 60: min mins minute minutes | 3600: h hr hrs hour hours | .001: ms millisecond milliseconds
s 86400: day days | 604800: week weeks wk wks fortnight*2 fortnights*2
s 2629800: month months | 31557600: year years yr yrs | 315576000: decade decades | 3155760000: century centuries
s 31557600000: millennium millennia
""".strip()
_CURRENCIES = """
$: dollar dollars us_dollar us_dollars usd us$ $ | EUR: euro euros eur € | GBP: pound_sterling pounds_sterling sterling quid gbp £
JPY: yen jpy ¥ | INR: rupee rupees rs inr ₹ | CNY: yuan renminbi rmb cny | CHF: franc francs chf | RUB: rouble roubles ruble rubles rub
KRW: won krw ₩ | AUD: australian_dollar australian_dollars aud a$ au$ | CAD: canadian_dollar canadian_dollars cad c$ ca$
NZD: nz$ nzd new_zealand_dollars | HKD: hk$ hkd hong_kong_dollars | SEK: krona kronor sek | NOK: krone kroner nok | NGN: naira ₦ ngn
PLN: zloty zlotys pln | TRY: lira liras ₺ | BRL: real reais r$ brl | ZAR: rand zar | ILS: shekel shekels ₪ | PHP: peso pesos ₱
UAH: hryvnia hryvnias ₴ | KES: ksh kes | PKR: pkr
""".strip()
_CELSIUS = "°c ˚c ºc ℃ degrees_celsius degree_celsius degrees_centigrade celsius"
_PERCENT = "% percent per_cent pct percentage_points percentage_point pp pct_points"


def _measures(table: str, kind: Kind) -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in table.splitlines():
        base, _, rest = line.strip().partition(" ")
        for group in rest.split("|"):
            factor, _, names = group.partition(":")
            words = names.split()
            for word in words:
                name, _, times = word.partition("*")
                units[name] = Unit(name if times else words[0], base, float(factor) * float(times or 1), kind=kind)
    return units


def _currencies(table: str) -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in table.splitlines():
        for group in line.split("|"):
            code, _, names = group.partition(":")
            for name in names.split():
                units[name] = Unit(code.strip(), code.strip(), kind=Kind.MONEY)
    return units


#: Unit by its lower-case writing, words joined by ``_``. Single letters that are more often something else are left out.
UNITS: dict[str, Unit] = {
    **_measures(_MEASURES, Kind.QUANTITY),
    **_measures(_TIMES, Kind.DURATION),
    **_currencies(_CURRENCIES),
    **{word: Unit("%", "%", kind=Kind.PERCENTAGE) for word in _PERCENT.split()},
    **{word: Unit("C", "K", 1.0, 273.15) for word in _CELSIUS.split()},
    **{word: Unit("F", "K", 5 / 9, 459.67 * 5 / 9) for word in ("°f", "℉", "degrees_fahrenheit", "fahrenheit")},
    **{word: Unit("degree", "degree") for word in ("°", "degree", "degrees")},
    "cents": Unit("cent", "cent", kind=Kind.MONEY),
    "cent": Unit("cent", "cent", kind=Kind.MONEY),
    "pence": Unit("pence", "pence", kind=Kind.MONEY),
}  # fmt: skip

#: What may stand before an amount, in lower case.
CURRENCY_PREFIXES: frozenset[str] = word_set(
    "$ € £ ¥ ₹ ₩ ₦ ₺ ₪ ₱ ₴ us$ a$ au$ c$ ca$ nz$ hk$ r$ usd eur gbp jpy inr cny aud cad chf rs rmb ksh"
)
